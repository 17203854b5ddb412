"""Phase ``train``: the trees grow, one checkpoint each, over encrypted gradient sums."""

from __future__ import annotations
