select visit_id, at, x, z, kind, bought from {{ source('raw', 'visits') }} where at < timestamp'{{ var('until', '2030-01-01') }}'
