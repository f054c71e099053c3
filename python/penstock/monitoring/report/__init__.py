"""The report of a model: what is known of it, collected and drawn as one page of HTML that needs nothing else."""
