"""When a model is trained again, and how far that has come."""
