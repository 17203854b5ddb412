"""Gradient-boosted trees over columns that stay with their owners (SPEC.md)."""
