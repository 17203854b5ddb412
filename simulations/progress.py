"""Shows on stderr how far each party is, from the progress file each node writes."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

_EVERY_S = 0.3


@contextlib.contextmanager
def watch(homes: Mapping[str, Path], finished: threading.Event) -> Iterator[None]:
    """Draw one bar a party until ``finished`` is set; nothing when stderr is not a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    bars = Progress(
        TextColumn("{task.fields[party]:>12}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    with bars:
        tasks = {party: bars.add_task("starting", party=party, total=None) for party in homes}
        watcher = threading.Thread(target=_follow, args=(bars, tasks, homes, finished))
        watcher.start()
        try:
            yield
        finally:
            finished.set()
            watcher.join()


def _follow(
    bars: Progress,
    tasks: Mapping[str, TaskID],
    homes: Mapping[str, Path],
    finished: threading.Event,
) -> None:
    while not finished.wait(_EVERY_S):
        for party, home in homes.items():
            try:
                state = json.loads((home / "progress.json").read_text())
            except (OSError, ValueError):
                continue
            total = state["total"] or None
            text = f"{state['phase']}: {state['step']}" if state["step"] else state["phase"]
            bars.update(tasks[party], description=text, completed=state["done"], total=total)
