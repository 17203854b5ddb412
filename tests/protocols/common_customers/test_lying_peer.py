"""A party that departs from the protocol is refused before positions are opened, or at them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.common_customers import (
    SIGNATURE_PREFIX,
    CommonPositions,
    Narrowing,
    OtherSignatures,
    steps,
)
from protocols.errors import RemoteProtocolError, VerifyError
from protocols.roles import ReceiveEach, Role, Send
from protocols.session.countersign import StatementSignature
from protocols.wire import Message, decode, encode
from tests.drive import Deadlock, drive
from tests.protocols.common_customers import job
from tests.protocols.psi_ecdh.pair import Alter, Refusals

LISTS = {
    "bank": [1, 2, 3, 4, 5, 6, 7],
    "retailer": [9, 7, 5, 3, 1],
    "insurer": [5, 6, 7, 8, 3],
    "telecom": [3, 7, 2, 5],
}
PAIRS = job.pairs_of(LISTS)


def changing(type_: type[Message], change) -> Alter:
    return lambda message: [change(message) if isinstance(message, type_) else message]


def refused(type_: type[Message], match: str, **fields) -> RemoteProtocolError:
    """Let the bank change ``fields`` of its messages of a type; return the refusal."""
    refusals = Refusals()
    alter = changing(type_, lambda m: msgspec.structs.replace(m, **fields))
    with pytest.raises(RemoteProtocolError, match=match):
        job.narrow(PAIRS, liar="bank", alter=alter, refusals=refusals)
    assert set(refusals.by) == {"retailer"}  # the first it sends to
    return refusals.by["retailer"]


def told(**fields) -> Narrowing:
    """Return what an honest bank says, with ``fields`` changed."""
    request = next(job.role("bank", PAIRS))
    assert isinstance(request, Send)
    return msgspec.structs.replace(request.message, **fields)


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("version", "fedcrm-common-customers/0", "version"),
        ("suite", "gm", "suite is not ours, intl"),
        ("active", "airline", "other parties"),
        ("passives", ("retailer", "telecom", "insurer"), "other parties"),
        ("context", b"another attempt", "same signed spec and attempt"),
        ("floor", 2, "floor is 2, ours 1"),
        ("common", 5, "more common customers than the pair has"),
    ],
)
def test_other_terms_are_refused(field, value, match):
    assert refused(Narrowing, match, **{field: value}).reason.startswith("Narrowing: ")


def test_another_intersection_than_the_signed_one_is_refused():
    pairs = (bytes(32), *told().pairs[1:])
    assert isinstance(refused(Narrowing, "another intersection", pairs=pairs), VerifyError)


def nothing_opened(alter: Alter, match: str) -> RemoteProtocolError:
    """Run to the refusal of the bank's lie; check that it has sent no positions by then."""
    refusals = Refusals()
    opened: list[Message] = []

    def watch(message: Message) -> list[Message]:
        opened.extend([message] if isinstance(message, CommonPositions) else [])
        return list(alter(message))

    with pytest.raises(RemoteProtocolError, match=match):
        job.narrow(PAIRS, liar="bank", alter=watch, refusals=refusals)
    assert not opened
    (error,) = refusals.by.values()
    assert isinstance(error, RemoteProtocolError)
    return error


def different_for(passive_index: int, **fields) -> Alter:
    """Say something else to one passive party only (Narrowing goes out in their order)."""
    count = iter(range(99))
    return changing(
        Narrowing,
        lambda m: msgspec.structs.replace(m, **fields) if next(count) == passive_index else m,
    )


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize(
    "fields", [{"common": None}, {"common": 1}, {"common": 2}], ids=["refused", "1", "2"]
)
def test_different_numbers_told_to_different_parties_are_caught(index, fields):
    """That party signs another statement; the bank cannot show its signature to the others."""
    passive = tuple(PAIRS)[index]
    error = nothing_opened(different_for(index, **fields), "signed another statement")
    assert isinstance(error, VerifyError)
    assert error.party in {"bank", passive}


def two_faced_bank(lie_to: str, **fields) -> Role[None]:
    """Play a bank that tells one party something else, and signs for each what it told it."""
    session = steps.Session(
        "bank",
        "bank",
        tuple(PAIRS),
        job.SUITE,
        job.CONTEXT,
        1,
        job.KEYS["bank"][0],
        {passive: job.KEYS[passive][1] for passive in PAIRS},
        bytes(32),
    )
    for passive in PAIRS:
        said = told(**fields) if passive == lie_to else told()
        yield Send(passive, said)
        signed = SIGNATURE_PREFIX + session.statement(said.common, said.pairs)
        signature = job.SUITE.sign(job.KEYS["bank"][0], signed, bytes(32))
        yield Send(passive, StatementSignature(signature))
    answers = yield ReceiveEach(tuple(PAIRS), StatementSignature)
    for passive in PAIRS:
        others = tuple(answers[other].signature for other in PAIRS if other != passive)
        yield Send(passive, OtherSignatures(others))


@pytest.mark.parametrize("lie_to", PAIRS)
@pytest.mark.parametrize("fields", [{"common": None}, {"common": 2}], ids=["refused", "2"])
def test_a_bank_that_signs_each_lie_is_caught_by_the_others_signatures(lie_to, fields):
    roles = {passive: job.role(passive, PAIRS) for passive in PAIRS}
    with pytest.raises(VerifyError, match="not over what the active party told us") as caught:
        drive({"bank": two_faced_bank(lie_to, **fields), **roles})
    assert caught.value.party == "bank"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda signatures: signatures[:-1], "not one for each other passive party"),
        (lambda signatures: (*signatures, b""), "not one for each other passive party"),
        (lambda signatures: signatures[::-1], "not over what the active party told us"),
        (lambda signatures: (b"", *signatures[1:]), "not over what the active party told us"),
        (lambda signatures: signatures[:1] * 2, "not over what the active party told us"),
    ],
)
def test_other_signatures_than_the_other_parties_are_refused(change, match):
    alter = changing(OtherSignatures, lambda m: OtherSignatures(change(m.signatures)))
    refusals = Refusals()
    with pytest.raises(RemoteProtocolError, match=match):
        job.narrow(PAIRS, liar="bank", alter=alter, refusals=refusals)
    (error,) = refusals.by.values()
    assert error.reason.startswith("OtherSignatures: ")


@pytest.mark.parametrize("liar", LISTS)
@pytest.mark.parametrize("signature", [b"", bytes(64), b"\x01" * 64])
def test_a_wrong_signature_is_refused_and_its_maker_named(liar, signature):
    alter = changing(StatementSignature, lambda _: StatementSignature(signature))
    with pytest.raises(VerifyError, match="signed another statement") as caught:
        job.narrow(PAIRS, liar=liar, alter=alter)
    assert caught.value.party == liar


def test_the_bank_opens_nothing_when_a_party_does_not_sign():
    opened: list[Message] = []

    def watch(message: Message) -> list[Message]:
        opened.extend([message] if isinstance(message, CommonPositions) else [])
        return [message]

    other, _ = job.SUITE.generate_signing_key(b"\x09" * 32)
    with pytest.raises(VerifyError, match="signed another statement"):
        job.narrow(PAIRS, of={"telecom": {"private_key": other}}, liar="bank", alter=watch)
    assert not opened


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda data: data[:-4], "bytes, but the number in Narrowing asks for 3 x 4"),
        (lambda data: data + bytes(4), "bytes, but the number in Narrowing asks for 3 x 4"),
        (lambda data: data[:-1], "bytes, but the number in Narrowing asks for 3 x 4"),
        (lambda data: data[:-4] + data[:4], "not distinct customers"),
        (lambda data: b"\xff" * 4 + data[4:], "not distinct customers"),
        (lambda data: (4).to_bytes(4, "big") + data[4:], "not distinct customers"),
        (lambda data: bytes(len(data)), "not distinct customers"),
    ],
)
def test_wrong_positions_are_refused(change, match):
    refusals = Refusals()
    alter = changing(CommonPositions, lambda m: CommonPositions(change(m.positions)))
    with pytest.raises(RemoteProtocolError, match=match):
        job.narrow(PAIRS, liar="bank", alter=alter, refusals=refusals)
    (error,) = refusals.by.values()
    assert error.reason.startswith("CommonPositions: ")


def test_a_made_up_common_set_is_not_caught():
    """The limit that SPEC.md §5 states: a passive party cannot check what it is told."""
    alter = changing(
        CommonPositions,
        lambda m: CommonPositions(b"".join(place.to_bytes(4, "big") for place in (2, 1, 0))),
    )
    results, _ = job.narrow(PAIRS, liar="bank", alter=alter)
    assert [LISTS["telecom"][p] for p in results["telecom"].positions] != [
        LISTS["bank"][p] for p in results["bank"].positions
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {"floor": 0},
        {"floor": (1 << 24) + 1},
        {"common": 0},
        {"common": (1 << 24) + 1},
        {"floor": 3, "common": 2},
        {"passives": ("retailer",), "pairs": (bytes(32),)},
        {"pairs": (bytes(32),) * 2},
        {"passives": ("p",) * 65, "pairs": (b"",) * 65},
        {"pairs": (bytes(65), b"", b"")},
        {"version": "v" * 257},
        {"passives": ("p" * 257, "q", "r")},
        {"context": bytes(1025)},
    ],
)
def test_terms_out_of_range_do_not_decode(changed):
    honest = told()
    assert decode(encode(honest), Narrowing) == honest
    names = Narrowing.__struct_fields__
    values = [changed.get(name, getattr(honest, name)) for name in names]
    with pytest.raises(RemoteProtocolError):
        decode(msgspec.msgpack.encode(["Narrowing", *values]), Narrowing)


EXAMPLES: list[Message] = [
    told(),
    told(common=None),
    OtherSignatures((bytes(64), bytes(64))),
    CommonPositions(bytes(12)),
]
BY_TYPE = pytest.mark.parametrize("example", EXAMPLES, ids=lambda m: type(m).__name__)


def decode_or_refuse(data: bytes, type_: type[Message]) -> None:
    """What decodes re-encodes to itself; only RemoteProtocolError escapes."""
    try:
        message = decode(data, type_)
    except RemoteProtocolError as error:
        assert type_.__name__ in str(error)  # noqa: PT017
        return
    assert encode(message) == data


@BY_TYPE
@given(data=st.binary(max_size=100))
@settings(max_examples=60, deadline=None)
def test_random_bytes_are_refused(example, data):
    decode_or_refuse(data, type(example))


@BY_TYPE
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_bit_flips_are_refused_or_another_message(example, data):
    encoded = bytearray(encode(example))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    decode_or_refuse(bytes(encoded), type(example))


@BY_TYPE
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_cut_and_trailing_bytes_are_refused(example, data):
    encoded = encode(example)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    for wrong in (encoded[:cut], encoded + data.draw(st.binary(min_size=1, max_size=8))):
        with pytest.raises(RemoteProtocolError):
            decode(wrong, type(example))


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_mutated_message_is_refused_or_positions_stay_among_the_shared(data):
    target = data.draw(st.sampled_from([Narrowing, OtherSignatures, CommonPositions]))

    def mutate(message):
        encoded = bytearray(encode(message))
        encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
        try:
            return decode(bytes(encoded), target)
        except RemoteProtocolError:
            return message

    try:
        results, _ = job.narrow(PAIRS, liar="bank", alter=changing(target, mutate))
    except (RemoteProtocolError, Deadlock):
        return
    for passive in PAIRS:
        shared = set(PAIRS[passive][1].positions)
        assert len(results[passive].positions) == 3
        assert set(results[passive].positions) <= shared
