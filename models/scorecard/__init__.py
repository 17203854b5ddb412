"""A points table: logistic regression over each party's weights of evidence (SPEC.md)."""
