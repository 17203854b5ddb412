"""The control plane: one ServerApp drives a job; trusted for liveness only."""
