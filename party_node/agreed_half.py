"""Whether this node holds the half of a model that a scoring job names."""

from __future__ import annotations

from models.model_file import FORMAT_VERSION
from models.scoring import HalfStatement, half_differences
from party_node.errors import JobRefused
from party_node.model_store import StoredHalf, find
from party_node.node import Node
from protocols.session.job_spec import JobSpec


def check_half(node: Node, spec: JobSpec) -> StoredHalf:
    """Return this node's half of the model; raises :class:`JobRefused` naming what differs."""
    terms = spec.scoring
    own = node.party_id
    stored = find(node, terms.model_id)
    digest = next(half.digest for half in terms.halves if half.party_id == own)
    role = spec.party(own).role
    agreed = HalfStatement(own, terms.model_id, terms.trained, role, FORMAT_VERSION, digest)
    offered = HalfStatement(
        own, terms.model_id, stored.kind, stored.role, FORMAT_VERSION, stored.digest
    )
    if differences := half_differences([agreed], [offered]):
        raise JobRefused(
            "; ".join(difference.text for difference in differences),
            "propose the job with the digests of the halves the parties hold",
        )
    _check_form(stored, terms.form)
    return stored


def _check_form(stored: StoredHalf, form: str) -> None:
    """Refuse a form of result that the model's kind of label does not have."""
    objective = stored.facts.get("objective", "binary")
    forms = {"regression": ("score",), "multiclass": ("score", "label")}
    if form not in forms.get(str(objective), ("score", "band", "label")):
        raise JobRefused(f"a {objective} model gives no {form}", "ask for another form of result")
