{{ config(materialized='table') }}

{{ penstock.metrics(
    ['takings', 'bulk_takings', 'price', 'bulk_share', 'sales'],
    group_by=['product__kind'],
    where=["{{ TimeDimension('metric_time', 'day') }} >= '2026-01-01'"],
) }}
