{{ modules.penstock.tail('ks_sf') }}
