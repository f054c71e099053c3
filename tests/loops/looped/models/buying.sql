{{ penstock.trained() }}
