"""The coordinator's part in a horizontal job: it adds what it cannot read."""
