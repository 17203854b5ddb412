"""A partner organisation's node: its data, keys, approvals, journal, peer channel and ClientApp."""
