"""Which version of a model is live: the alias table in Delta is the truth, MLflow's alias its mirror."""
