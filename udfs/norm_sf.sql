{{ modules.penstock.tail('norm_sf') }}
