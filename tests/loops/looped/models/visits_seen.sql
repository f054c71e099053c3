select visit_id, at, x, z, kind, bought from {{ source('raw', 'visits') }}
