"""What the operator sees: progress on stderr, the terms before approval, the summary on stdout."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid
from rich.text import Text

from party_node.psi.options import PsiOptions
from party_node.psi.run import Summary
from party_node.psi.streams import CountedConnection
from protocols.session.psi_spec import PsiSpec, PsiTerms, what_enforces_the_floor, who_learns

_SHOWN_AFTER_S = 2.0
_STEPS = {
    "read": "reading",
    "blind": "blinding",
    "evaluate": "evaluating",
    "buckets": "parts matched",
    "write": "writing",
}


class Terminal:
    """A :class:`~party_node.psi.setting_out.Watcher` for people; quiet for the first seconds."""

    def __init__(self, *, ask: bool) -> None:
        self._ask = ask
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[moved]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()
        self._shown = False
        self._show_from = time.monotonic() + _SHOWN_AFTER_S
        self._connection: CountedConnection | None = None

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hide()

    def say(self, text: str) -> None:
        """Tell the operator one line."""
        self._console.print(Text(text))

    def connected(self, connection: CountedConnection) -> None:
        """Know the connection whose bytes are shown from now on."""
        self._connection = connection

    def progress(self, step: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` units of ``step`` are finished; from any thread."""
        if not self._console.is_terminal:
            return
        with self._lock:
            if not self._shown and time.monotonic() > self._show_from:
                self._progress.start()
                self._shown = True
            if step not in self._tasks:
                self._tasks[step] = self._progress.add_task(
                    _STEPS.get(step, step), total=total, rate="", moved=""
                )
            task = self._tasks[step]
            self._progress.update(task, completed=done, total=total, moved=self._moved())
            speed = self._progress.tasks[self._progress.task_ids.index(task)].speed
            if speed:
                self._progress.update(task, rate=f"{speed:,.0f}/s")

    def confirm(self, spec: PsiSpec, own: str) -> bool:
        """Show the spec; ask unless a script answers."""
        self._hide()
        self._console.print(terms_shown(spec, own))
        if not self._ask:
            return True
        self._console.print(Text("Approve and sign? [yes/no] "), end="")
        answer = sys.stdin.readline()
        if not answer:
            self.say("\nnobody answered: a script approves with --yes")
        return answer.strip().lower() in ("y", "yes")

    def _hide(self) -> None:
        with self._lock:
            if self._shown:
                self._progress.stop()
                self._shown = False

    def _moved(self) -> str:
        if self._connection is None:
            return ""
        return _size(self._connection.bytes_sent + self._connection.bytes_received)


def terms_shown(spec: PsiSpec, own: str) -> Grid:
    """Return the terms as an officer reads them before signing."""
    grid = Grid.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column()
    for side in (spec.receiver, spec.sender):
        you = " (you)" if side.party_id == own else ""
        grid.add_row(side.role, Text(f"{side.party_id}{you}: {_brings(side)}"))
    key = spec.receiver.key
    joined = " and ".join(key.kinds) if key.match == "all" else ", else ".join(key.kinds)
    grid.add_row("matched on", Text(f"{joined}, normalised by {key.rules}"))
    grid.add_row("purpose", Text(spec.receiver.purpose.replace("_", " ")))
    grid.add_row("protocol", Text(f"{spec.protocol} in suite {spec.suite}: {spec.reason}"))
    for line in who_learns(spec):
        grid.add_row("learns", Text(line))
    grid.add_row(
        "floor", Text(f"{spec.floor} shared customers; kept by: {what_enforces_the_floor(spec)}")
    )
    grid.add_row(
        "mind",
        Text(
            "which customers are shared is personal data, provided by one side to the other; "
            "a side that pads its list defeats any floor"
        ),
    )
    return grid


def _brings(side: PsiTerms) -> str:
    return f"{side.rows:,} rows, legal basis {side.legal_basis}, floor {side.minimum_cohort}"


def print_summary(summary: Summary, options: PsiOptions) -> None:
    """Print how it ended, for people."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(_result(summary, options)))
    rows = summary.rows + summary.peer_rows
    console.print(
        Text(
            f"{summary.rows:,} rows here, {summary.peer_rows:,} there, by {summary.protocol} in "
            f"{summary.wall_s:.1f} s ({rows / max(summary.wall_s, 0.001):,.0f} rows/s); "
            f"{_size(summary.bytes_sent)} sent, {_size(summary.bytes_received)} received; "
            f"{summary.rss_mib} MiB of memory"
        )
    )
    if summary.rejected:
        console.print(
            Text(f"{summary.rejected:,} rows could not be used: see {options.reject_file}")
        )


def _result(summary: Summary, options: PsiOptions) -> str:
    if not summary.opened:
        # Where both learn the size before anything is opened, it is no secret any more.
        known = f"{summary.intersection:,}, " if summary.intersection else ""
        return f"{known}fewer shared customers than the floor: no row was opened"
    if options.learns_rows:
        return f"{summary.intersection:,} shared customers: {options.output}"
    if summary.total is not None:
        return f"the sum over about {summary.intersection:,} shared customers is {summary.total:,}"
    if summary.intersection is None:
        return "done; the other side has the result"
    if options.reveal == "list":
        return f"{summary.intersection:,} shared customers; the receiver knows which"
    return f"at least {summary.intersection:,} shared customers (rounded down to the floor)"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"
