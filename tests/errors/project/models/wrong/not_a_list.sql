{{ config(enabled=var('not_a_list', false)) }}

{{ penstock.metrics('revenue', group_by=['shop__city']) }}
