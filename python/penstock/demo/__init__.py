"""The demo project's data and its guided tour: real flights, from loading to predictions."""
