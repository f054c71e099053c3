"""Whether a model was right, where labels have come, where some have, and where none have."""
