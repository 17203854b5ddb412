"""A log as people read it: what happened, when, by whom, in plain words, at any width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.padding import Padding
from rich.text import Text

from audit.catalogue import CATALOGUE, RETENTION_MEANING, VISIBILITY_MEANING
from audit.event import Event, encode_body, joint_message
from audit.identity import LogIdentity

_STATUS_STYLE = {"success": "green", "denied": "yellow", "failed": "red", "partial": "yellow"}
SIMULATED = "Written by a simulation: one machine held every party's key."


def heading(identity: LogIdentity, entries: int) -> Iterator[Text]:
    """Yield the lines above a timeline."""
    yield Text.assemble(("Audit log of ", "bold"), (identity.origin, "bold cyan"))
    yield Text(f"{entries} entries, suite {identity.suite.name}")
    yield Text(f"signing key {identity.fingerprint}")
    if identity.source == "simulation":
        yield Text(SIMULATED, style="yellow")


def rows(events: Iterable[Event]) -> Iterator[Text | Padding]:
    """Yield each event as a line with its time and type, and what belongs to it below."""
    day = ""
    for event in events:
        when = datetime.fromisoformat(event.time)
        local = when.astimezone()
        if event.time[:10] != day:
            day = event.time[:10]
            yield Text(f"\n{day}", style="bold")
        status = event.outcome.status
        yield Text.assemble(
            (f"{event.seq:>5}  ", "dim"),
            f"{event.time[11:19]} UTC ",
            (f"({local:%m-%d %H:%M:%S %z})  ", "dim"),
            (event.type, "bold"),
            "  ",
            (status, _STATUS_STYLE[status]),
        )
        row = CATALOGUE.get(event.type)
        meaning = row.meaning if row else "An event type this version does not know."
        yield Padding(Text(meaning), (0, 0, 0, 7))
        for line in _particulars(event):
            yield Padding(Text(line, style="dim"), (0, 0, 0, 7))


def _particulars(event: Event) -> Iterator[str]:
    who = f"by {event.actor.kind} {event.actor.id} ({event.actor.role}, {event.actor.authn})"
    job = [f"job {event.job}"] if event.job else []
    attempt = [f"attempt {event.attempt}"] if event.attempt is not None else []
    phase = [f"phase {event.phase}"] if event.phase else []
    yield " · ".join([*job, *attempt, *phase, who])
    if event.object:
        yield f"on {event.object.kind} {event.object.id}"
    if event.outcome.code not in ("ok", event.outcome.status):
        yield f"outcome {event.outcome.code}"
    law = [f"purpose {event.purpose}"] if event.purpose else []
    if event.legal_basis:
        law.append(f"legal basis {', '.join(event.legal_basis)}")
    if event.policy:
        law.append(f"policy {event.policy.verdict} (decision {event.policy.decision})")
    if law:
        yield " · ".join(law)
    if event.counts:
        yield "  ".join(f"{name}={count:,}" for name, count in sorted(event.counts.items()))
    if event.details:
        yield "  ".join(f"{name}={_short(value)}" for name, value in sorted(event.details.items()))
    if event.intent is not None:
        yield f"ends what was announced at entry {event.intent}"
    if event.joint:
        size = len(joint_message(encode_body(event.joint.body)))
        yield (
            f"joint statement of {', '.join(event.joint.body.parties)}: {size} bytes signed by "
            f"each, digest {event.joint.digest[:16]}…"
        )
    yield (
        f"seen by {VISIBILITY_MEANING[event.visibility]} · "
        f"kept {RETENTION_MEANING[event.retention_class]}"
    )


def _short(value: object) -> str:
    """Return a detail as it fits on a line; the whole of it is in ``--json``."""
    if isinstance(value, list):
        return ",".join(str(element) for element in value)
    if isinstance(value, str) and len(value) > 32:
        return value[:16] + "…"
    return str(value).lower() if isinstance(value, bool) else str(value)
