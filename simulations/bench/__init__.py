"""Measurements, each printed as JSON, against another system in the same run where one is given."""
