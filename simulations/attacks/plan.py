"""How much to measure: seeds, sizes, and progress on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress

from simulations.attacks.customers import REAL


@dataclass(frozen=True)
class Plan:
    """What the command line asked for."""

    seeds: int
    quick: bool = False
    """Fewer customers: minutes become seconds and intervals wider."""
    shown: bool = False
    """Whether to draw progress on stderr."""

    @property
    def held_out(self) -> int:
        """Customers no model learns from, who say what it is worth."""
        return 300 if self.quick else 1000

    def customers(self, data: str, *, few: int, many: int) -> int:
        """Return how many customers a run has; the real table has about 3,500 shared ones."""
        return few if self.quick else min(many, 3000) if data == REAL else many

    def each_seed(self, step: str) -> Iterator[int]:
        """Yield the seeds, drawing one bar for ``step``."""
        console = Console(stderr=True)
        if not (self.shown and console.is_terminal):
            yield from range(1, self.seeds + 1)
            return
        with Progress(console=console, transient=True) as bars:
            yield from bars.track(range(1, self.seeds + 1), description=step)
