select count(*) as found from {{ ref('large') }} having count(*) <> 200000
