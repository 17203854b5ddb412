"""Who learned what from a run, sentence by sentence, in plain words."""

from __future__ import annotations

from typing import Any

from protocols.session.job_spec import JobSpec


def what_each_learned(
    spec: JobSpec, own: int, peer: int, shared: int, evaluation: dict[str, Any]
) -> dict[str, tuple[str, ...]]:
    """Return what each party learned beyond its own data; ``own`` is the active party's set."""
    active, passive = spec.active_party.party_id, spec.passive_parties[0].party_id
    test = f"{evaluation['held_out']:,}"
    training = f"{evaluation['trained_on']:,}"
    return {
        active: (
            f"which {shared:,} of its {own:,} customers are also customers of {passive}, and that "
            f"{passive} brought {peer:,}",
            f"for {training} training customers: sums of their gradients over {passive}'s "
            "candidate splits (shuffled, without column or threshold), and who falls on which "
            f"side of the splits of {passive} that the trees use",
            f"for {test} held-out customers: the same sides, hence their scores",
        ),
        passive: (
            f"which {shared:,} of its {peer:,} customers are also customers of {active}, and that "
            f"{active} brought {own:,}",
            f"which of the {training} training customers reach each node of the trees; groups "
            "that differ in the label can be guessed from this",
            "nothing about the held-out customers' scores or labels",
        ),
    }
