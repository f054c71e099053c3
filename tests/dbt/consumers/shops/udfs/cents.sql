cast(amount * 100 as bigint)
