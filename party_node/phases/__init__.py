"""What a party does in each phase of a job; one phase, one file."""
