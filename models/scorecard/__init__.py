"""A points table: logistic regression over the weight of evidence of each party's bins."""
