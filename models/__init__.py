"""Pure statistical models, split by role; no network, file, clock, environment or log."""
