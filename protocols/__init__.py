"""Pure protocols: messages, roles and cryptography; no network, file, clock, environment or log."""
