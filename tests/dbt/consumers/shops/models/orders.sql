{{ config(materialized='incremental', unique_key='order_id', incremental_strategy='merge', on_schema_change='fail') }}

with

orders as (

    select
        cast(order_id as bigint) as order_id,
        cast(shop_id as bigint) as shop_id,
        cast(ordered_at as timestamp) as ordered_at,
        cast(paid_at as timestamp) as paid_at,
        cast(amount as decimal(10, 2)) as amount,
        {{ function('cents') }}(cast(amount as decimal(10, 2))) as amount_cents

    from {{ ref('raw_orders') }}

)

{{ penstock.delta_changes('orders') }}
