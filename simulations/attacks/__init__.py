"""Attackers of the vertical models, measured with and without each protection."""
