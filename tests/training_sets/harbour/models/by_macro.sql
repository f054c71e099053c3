{{ penstock.training_set(
    spine=ref('sailings'),
    at='sails_at',
    entities={'ship': 'ship_id'},
    features=[
        'ship.tons over 3 days',
        'ship.late_rate to date',
        'ship.owners.owner as owner',
        'ship.visits.tons within 2 days as last_tons',
        'ship.ships.flag as flag',
    ],
) }}
