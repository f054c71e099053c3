{{ config(materialized='table') }}

{{ penstock.drift(ref('tiles'), ref('trained_tiles'), ref('edges'), window='1 week', bucket='week') }}
