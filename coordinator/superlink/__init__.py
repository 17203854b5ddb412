"""The coordinator's Flower SuperLink: on loopback only, behind a gateway that lets nodes in."""
