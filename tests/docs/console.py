"""Reads the ``console`` blocks of a Markdown file and runs them as a reader would type them.

A command is a line that begins with ``$ ``; the text of a here-document follows it as it is. What
comes after a command, up to the next one, is what it prints, shortened where it has ``…``. It is
expected to succeed, unless the paragraph right after the block says ``exit status N``: that is
then the status of the block's last command.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DEADLINE_S = 900
LEFT_OUT = "…"

_FENCE = "```"
_HERE_DOCUMENT = re.compile(r"<<'(?P<end>\w+)'")
_STATUS = re.compile(r"exit status (\d+)", re.IGNORECASE)
_CHANGES_EACH_RUN = re.compile(
    r"(?P<fingerprint>[0-9a-f]{4}(?: [0-9a-f]{4}){3,})"
    r"|(?P<digest>\b[0-9a-f]{12,}\b)"
    r"|(?P<job_time>\d{8}T\d{6}Z)"
    r"|(?P<zone>[+-]\d{4}\b)"
    r"|(?P<time>\d{4}-\d\d-\d\d|\d\d-\d\d(?= \d\d:)|\d\d:\d\d:\d\d)"
    r"|(?P<measured>\d[\d.,]*(?= (?:s|min|kB|MB|bytes|entries|checkpoints)\b))"
    r"|(?P<entry>\b\d+(?= \d\d:\d\d:\d\d UTC))"
    r"|(?P<place>(?<=byte )\d+|(?<=seq )\d+|(?<=line )\d+|(?<=entries )\d+ to \d+)"
)
_ANY = {
    "fingerprint": r"[0-9a-f ]+",
    "digest": r"[0-9a-f]+",
    "job_time": r"\d{8}T\d{6}Z",
    "zone": r"[+-]\d{4}",
    "time": r"[\d:-]+",
    "measured": r"[\d.,]+",
    "entry": r"\d+",
    "place": r"\d+(?: to \d+)?",
}


@dataclass
class Command:
    """One command of a document, with what the document says it does."""

    document: str
    line: int
    section: str
    """The heading it stands under."""
    script: str
    shown: list[str] = field(default_factory=list)
    status: int = 0

    @property
    def place(self) -> str:
        """Where to look when it fails."""
        return f"{self.document}:{self.line}"


def commands(document: Path) -> list[Command]:
    """Return the commands of the document's console blocks, in order."""
    lines = document.read_text(encoding="utf-8").splitlines()
    found: list[Command] = []
    section, at = "", 0
    while at < len(lines):
        if lines[at].startswith("## "):
            section = lines[at].removeprefix("## ")
        if not lines[at].startswith(_FENCE):
            at += 1
            continue
        end = lines.index(_FENCE, at + 1)
        if lines[at] == f"{_FENCE}console":
            block = list(_commands_of(lines[at + 1 : end], document.name, at + 2, section))
            if told := _STATUS.search(_paragraph(lines, end + 1)):
                block[-1].status = int(told[1])
            found += block
        at = end + 1
    return found


def _commands_of(block: list[str], document: str, first: int, section: str) -> Iterator[Command]:
    starts = [at for at, line in enumerate(block) if line.startswith("$ ")]
    assert starts[:1] == [0], f"{document}:{first}: a console block begins with a command"
    for start, stop in pairwise([*starts, len(block)]):
        script, rest = [block[start].removeprefix("$ ")], block[start + 1 : stop]
        if document_in := _HERE_DOCUMENT.search(script[0]):
            length = rest.index(document_in["end"]) + 1
            script, rest = script + rest[:length], rest[length:]
        yield Command(document, first + start, section, "\n".join(script), rest)


def _paragraph(lines: list[str], at: int) -> str:
    text: list[str] = []
    for line in lines[at:]:
        if text and not line:
            break
        if line.startswith((_FENCE, "#")):
            break
        text += [line] if line else []
    return " ".join(text)


def run(command: Command, folder: Path) -> str:
    """Run ``command`` in ``folder`` and return what it prints; fails where that is not as told."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "80",
        "PYTHONUNBUFFERED": "1",
    }
    done = subprocess.run(
        ["bash", "-c", command.script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    told = f"{command.place}: {command.script.splitlines()[0]}\n"
    # A shell tells of signal 9 as status 137.
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    assert status == command.status, (
        f"{told}ended with {status}, not {command.status}:\n{done.stdout}"
    )
    part = _not_printed(_one_line(" ".join(command.shown)), _one_line(done.stdout))
    assert part is None, f"{told}does not print, in this place, {part!r}\nbut:\n{done.stdout}"
    return done.stdout


def _not_printed(shown: str, printed: str) -> str | None:
    """Return the first part of ``shown`` that ``printed`` does not have in its place, or None.

    What is shown is all that is printed, except where it has ``…`` and for what changes each run.
    """
    parts, at = [part.strip() for part in shown.split(LEFT_OUT)], 0
    for index, part in enumerate(parts):
        ends = index == len(parts) - 1 and not shown.endswith(LEFT_OUT)
        pattern = re.compile(_pattern(part) + (r"\Z" if ends else ""))
        match = pattern.search(printed, at) if index else pattern.match(printed)
        if match is None:
            return part
        at = match.end()
    return None


def _pattern(part: str) -> str:
    pieces, at = [], 0
    for match in _CHANGES_EACH_RUN.finditer(part):
        pieces += [re.escape(part[at : match.start()]), _ANY[str(match.lastgroup)]]
        at = match.end()
    return "".join([*pieces, re.escape(part[at:])])


def _one_line(text: str) -> str:
    """Return ``text`` without its line ends: where a line is wrapped depends on its paths."""
    return " ".join(text.split())
