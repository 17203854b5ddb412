"""Sample tables that scenarios name instead of bringing files of their own."""
