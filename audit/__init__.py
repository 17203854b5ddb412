"""Append-only evidence: events, Merkle tree, checkpoints, bundles and their offline verifier."""
