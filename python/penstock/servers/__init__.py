"""Servers: each turns its protocol into what `penstock.project` does, and back."""
