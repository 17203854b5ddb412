"""``fedcrm doctor`` says what this machine can do, and fails when a protocol errs on it."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from fedcrm import app
from party_node.errors import NodeError
from party_node.psi import rehearsal
from protocols.suite import Suite, get_suite


def call() -> tuple[int, str]:
    result = CliRunner().invoke(app, ["doctor"])
    return result.exit_code, result.stdout


def test_every_protocol_is_tried_in_both_suites(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[str, str, str]] = []

    def rehearse(suite: Suite, protocol: str) -> None:
        tried.append((suite.name, suite.kernels, protocol))

    monkeypatch.setattr(rehearsal, "rehearse", rehearse)
    status, out = call()
    assert status == 0
    for suite in ("gm", "intl"):
        for protocol in rehearsal.PROTOCOLS:
            for kernels in {get_suite(suite).kernels, "portable"}:
                assert (suite, kernels, protocol) in tried
    assert "right" in out
    assert "compiled kernels are kept in" in out


def test_a_wrong_result_is_named_and_the_status_is_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def rehearse(suite: Suite, protocol: str) -> None:
        if (suite.name, protocol) == ("gm", "vole"):
            raise NodeError("vole in suite gm gave a wrong result on this machine")

    monkeypatch.setattr(rehearsal, "rehearse", rehearse)
    status, out = call()
    assert status == 1
    assert "WRONG: vole in suite gm gave a wrong result" in out


@pytest.mark.parametrize("protocol", rehearsal.PROTOCOLS)
def test_a_rehearsal_notices_a_wrong_result(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = get_suite("intl")
    rehearsal.rehearse(suite, protocol)  # type: ignore[arg-type]
    original = rehearsal._PAIRS[protocol]  # type: ignore[index]
    monkeypatch.setitem(rehearsal._PAIRS, protocol, lambda *those: original(*those)[:-1])
    with pytest.raises(NodeError, match="gave a wrong result on this machine"):
        rehearsal.rehearse(suite, protocol)  # type: ignore[arg-type]
