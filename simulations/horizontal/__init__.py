"""Simulated horizontal jobs: several parties with the same columns and different customers."""
