"""The error of a model whose numbers have run away."""

from __future__ import annotations

from protocols.errors import LocalProtocolError


class NotFinite(LocalProtocolError):
    """Parameters became infinite or no number at all; the text says where, and what to change."""
