{{ config(materialized='incremental', incremental_strategy='merge', unique_key='prediction_id') }}

{{ penstock.labels('late', horizon='11 days', model='late', of=[ref('predictions'), ref('feedback')]) }}
