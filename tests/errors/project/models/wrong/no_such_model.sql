select {{ penstock.predict('buyer', 'e.*') }} as score from {{ ref('examples') }} as e
