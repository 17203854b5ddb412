"""Every byte the ServerApp's side sees or writes, searched for everything the parties hide."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Message, RecordDict

from coordinator.horizontal import drive
from coordinator.horizontal.opening_store import OpeningStore
from coordinator.horizontal.strategy import SecureAggregation
from models.horizontal.scaling import Scaling
from models.horizontal.state import FederatedState
from party_node.horizontal import key_epoch, openings
from party_node.horizontal import work as work_module
from party_node.horizontal.state import PartyState
from party_node.horizontal.work import Learned, Work
from party_node.node import Node
from protocols.secure_aggregation.epoch import EpochKeys, EpochShares
from protocols.sum_ciphers import SumKey
from tests.integration.horizontal.conftest import MakeJob
from tests.integration.horizontal.faulty_job import FaultyJob, Tap
from tests.integration.horizontal.secrets import Secrets, of_folder, of_message, of_object
from tests.integration.horizontal.test_parties_away import Away

TWO, FIVE = "retailer-2", "retailer-5"


class Everything(Tap):
    """Keeps all messages, and what is on the coordinator's disk and in its strategy meanwhile."""

    def __init__(self, job: FaultyJob, strategies: list[SecureAggregation]) -> None:
        self.seen: dict[str, bytes] = {}
        self._job = job
        self._strategies = strategies
        self._lock = threading.Lock()

    def request(self, party: str, step: str, message: Message) -> Message:
        self._keep(f"to {party} in {step}", of_message(message))
        return message

    def reply(self, party: str, step: str, reply: Message) -> Message:
        self._keep(f"from {party} in {step}", of_message(reply))
        return reply

    def sent(self, step: str) -> None:
        self.look(step)

    def look(self, step: str) -> None:
        """Keep what the coordinator holds now."""
        home = self._job.coordinator_home
        for where, data in of_folder(home).items():
            if where.endswith("signing.key"):
                continue  # its own
            self._keep(f"{where} in {step}", data)
        for strategy in self._strategies:
            self._keep(f"the strategy in {step}", of_object(strategy))

    def _keep(self, where: str, data: bytes) -> None:
        with self._lock:
            self.seen[f"{where} #{len(self.seen)}"] = data


def record(monkeypatch: pytest.MonkeyPatch) -> Secrets:
    """Return what the parties of all jobs from now on have and hide."""
    secrets, lock = Secrets(), threading.Lock()

    def after(owner: Any, name: str, note: Callable[..., None]) -> None:
        honest = getattr(owner, name)

        def acted(*args: Any, **named: Any) -> Any:
            result = honest(*args, **named)
            with lock:
                note(result, *args, **named)
            return result

        monkeypatch.setattr(owner, name, acted)

    def advertised(result: tuple[EpochKeys, Any], terms: Any, *, suite: Any, **_: Any) -> None:
        keys = result[0]
        secrets.add("epoch seed", keys.seed)
        secrets.add("group key", keys.group_key(suite))
        secrets.add("sealing key", keys.sealing_private)
        for number in range(terms.first, terms.first + terms.sums):
            secrets.add("self-mask seed", keys.self_mask_seed(number, suite))
            secrets.add("mask key's seed", keys.mask_key_seed(number, suite))
        for private in keys.mask_privates:
            secrets.add("mask key", private)

    def shared(shares: EpochShares, *_: Any, **__: Any) -> None:
        secrets.add("group key", shares.group_key)
        for each in (*shares.seed_shares, *shares.key_shares):
            for one in each:
                secrets.add("share", one)

    def made(key: SumKey, *_: Any, **__: Any) -> None:
        # The public half is the coordinator's; what the secret half holds besides is not.
        places = range(0, len(key.secret) - 64, max(64, len(key.secret) // 64))
        for start in places:
            piece = key.secret[start : start + 64]
            if piece not in key.public:
                secrets.add("homomorphic key", piece)

    def worked(words: Any, work: Work, *_: Any) -> None:
        secrets.add_numbers("words", words)
        secrets.add("training seed", work.seed)

    def updated(update: Any, *_: Any, **__: Any) -> None:
        secrets.add_numbers("update", update.delta)

    def opened(new: Learned, known: Learned, words: Any, **_: Any) -> None:
        del known
        secrets.add_numbers("opened sum", words)
        secrets.add_numbers("opened sum per word", words / 1.0)
        state, scaling = FederatedState.from_bytes(new.state), Scaling.from_bytes(new.scaling)
        secrets.add_numbers("model", state.parameters)
        secrets.add_numbers("model, short", state.parameters.astype(np.float32).astype(np.float64))
        secrets.add_numbers("statistics", scaling.mean)
        secrets.add_numbers("statistics", scaling.deviation)

    after(key_epoch, "advertise", advertised)
    after(key_epoch, "open_bundles", shared)
    after(key_epoch, "generate", made)
    after(Work, "words", worked)
    after(work_module, "local_update", updated)
    after(openings, "apply", opened)
    after(PartyState, "seed", lambda seed, *_: secrets.add("seed", seed))
    return secrets


@pytest.mark.parametrize("method", ["masks", "masked_he"])
def test_the_server_app_holds_no_key_plain_update_or_sum(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    secrets = record(monkeypatch)
    strategies: list[SecureAggregation] = []

    class Watched(SecureAggregation):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            strategies.append(self)

    monkeypatch.setattr(drive, "SecureAggregation", Watched)
    job = make_job(
        training__rounds=1 if method == "masked_he" else 3,
        aggregation__method=method,
        aggregation__key_rounds=3,
    )
    for party in job.parties:
        node = Node.open(job.home(party))
        secrets.add("signature key", node.keys.signing_key)
        secrets.add("storage key", node.keys.storage_secret)
        node.close()
    everything = Everything(job, strategies)
    # One is away, and one is told what was learned: shares and the sealed model travel as well.
    away = Away({("contribute", 1, TWO): "after", ("share", 1, FIVE): "after"})
    job.drive(everything, at_step=away)
    everything.look("the end")
    assert job.record.status == "closed"
    assert strategies
    names = {name.partition(",")[0] for name in secrets.forms.values()}
    assert names >= {
        *("group key", "sealing key", "self-mask seed", "mask key", "share"),
        *("words", "update", "opened sum", "model", "statistics", "training seed", "seed"),
        *("signature key", "storage key"),
        *(["homomorphic key"] if method == "masked_he" else []),
    }
    assert sum(map(len, everything.seen.values())) > 1_000_000
    search = secrets.prepared()
    assert search.found(everything.seen) == []
    check_the_search(job, everything, secrets, strategies[0])


def check_the_search(
    job: FaultyJob, everything: Everything, secrets: Secrets, strategy: SecureAggregation
) -> None:
    """Each kind of secret, put where it must not be, is found there."""
    search, chosen = secrets.prepared(), {name: form for form, name in secrets.forms.items()}
    for name, form in chosen.items():
        message = Message(
            RecordDict({"x": ConfigRecord({"y": b"\x01\x02\x03" + form})}), 1, "query.contribute"
        )
        assert ("a message", name) in search.found({"a message": of_message(message)})
    key = next(form for form, name in secrets.forms.items() if name == "group key")
    model = next(form for form, name in secrets.forms.items() if name == "model, <f8")
    strategy._reports["a leak"] = b"." + key
    everything.seen.clear()
    store = OpeningStore(job.coordinator_home / "a leak")
    store.bind(0, [key.hex()])
    (job.coordinator_home / "another").write_bytes(b"....." + model)
    everything.look("a leak")
    found = search.found(everything.seen)
    assert {name for _, name in found} >= {"group key", "group key, hex", "model, <f8"}
    assert any("the strategy" in where for where, _ in found)
