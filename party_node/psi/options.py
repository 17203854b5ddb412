"""What the operator asked for, checked as far as it can be before anything is read or connected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from audit.detail_kinds import is_code
from party_node.errors import NodeError
from party_node.psi.streams import Deadlines
from protocols.identifiers import IdentifierKind
from protocols.session.psi_spec import PsiPurpose, PsiRole, Recipient, Reveal

DEFAULT_FLOOR = 50
DEFAULT_QUOTA = 100_000


@dataclass(frozen=True, kw_only=True)
class PsiOptions:
    """One call of ``fedcrm psi receive`` or ``send``."""

    role: PsiRole
    input: Path
    keys: tuple[str, ...]
    kinds: tuple[IdentifierKind, ...]
    match: Literal["all", "first"]
    region: str
    output: Path | None
    listen: str | None
    connect: str | None
    suite: Literal["gm", "intl"]
    protocol: Literal["auto", "ecdh", "vole", "oprf"]
    reveal: Reveal
    to: Recipient
    values: str | None
    purpose: PsiPurpose
    basis: str
    floor: int
    identity: Path | None
    peer: Path | None
    log: Path | None
    exclude: Path | None
    cache: Path | None
    quota: int
    rotate: bool
    lab: bool
    officer: str | None
    """Pseudonymous staff id of who confirms; None where ``--yes`` confirms for a script."""
    cores: int
    kernels: Literal["auto", "portable"]
    deadlines: Deadlines

    def __post_init__(self) -> None:
        """Refuse what contradicts itself; raises :class:`NodeError` with what to do."""
        if (self.listen is None) == (self.connect is None):
            raise NodeError(
                "one of --listen and --connect is needed",
                "one side listens on HOST:PORT, the other connects to it",
            )
        if not self.keys:
            raise NodeError("no column to match on", "name one with --key COLUMN")
        if len(self.kinds) != len(self.keys):
            raise NodeError(
                f"{len(self.keys)} key columns but {len(self.kinds)} kinds",
                "give one --kind for all columns, or one for each --key in their order",
            )
        self._check_result()
        if self.officer is not None and not is_code(self.officer):
            raise NodeError(
                "--officer is a short staff id without spaces, not a name or a number of a person",
                "for example: officer-7",
            )
        if self.lab:
            if self.identity or self.peer or self.log:
                raise NodeError(
                    "--lab has no identity, no pinned peer and no log",
                    "leave out --lab for a real run, or --identity, --peer and --log for a trial",
                )
        elif not (self.identity and self.peer and self.log):
            missing = [
                option
                for option, value in (
                    ("--identity", self.identity),
                    ("--peer", self.peer),
                    ("--log", self.log),
                )
                if value is None
            ]
            raise NodeError(
                f"missing {', '.join(missing)}",
                "make an identity with `fedcrm psi keygen`, exchange the .pub files, name a "
                "folder for the audit log; or try it out on this machine with --lab",
            )

    def _check_result(self) -> None:
        if self.match == "first" and (self.reveal != "list" or self.to != "both"):
            raise NodeError(
                "matching on the first key that matches needs --reveal list and --to both",
                "both sides must know which rows are matched before the next key is tried",
            )
        if self.match == "first" and self.protocol == "oprf":
            raise NodeError("--protocol oprf matches on one key, or on all of several")
        if self.learns_rows and self.output is None:
            raise NodeError("--output FILE is missing", "this side gets the matching rows")
        if not self.learns_rows and self.output is not None:
            raise NodeError(
                "--output: this side gets no rows", "leave it out, or ask for --to both"
            )
        if self.rotate and self.role != "sender":
            raise NodeError("--rotate is the sender's: its key is rotated")

    @property
    def learns_rows(self) -> bool:
        """Whether this side gets matching rows."""
        return self.reveal == "list" and (self.to == "both" or self.role == "receiver")

    @property
    def state_folder(self) -> Path:
        """Where an interrupted run is kept."""
        base = self.output if self.output is not None else self.input
        return base.with_name(base.name + f".fedcrm-{self.role}")

    @property
    def reject_file(self) -> Path:
        """Where unusable rows go."""
        base = self.output if self.output is not None else self.input
        return base.with_name(base.name + ".rejects.csv")
