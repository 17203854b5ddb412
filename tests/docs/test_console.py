"""The reader of tutorials notices when a document does not tell the truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.console import commands, run

TRUE = """# A tutorial

## First

```console
$ cat > words.txt <<'END'
two words
END
$ cat words.txt
two …
$ printf 'AUC 0.885, signed 21:24:12, 36 entries, key 04ab %s\\n' '1234 5678 9abc'
AUC 0.885, signed 09:00:00, 33 entries, key ffff eeee dddd cccc
```

## Second

```console
$ true
$ exit 3
```

Exit status 3, as it says.
"""


def follow(folder: Path, text: str) -> int:
    document = folder / "tutorial.md"
    document.write_text(text, encoding="utf-8")
    told = commands(document)
    for command in told:
        run(command, folder)
    return len(told)


def test_a_true_document(tmp_path: Path) -> None:
    assert follow(tmp_path, TRUE) == 5
    assert [c.section for c in commands(tmp_path / "tutorial.md")] == ["First"] * 3 + ["Second"] * 2


@pytest.mark.parametrize(
    ("true", "false", "told"),
    [
        ("AUC 0.885, signed 09", "AUC 0.886, signed 09", "does not print"),
        ("AUC 0.885, signed 09", "signed 09", "does not print"),
        ("two …", "three …", "does not print"),
        ("cccc\n", "cccc and more\n", "does not print"),
        (", key ffff eeee dddd cccc", "", "does not print"),
        ("Exit status 3", "Exit status 2", "ended with 3, not 2"),
        ("Exit status 3, as it says.", "", "ended with 3, not 0"),
        ("$ true\n", "$ false\n", "ended with 1, not 0"),
        ("$ true\n", "$ echo something\n", "does not print"),
    ],
)
def test_a_false_document(tmp_path: Path, true: str, false: str, told: str) -> None:
    assert true in TRUE
    with pytest.raises(AssertionError, match=told):
        follow(tmp_path, TRUE.replace(true, false))
