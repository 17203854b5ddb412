"""Journal, link and driver under crashes, without any real cryptographic protocol on top."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from party_node.errors import AttemptAbandoned, DeadlineExceeded, JobStopped, PeerUnreachable
from party_node.peer_channel.link import Deadlines, PeerLink
from protocols.errors import RemoteProtocolError
from tests.party_node.parties import Crash, pair, run_together


def test_two_parties_finish(tmp_path: Path) -> None:
    bank, retailer = pair(tmp_path / "run")
    run_together(bank.run, retailer.run)
    assert isinstance(bank.outcome, int)
    assert isinstance(retailer.outcome, int)


@pytest.mark.parametrize("crash_at", range(0, 27, 3))
@pytest.mark.parametrize("who", ["bank", "retailer"])
def test_a_killed_party_continues_and_resends_the_same_bytes(
    tmp_path: Path, who: str, crash_at: int
) -> None:
    bank, retailer = pair(tmp_path / "run")
    killed, other = (bank, retailer) if who == "bank" else (retailer, bank)

    def killed_then_resumed() -> None:
        killed.run(crash_at)
        assert isinstance(killed.outcome, Crash)
        killed.run()

    run_together(killed_then_resumed, other.run)
    assert isinstance(killed.outcome, int), killed.outcome
    assert isinstance(other.outcome, int), other.outcome
    for party in (killed, other):
        by_place: dict[tuple[int, int], set[bytes]] = {}
        for place, data in party.sent:
            by_place.setdefault(place, set()).add(data)
        assert all(len(versions) == 1 for versions in by_place.values())
        assert len(by_place) == 9


def test_both_killed_and_resumed(tmp_path: Path) -> None:
    bank, retailer = pair(tmp_path / "run", deadlines=Deadlines(2, 1))
    run_together(lambda: bank.run(13), lambda: retailer.run(14))
    run_together(bank.run, retailer.run)
    assert isinstance(bank.outcome, int)
    assert isinstance(retailer.outcome, int)


def test_a_restored_backup_abandons_the_attempt(tmp_path: Path) -> None:
    bank, retailer = pair(tmp_path / "run", deadlines=Deadlines(2, 1))
    run_together(lambda: bank.run(4), lambda: retailer.run(5))
    shutil.copytree(bank.home, tmp_path / "backup")
    run_together(lambda: bank.run(12), lambda: retailer.run(16))
    shutil.rmtree(bank.home)
    shutil.copytree(tmp_path / "backup", bank.home)
    run_together(bank.run, retailer.run)
    assert isinstance(bank.outcome, AttemptAbandoned), bank.outcome
    assert isinstance(retailer.outcome, AttemptAbandoned), retailer.outcome


def test_a_changed_input_abandons_the_attempt(tmp_path: Path) -> None:
    bank, retailer = pair(tmp_path / "run", deadlines=Deadlines(2, 1))
    run_together(lambda: bank.run(4), lambda: retailer.run(5))
    engine = create_engine(f"sqlite:///{bank.home / 'node.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE journal_steps SET input_digest = zeroblob(32)"))
    engine.dispose()
    bank.run()
    assert isinstance(bank.outcome, AttemptAbandoned)


def test_a_party_that_never_comes_is_named(tmp_path: Path) -> None:
    bank, _ = pair(tmp_path / "run", deadlines=Deadlines(5, 0.5))
    bank.run()
    assert isinstance(bank.outcome, PeerUnreachable)
    assert "retailer" in bank.outcome.message
    assert "Number of step toy/0" in bank.outcome.message


def test_a_silent_party_is_named(tmp_path: Path) -> None:
    bank, retailer = pair(tmp_path / "run", deadlines=Deadlines(1, 60))
    retailer.steps = 2  # it leaves the last step out and stays connected
    run_together(
        lambda: (bank.run(), retailer.stop.set())[0],
        retailer.run,
    )
    assert isinstance(bank.outcome, DeadlineExceeded)
    assert "Number of step toy/2" in bank.outcome.message


def test_stop_ends_both(tmp_path: Path) -> None:
    bank, retailer = pair(tmp_path / "run", rounds=200)
    bank.stop = retailer.stop

    def stop_soon() -> None:
        retailer.stop.wait(1)
        retailer.stop.set()

    run_together(bank.run, retailer.run, stop_soon)
    assert isinstance(bank.outcome, JobStopped)
    assert isinstance(retailer.outcome, JobStopped)


class GarblingLink(PeerLink):
    """A peer whose messages are not what the protocol says."""

    def send(self, ordinal: int, position: int, data: bytes) -> None:
        """Send the message behind a byte that no message starts with."""
        super().send(ordinal, position, b"\xff" + data)


def test_garbage_from_the_peer_names_party_and_step(tmp_path: Path) -> None:
    bank, retailer = pair(tmp_path / "run", deadlines=Deadlines(3, 1))
    retailer.link_class = GarblingLink
    run_together(bank.run, retailer.run)
    assert isinstance(bank.outcome, RemoteProtocolError)
    assert bank.outcome.party == "retailer"
    assert bank.outcome.step == "toy/0"
    assert isinstance(retailer.outcome, PeerUnreachable)


def test_nothing_in_the_database_is_readable_without_the_key(tmp_path: Path) -> None:
    bank, retailer = pair(tmp_path / "run", deadlines=Deadlines(2, 1))
    run_together(lambda: bank.run(12), lambda: retailer.run(13))
    sent = {data for _, data in bank.sent}
    stored = b"".join(path.read_bytes() for path in bank.home.glob("node.sqlite*"))
    assert sent
    assert not any(data[10:60] in stored for data in sent)
