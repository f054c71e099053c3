select id, sha2(cast(id as string), 512) as digest from range(0, 200000, 1, 10)
