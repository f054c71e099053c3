"""What came of the tests: alerts with a state, an effect and an owner, in a table and by a webhook."""
