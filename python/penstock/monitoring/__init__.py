"""What models predicted, what came true, and what changed: append-only Delta tables, and what is read from them."""
