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
def watch(
    homes: Mapping[str, Path], estimate: Path | None, finished: threading.Event
) -> Iterator[None]:
    """Draw one bar a party until ``finished`` is set; none when stderr is not a terminal.

    What training is expected to take is said once, when the file ``estimate`` is there.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        teller = threading.Thread(target=_tell, args=(console, estimate, finished))
        teller.start()
        try:
            yield
        finally:
            finished.set()
            teller.join()
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
        watcher = threading.Thread(target=_follow, args=(bars, tasks, homes, estimate, finished))
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
    estimate: Path | None,
    finished: threading.Event,
) -> None:
    told = False
    while not finished.wait(_EVERY_S):
        told = told or _say(bars.console, estimate)
        for party, home in homes.items():
            try:
                state = json.loads((home / "progress.json").read_text())
            except (OSError, ValueError):
                continue
            total = state["total"] or None
            text = f"{state['phase']}: {state['step']}" if state["step"] else state["phase"]
            bars.update(tasks[party], description=text, completed=state["done"], total=total)


def _tell(console: Console, estimate: Path | None, finished: threading.Event) -> None:
    while not _say(console, estimate):
        if finished.wait(_EVERY_S):
            _say(console, estimate)  # written since it was last looked for, if at all
            return


def _say(console: Console, estimate: Path | None) -> bool:
    """Print what training is expected to take; return whether there is no more to say."""
    if estimate is None:
        return True
    try:
        text = json.loads(estimate.read_text())["text"]
    except (OSError, ValueError, KeyError):
        return False
    console.print(f"training is expected to take {text}", highlight=False, soft_wrap=True)
    return True
