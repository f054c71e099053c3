select id as shop_id, case when id = 0 then 'Turin' else 'Oslo' end as city from range(2)
