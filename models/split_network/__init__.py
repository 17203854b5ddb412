"""A neural network cut between the parties, trained on randomised labels (SPEC.md)."""
