"""``fedcrm psi``: two machines, one command each, find the customers both have. SPEC.md."""
