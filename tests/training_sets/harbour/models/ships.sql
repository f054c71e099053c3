select id as ship_id, concat('flag ', id % 3) as flag from range(7)
