{{ penstock.training_set() }}
