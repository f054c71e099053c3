{{ modules.penstock.tail('chi2_sf') }}
