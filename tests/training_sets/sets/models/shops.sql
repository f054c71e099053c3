select id as shop_id, case when id < 4 then concat('it''s no. ', id) end as city from range(7)
