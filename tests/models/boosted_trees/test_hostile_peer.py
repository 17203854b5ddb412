"""Whatever a peer sends, a role ends normally or blames that peer, by name."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.boosted_trees import active_party, passive_party, row_packing
from models.boosted_trees.messages import (
    CandidateSums,
    ChosenSplits,
    EncryptedGradients,
    GoLeft,
    LeftRows,
    Membership,
    PaillierKey,
    SampledRows,
    TreesKept,
)
from models.boosted_trees.options import OneSideShares
from models.boosted_trees.results import check_trees_kept
from models.boosted_trees.row_packing import RowPacking
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.roles import Receive, ReceiveEach
from protocols.wire import decode, encode
from tests.drive import drive
from tests.models.boosted_trees.training import (
    ACTIVE,
    PASSIVES,
    learn,
    made_case,
    options,
    train_federated,
    tree_roles,
    uniform,
)
from tests.models.boosted_trees.transparent import transparent_key
from tests.protocols.paillier.keys import SUITE, private_key, stream

ROWS = 64
KEY = private_key()
PUBLIC = KEY.public_key
OPTIONS = options(depth=3, trees=1)


@cache
def _case():
    tables, labels = made_case(ROWS, passives=PASSIVES)
    return tables, labels, learn(tables, OPTIONS)


@cache
def _honest():
    """Each party's inbound messages of one honest tree, as (sender, name, bytes)."""
    _, labels, binned = _case()
    _, transcript = drive(tree_roles(0, binned, labels, OPTIONS))
    return {
        party: [(s, name, data) for s, to, name, data in transcript.messages if to == party]
        for party in (ACTIVE, *PASSIVES)
    }


def _feed(role, inbound):
    """Run one role on recorded messages; return its result."""
    queues = {sender: [d for s, _, d in inbound if s == sender] for sender, _, _ in inbound}
    answer = None
    try:
        while True:
            request = role.send(answer)
            answer = None
            if isinstance(request, Receive):
                answer = _take(queues, request.from_, request.type)
            elif isinstance(request, ReceiveEach):
                answer = {p: _take(queues, p, request.type) for p in request.parties}
    except StopIteration as stop:
        return stop.value


def _take(queues, sender, type_):
    try:
        return decode(queues[sender].pop(0), type_)
    except RemoteProtocolError as error:
        error.party = sender  # as the driver does
        raise
    except IndexError:
        raise RemoteProtocolError("no more messages", party=sender) from None


def _with(party, type_, change, which=0):
    """The party's honest inbound messages with the ``which``-th of a type changed."""
    inbound = list(_honest()[party])
    at = [k for k, (_, name, _) in enumerate(inbound) if name == type_.__name__][which]
    sender, name, data = inbound[at]
    inbound[at] = (sender, name, encode(change(decode(data, type_))))
    return inbound, sender


def _grow(party, inbound):
    _, labels, binned = _case()
    return _feed(tree_roles(0, binned, labels, OPTIONS)[party], inbound)


SHARES = OneSideShares(Decimal("0.4"), Decimal("0.3"))
SAMPLED = options(depth=2, trees=4, one_side_sampling=SHARES, early_stopping_rounds=2)


@cache
def _sampled():
    """As ``_honest``, of a tree with sampled rows, validation rows and many rows a ciphertext."""
    tables, labels = made_case(160, passives=PASSIVES)
    validation = uniform("validation", 160) < 0.25
    binned = learn(tables, SAMPLED, validation)

    def roles():
        return tree_roles(
            2, binned, labels, SAMPLED,
            validation=validation, losses=(0.5, 0.6), key=transparent_key(),
        )  # fmt: skip

    _, transcript = drive(roles())
    inbound = {
        party: [(s, name, data) for s, to, name, data in transcript.messages if to == party]
        for party in (ACTIVE, *PASSIVES)
    }
    return roles, inbound


@pytest.fixture
def many_rows(monkeypatch):
    monkeypatch.setattr(row_packing, "FORWARD_COST", 10**7)


@pytest.mark.usefixtures("many_rows")
@pytest.mark.parametrize(
    ("type_", "change"),
    [
        pytest.param(SampledRows, lambda m: SampledRows(m.rows + b"\0"), id="rows too long"),
        pytest.param(SampledRows, lambda m: SampledRows(bytes(len(m.rows))), id="no rows"),
        pytest.param(SampledRows, lambda m: SampledRows(b"\1" + m.rows[1:]), id="other count"),
        pytest.param(TreesKept, lambda _: TreesKept(-1), id="fewer than no trees"),
        pytest.param(TreesKept, lambda _: TreesKept(2), id="not waited long enough"),
        pytest.param(TreesKept, lambda _: TreesKept(3), id="not waited at all"),
        pytest.param(TreesKept, lambda _: TreesKept(4), id="trees there are not"),
    ],
)
def test_passive_party_must_refuse_samples_and_ends_nobody_agreed(type_, change):
    roles, inbound = _sampled()
    messages = list(inbound["retailer"])
    (at,) = [k for k, (_, name, _) in enumerate(messages) if name == type_.__name__]
    honest = decode(messages[at][2], type_)
    messages[at] = (ACTIVE, type_.__name__, encode(change(honest)))
    with pytest.raises(RemoteProtocolError) as caught:
        _feed(roles()["retailer"], messages)
    assert caught.value.party == ACTIVE


@pytest.mark.usefixtures("many_rows")
def test_a_tree_that_is_not_the_last_must_not_end_a_model_with_it():
    last = 3
    for kept, tree, possible in (
        (0, 0, True), (0, last, False), (1, last, False), (2, last, True), (4, last, True),
        (5, last, False), (1, 2, True), (0, 2, True), (1, 1, False), (-1, 2, False),
    ):  # fmt: skip
        try:
            check_trees_kept(kept, tree, SAMPLED)
        except RemoteProtocolError:
            assert not possible
        else:
            assert possible


def _must_blame(party, type_, change, which=0):
    inbound, sender = _with(party, type_, change, which)
    with pytest.raises(RemoteProtocolError) as caught:
        _grow(party, inbound)
    assert caught.value.party == sender


def test_recorded_messages_must_replay_to_the_same_halves():
    tables, labels, _ = _case()
    model = train_federated(tables, labels, OPTIONS, passives=PASSIVES).model
    assert _grow(ACTIVE, _honest()[ACTIVE]).half == model.active_half.trees[0]
    for party in PASSIVES:
        assert _grow(party, _honest()[party]).half == model.passive_halves[party].trees[0]
    assert {name for _, name, _ in _honest()[ACTIVE]} == {"CandidateSums", "LeftRows"}


def _encrypted(value):
    return PUBLIC.encode(KEY.encrypt([value], stream(b"hostile")))


SLOT = RowPacking(1, ((ROWS * 2**16) + 1) << (ROWS * 2**14).bit_length(), 2048)
OFFSET = sum(1 << (at * SLOT.slot_bits + SLOT.slot_bits - 1) for at in range(SLOT.results))


@pytest.mark.parametrize("which", [0, 1, 3])
@pytest.mark.parametrize(
    "ciphertexts",
    [
        pytest.param(b"\1", id="a byte"),
        pytest.param(bytes(512), id="zero"),
        pytest.param(PUBLIC.n.to_bytes(512, "big"), id="n"),
        pytest.param(b"\xff" * 512, id="beyond n squared"),
        pytest.param(_encrypted(-1), id="the greatest plaintext"),
        pytest.param(_encrypted(2**2046), id="nothing but a bit above the sums"),
        pytest.param(_encrypted(0), id="every slot at its minimum"),
        pytest.param(_encrypted(OFFSET + (1 << 43)), id="gradient larger than the node's"),
        pytest.param(_encrypted(OFFSET + 2**20 + 2**19), id="second derivative too large"),
        pytest.param(_encrypted(OFFSET - 1), id="negative second derivative"),
    ],
)
def test_active_party_must_refuse_sums_nobody_can_have(ciphertexts, which):
    _must_blame(ACTIVE, CandidateSums, lambda _: CandidateSums(ciphertexts), which)


def test_active_party_must_take_no_candidates_for_an_answer():
    nothing = encode(CandidateSums(b""))
    inbound = [(party, "CandidateSums", nothing) for party in PASSIVES for _ in range(7)]
    half = _grow(ACTIVE, inbound).half
    assert len(half.nodes) > 1
    assert not any(half.peer_nodes(party) for party in PASSIVES)


def test_active_party_must_refuse_rows_that_lack_the_sums_claimed():
    def swap(message):
        bits = np.unpackbits(np.frombuffer(message.nodes[0], np.uint8), bitorder="little")
        first, last = np.flatnonzero(bits)[0], np.flatnonzero(bits == 0)[0]
        bits[[first, last]] = bits[[last, first]]
        return LeftRows(
            (np.packbits(bits, bitorder="little").tobytes(), *message.nodes[1:]), message.others
        )

    _must_blame(ACTIVE, LeftRows, swap)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda m: LeftRows(m.nodes[1:], m.others), id="a node too few"),
        pytest.param(lambda m: LeftRows((*m.nodes, m.nodes[0]), m.others), id="a node too many"),
        pytest.param(
            lambda m: LeftRows((m.nodes[0] + b"\0", *m.nodes[1:]), m.others), id="too long"
        ),
        pytest.param(lambda m: LeftRows((b"", *m.nodes[1:]), m.others), id="empty"),
        pytest.param(
            lambda m: LeftRows((bytes(len(m.nodes[0])), *m.nodes[1:]), m.others), id="no rows"
        ),
        pytest.param(
            lambda m: LeftRows((b"\xff" * len(m.nodes[0]), *m.nodes[1:]), m.others), id="all rows"
        ),
        pytest.param(lambda m: LeftRows(m.nodes, m.others[1:]), id="others of a node too few"),
        pytest.param(
            lambda m: LeftRows(m.nodes, (b"\0", *m.others[1:])), id="others there are not"
        ),
    ],
)
def test_active_party_must_refuse_malformed_rows(change):
    _must_blame(ACTIVE, LeftRows, change)


@pytest.mark.parametrize("party", PASSIVES)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda m: EncryptedGradients(m.ciphertexts[:-1]), id="a byte short"),
        pytest.param(lambda m: EncryptedGradients(m.ciphertexts[:-512]), id="a row short"),
        pytest.param(lambda m: EncryptedGradients(m.ciphertexts + m.ciphertexts[:512]), id="more"),
        pytest.param(lambda m: EncryptedGradients(b""), id="nothing"),
        pytest.param(lambda m: EncryptedGradients(bytes(512) + m.ciphertexts[512:]), id="a zero"),
    ],
)
def test_passive_party_must_refuse_malformed_gradients(change, party):
    _must_blame(party, EncryptedGradients, change)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda m: ChosenSplits(()), id="no nodes"),
        pytest.param(lambda m: ChosenSplits((*m.positions, ())), id="a node too many"),
        pytest.param(lambda m: ChosenSplits(((10**6,),)), id="not offered"),
        pytest.param(lambda m: ChosenSplits(((0, 2**63),)), id="far beyond"),
    ],
)
def test_passive_party_must_refuse_choices_it_did_not_offer(change):
    _must_blame("retailer", ChosenSplits, change)


@pytest.mark.parametrize("positions", [[[1, 0]], [[2, 2]], [[-1]], [[True]], [["0"]], [0], 7])
def test_malformed_choices_must_not_decode(positions):
    data = msgspec.msgpack.encode(["ChosenSplits", positions])
    with pytest.raises(RemoteProtocolError):
        decode(data, ChosenSplits)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda m: Membership(()), id="no nodes"),
        pytest.param(lambda m: Membership((*m.nodes, b"")), id="a node too many"),
        pytest.param(lambda m: Membership((m.nodes[0] + b"\0",)), id="too long"),
        pytest.param(lambda m: Membership((b"\1" + bytes(7),)), id="one row left"),
        pytest.param(lambda m: Membership((b"\xff" * 8,)), id="no row right"),
    ],
)
def test_passive_party_must_refuse_malformed_memberships(change):
    _must_blame("retailer", Membership, change)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_bytes_in_any_place_must_end_in_blame_or_normally(data):
    _fuzz_one(data, _honest(), _grow)


@pytest.mark.usefixtures("many_rows")
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_bytes_of_a_sampled_tree_must_end_in_blame_or_normally(data):
    roles, honest = _sampled()
    _fuzz_one(data, honest, lambda party, inbound: _feed(roles()[party], inbound))


def _fuzz_one(data, recorded, grow):
    party = data.draw(st.sampled_from((ACTIVE, *PASSIVES)))
    inbound = list(recorded[party])
    at = data.draw(st.integers(0, len(inbound) - 1))
    sender, name, honest = inbound[at]
    drawn = st.one_of(
        st.binary(max_size=40),
        st.sampled_from([d for _, _, d in recorded[party]]),
        st.integers(0, len(honest) - 1).map(
            lambda k: honest[:k] + bytes([honest[k] ^ 1]) + honest[k + 1 :]
        ),
    )
    inbound[at] = (sender, name, data.draw(drawn))
    try:
        result = grow(party, inbound)
    except RemoteProtocolError as error:
        blamed = error.party
    else:
        blamed = sender
        assert type(result).from_bytes(result.to_bytes()).to_bytes() == result.to_bytes()
    assert blamed in {s for s, _, _ in inbound}


@pytest.mark.parametrize(
    "modulus",
    [b"", bytes(256), b"\xff" * 256, b"\xff" * 128, private_key(3072).public_key.to_bytes()],
    ids=["empty", "zero", "small factors", "1024 bits", "another size than agreed"],
)
def test_passive_party_must_refuse_bad_keys(modulus):
    role = passive_party.receive_key(active=ACTIVE, suite=SUITE, bits=2048)
    with pytest.raises(RemoteProtocolError) as caught:
        _feed(role, [(ACTIVE, "PaillierKey", encode(PaillierKey(modulus)))])
    assert caught.value.party == ACTIVE


def test_evaluation_must_refuse_bits_for_other_splits_or_rows():
    tables, labels, _ = _case()
    model = train_federated(tables, labels, OPTIONS, passives=PASSIVES).model
    count = len(model.passive_halves["retailer"].trees[0].splits)
    assert count

    def evaluate(splits):
        role = active_party.evaluate(
            model=model.active_half, table=tables[ACTIVE], passives=PASSIVES
        )
        other = len(model.passive_halves["telecom"].trees[0].splits)
        inbound = [
            ("retailer", "GoLeft", encode(GoLeft(splits))),
            ("telecom", "GoLeft", encode(GoLeft((bytes(8),) * other))),
        ]
        return _feed(role, inbound)

    assert len(evaluate((b"\xaa" * 8,) * count).margins) == ROWS
    for splits in ((), (bytes(8),) * (count + 1), (bytes(7),) * count, (bytes(9),) * count):
        with pytest.raises(RemoteProtocolError) as caught:
            evaluate(splits)
        assert caught.value.party == "retailer"


def test_evaluation_must_refuse_a_model_of_parties_who_take_no_part():
    tables, labels, _ = _case()
    model = train_federated(tables, labels, OPTIONS, passives=PASSIVES).model
    role = active_party.evaluate(model=model.active_half, table=tables[ACTIVE], passives=())
    with pytest.raises(LocalProtocolError, match="takes no part"):
        _feed(role, [])


def test_own_arguments_that_do_not_fit_must_be_refused():
    _, labels, binned = _case()
    for margins in (np.zeros(ROWS - 1), np.full(ROWS, np.nan)):
        role = tree_roles(0, binned, labels, OPTIONS, margins=margins)[ACTIVE]
        with pytest.raises(LocalProtocolError, match="margin"):
            _feed(role, [])
    with pytest.raises(LocalProtocolError, match="label"):
        _feed(
            tree_roles(0, binned, np.tile(labels, 2), OPTIONS, margins=np.zeros(ROWS))[ACTIVE], []
        )
