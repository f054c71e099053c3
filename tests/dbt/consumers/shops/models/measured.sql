{{ config(materialized='table') }}

select shop__city, measure(revenue) as revenue, measure(average_order) as average_order
from {{ ref('order_metrics') }}
group by shop__city
