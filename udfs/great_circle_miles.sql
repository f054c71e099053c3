3958.7613 * atan2(
    sqrt(
        pow(cos(radians(lat2)) * sin(radians(lon2 - lon1)), 2)
        + pow(
            cos(radians(lat1)) * sin(radians(lat2))
            - sin(radians(lat1)) * cos(radians(lat2)) * cos(radians(lon2 - lon1)), 2
        )
    ),
    sin(radians(lat1)) * sin(radians(lat2)) + cos(radians(lat1)) * cos(radians(lat2)) * cos(radians(lon2 - lon1))
)
