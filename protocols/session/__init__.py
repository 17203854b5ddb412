"""The control plane as a protocol: the job all parties sign, and what is bound to it."""
