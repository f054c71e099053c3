{{ config(materialized='table') }}

select sale_id, product_id, cast(sold_on as date) as sold_on, quantity, quantity * price as takings from {{ ref('sales') }}
