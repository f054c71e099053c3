{{ config(materialized='table') }}

{{ penstock.saved_query('carrier_months') }}
