"""How a node trains and applies each kind of model: its steps, its roles, its half."""

from __future__ import annotations

from party_node.learning.learner import Learner, Part, learner_for

__all__ = ["Learner", "Part", "learner_for"]
