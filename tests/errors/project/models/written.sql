select id, {{ function('slowly') }}(id) as y from range(0, 400, 1, 20)
