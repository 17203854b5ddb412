"""One model of several parties' customers: rounds of local training, and their mean (SPEC.md)."""
