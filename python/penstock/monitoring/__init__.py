"""What models predicted, what came true, and what changed: Delta tables, and what is read from them."""
