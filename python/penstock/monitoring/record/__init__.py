"""Predictions, features as seen and feedback: logged once, and their labels."""
