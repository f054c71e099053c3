select count(*) as found, sum(y) as y from {{ ref('written') }} having count(*) <> 400 or sum(y) <> 400 * 399
