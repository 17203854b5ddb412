"""Predictions and terms as scoring jobs have them."""

from __future__ import annotations

import numpy as np

from models.predictions import Predictions
from protocols.session.model_terms import HalfDigest, ScoringTerms

GROUPS = {"retailer": "the retailer's columns", "telecom": "the telecom's columns"}


def terms(**changes):
    values = {
        "model_id": "credit-need-1",
        "trained": "boosted_trees",
        "halves": (HalfDigest(party_id="bank", digest="0" * 64),),
        "form": "score",
        "bands": (),
        "threshold": "0.5",
        "reasons": 0,
    }
    return ScoringTerms(**(values | changes))


def predictions(probabilities, contributions=None, peers=None):
    """Binary predictions with these probabilities."""
    p = np.array(probabilities, float)
    return Predictions(np.log(p / (1 - p)), contributions or {}, peers or {})
