"""Whatever bytes a peer sends, a decoder returns a message or raises ``RemoteProtocolError``.

Every message of every protocol is found, not listed. Values of the right shape are drawn, encoded
and then cut, flipped, swapped and stretched, because noise alone never gets past the first byte.
``FEDCRM_FUZZ_S`` says for how many seconds; ``FEDCRM_FUZZ_SEED`` repeats a failure.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import time
from collections.abc import Callable, Iterator
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
import pytest

import protocols
from party_node.peer_channel.frames import decode_frame
from protocols.errors import RemoteProtocolError
from protocols.gm_channel import RecordOpener
from protocols.session.approval import decode_approvals
from protocols.session.job_spec import decode_spec
from protocols.session.psi_spec import decode_psi_spec, decode_psi_terms
from protocols.suite import get_suite
from protocols.wire import Message, decode

SECONDS = float(os.environ.get("FEDCRM_FUZZ_S", "8"))
SEED = os.environ.get("FEDCRM_FUZZ_SEED", "")


def message_types() -> list[type[Message]]:
    """Every message type of the protocols."""
    for module in pkgutil.walk_packages(protocols.__path__, "protocols."):
        if not module.name.startswith("protocols.kernels"):
            importlib.import_module(module.name)
    found: list[type[Message]] = []
    waiting = list(Message.__subclasses__())
    while waiting:
        type_ = waiting.pop()
        waiting += type_.__subclasses__()
        if type_.__module__.startswith("protocols."):
            found.append(type_)
    return sorted(found, key=lambda type_: (type_.__module__, type_.__name__))


class Dice:
    """Draws from a seeded stream: a failure can be repeated."""

    def __init__(self, seed: bytes) -> None:
        self._stream = get_suite("intl").stream(seed, b"fuzz")

    def below(self, bound: int) -> int:
        return self._stream.below(bound)

    def octets(self, most: int) -> bytes:
        return self._stream.bytes(self.below(most + 1))

    def one_of(self, choices: Any) -> Any:
        return choices[self.below(len(choices))]


def value(dice: Dice, kind: Any) -> Any:
    """A value of the shape ``kind`` asks for, mostly; now and then of another."""
    if dice.below(40) == 0:
        kind = dice.one_of([int, bytes, str, bool, NoneType, list[int]])
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return dice.one_of(arguments)
    if origin in (Union, UnionType):
        return value(dice, dice.one_of(arguments))
    if origin in (list, tuple):
        return [value(dice, arguments[0]) for _ in range(dice.below(4))]
    if origin is dict:
        return {value(dice, arguments[0]): value(dice, arguments[1]) for _ in range(dice.below(3))}
    if kind is bool:
        return bool(dice.below(2))
    if kind is int:
        return dice.one_of([0, 1, -1, 2**31, 2**53, 2**63 - 1, dice.below(1000)])
    if kind is bytes:
        return dice.one_of([b"", bytes(32), dice.octets(8), dice.octets(200)])
    if kind is str:
        return dice.one_of(["", "gm", "bank", "é\u0000", "x" * dice.below(300)])
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [value(dice, field.type) for field in msgspec.structs.fields(kind)]
    return None


def mutated(dice: Dice, data: bytes) -> bytes:
    """The bytes with a few changes, or none."""
    changed = bytearray(data)
    for _ in range(dice.below(4)):
        place = dice.below(len(changed) + 1)
        match dice.below(5):
            case 0 if place < len(changed):
                changed[place] ^= 1 << dice.below(8)
            case 1:
                del changed[place:]
            case 2:
                changed[place:place] = dice.octets(6)
            case 3:
                other = dice.below(len(changed) + 1)
                changed[place:other] = b""
            case _:
                changed += changed[: dice.below(20)]
    return bytes(changed)


def drawn(dice: Dice, type_: type[Message]) -> bytes:
    """Something like an encoding of ``type_``."""
    fields = [value(dice, field.type) for field in msgspec.structs.fields(type_)]
    if dice.below(20) == 0:
        fields = fields[:-1] if dice.below(2) else [*fields, 0]
    return mutated(dice, msgspec.msgpack.encode([type_.__name__, *fields]))


def decoders(dice: Dice) -> Iterator[tuple[str, Callable[[bytes], Any]]]:
    """The decoders that take bytes from outside and are no message's."""
    for name in ("gm", "intl"):
        opener = RecordOpener(get_suite(name), bytes(32))
        yield f"record of the {name} channel", opener.open
    yield "frame of the peer channel", decode_frame
    yield "approvals", decode_approvals
    yield "job spec", decode_spec
    yield "PSI spec", decode_psi_spec
    yield "PSI terms", decode_psi_terms


def test_there_are_messages_to_try() -> None:
    types = message_types()
    assert len(types) > 50
    assert len({type_.__module__ for type_ in types}) > 10


@pytest.mark.parametrize("part", ["messages", "other decoders"])
def test_hostile_bytes_raise_one_error_only(part: str) -> None:
    seed = bytes.fromhex(SEED) if SEED else os.urandom(32)
    dice, types = Dice(seed), message_types()
    ends, tried, accepted = time.monotonic() + SECONDS / 2, 0, 0
    while time.monotonic() < ends:
        if part == "messages":
            rounds = [
                (type_.__name__, lambda data, t=type_: decode(data, t), drawn(dice, type_))
                for type_ in types
            ]
        else:
            sample = drawn(dice, dice.one_of(types))
            text = mutated(dice, b'{"version":"fedcrm-psi/1","rows":1,"key":{"kinds":["phone"]}}')
            rounds = [
                (name, call, data)
                for name, call in decoders(dice)
                for data in (sample, text, bytes([dice.below(6)]) + sample)
            ]
        for name, call, data in rounds:
            tried += 1
            try:
                call(data)
                accepted += 1
            except RemoteProtocolError:
                continue
            except Exception as error:  # noqa: BLE001
                pytest.fail(f"{name}: {type(error).__name__}; FEDCRM_FUZZ_SEED={seed.hex()}")
    assert tried > 1000
    assert part != "messages" or accepted > tried // 200
