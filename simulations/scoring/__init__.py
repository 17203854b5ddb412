"""Scores for new customers, from the model a finished run trained."""
