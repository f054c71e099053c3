select {{ function('picky') }}(id) as y from range(9)
