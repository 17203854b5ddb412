"""What messages cost is measured with the node's own journal, driver and channel."""

from __future__ import annotations

import pytest

from party_node import link_speed
from party_node.link_speed import measure_link
from protocols.suite import get_suite


@pytest.mark.parametrize("suite", ["gm", "intl"])
def test_messages_bytes_and_checkpoints_are_measured(tmp_path, suite):
    speed = measure_link(get_suite(suite), tmp_path)
    assert 0 < speed.seconds_per_message < 1
    assert 0 < speed.seconds_per_byte < 1e-5
    assert 0 < speed.seconds_per_checkpoint < 1
    assert list(tmp_path.iterdir()) == []


def test_what_fails_in_one_party_reaches_the_caller(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr(link_speed, "open_database", broken)
    with pytest.raises(OSError, match="no space left"):
        measure_link(get_suite("gm"), tmp_path)
    assert list(tmp_path.iterdir()) == []
