select sailing_id, sails_at, is_delayed, datediff(current_date, sails_at) as age from {{ ref('sailings') }}
