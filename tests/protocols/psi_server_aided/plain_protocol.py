"""A second implementation of the whole protocol, from SPEC.md §3 and §4, coordinator included.

It computes all three at once and uses nothing of ``protocols``: SM2, SM3 and the streams are those
of ``tests.protocols.suite.plain_gm``, SM4 is gmssl's, and MessagePack is written by hand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from gmssl import sm4 as gmssl_sm4

from tests.protocols.plain_suites import pack
from tests.protocols.suite import plain_gm

VERSION = "fedcrm-psi-server-aided/1"


@dataclass(frozen=True)
class PlainParty:
    name: str
    private_key: bytes
    key_seed: bytes
    seed: bytes
    items: list[bytes]


@dataclass(frozen=True)
class PlainRun:
    key_messages: dict[str, list[bytes]]
    keys: dict[str, bytes]
    token_lists: dict[str, bytes]
    answers: dict[str, bytes]
    messages: dict[str, list[bytes]]
    positions: dict[str, list[int]]
    statement: bytes
    signatures: dict[str, bytes]


def message(name: str, *fields: object) -> bytes:
    packed = [pack(name)]
    for field in fields:
        packed.append(bytes([0xC2 + field]) if isinstance(field, bool) else pack(field))
    return bytes([0x90 + len(packed)]) + b"".join(packed)


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def sm4(key: bytes, block: bytes) -> bytes:
    cipher = gmssl_sm4.CryptSM4()
    cipher.set_key(key, gmssl_sm4.SM4_ENCRYPT)
    return bytes(cipher.one_round(cipher.sk, list(block)))


def ephemeral(seed: bytes) -> tuple[int, bytes]:
    inner = plain_gm.hkdf(seed, f"{VERSION} ephemeral key".encode(), 32)
    scalar = 1 + plain_gm.Stream(inner, b"sm2 agreement key").below(plain_gm.N - 2)
    return scalar, plain_gm.public_key(scalar.to_bytes(32, "big"))


def agree(
    parties: list[PlainParty], context: bytes
) -> tuple[dict[str, list[bytes]], dict[str, bytes]]:
    """Return each party's messages, and the keys, of the first (initiator) and the second."""
    first, second = parties
    secrets = [ephemeral(party.key_seed) for party in parties]
    (scalar, _), (_, peer_key) = secrets
    point = int.from_bytes(peer_key[1:33], "big"), int.from_bytes(peer_key[33:], "big")
    product = plain_gm.multiply(scalar, point)
    assert product is not None
    shared = product[0].to_bytes(32, "big")
    transcript = compact(
        {
            "version": VERSION,
            "suite": "gm",
            "context": context.hex(),
            "initiator": first.name,
            "responder": second.name,
            "initiator_key": secrets[0][1].hex(),
            "responder_key": secrets[1][1].hex(),
        }
    )
    digest = plain_gm.sm3(transcript)

    def key(purpose: str, length: int) -> bytes:
        return plain_gm.hkdf(shared, f"{VERSION} {purpose} ".encode() + digest, length)

    proofs = []
    for party, part in ((first, b"initiator"), (second, b"responder")):
        proved = b"fedcrm/psi-token-keys/v1\0" + part + b"\0" + transcript
        entropy = plain_gm.hkdf(party.key_seed, f"{VERSION} signature entropy".encode(), 32)
        proofs.append(
            (
                plain_gm.sign(party.private_key, proved, entropy),
                plain_gm.hmac(key("key confirmation", 32), proved),
            )
        )
    offer = message("KeyOffer", VERSION, "gm", first.name, second.name, context, secrets[0][1])
    messages = {
        first.name: [offer, message("KeyConfirmation", *proofs[0])],
        second.name: [message("KeyAnswer", secrets[1][1], *proofs[1])],
    }
    keys = {"token": key("token", 16), "hash": key("hash", 32), "match": key("matches", 32)}
    return messages, keys


def run(parties: list[PlainParty], context: bytes, floor: int) -> PlainRun:
    first, second = parties
    other = {first.name: second, second.name: first}
    key_messages, keys = agree(parties, context)

    token_of, ordered, lists = {}, {}, {}
    for party in parties:
        token_of[party.name] = [
            sm4(keys["token"], plain_gm.hmac(keys["hash"], item)[:16]) for item in party.items
        ]
        ordered[party.name] = sorted(token_of[party.name])
        peer = other[party.name].name
        joined = b"".join(ordered[party.name])
        lists[party.name] = message("TokenList", VERSION, party.name, peer, context, joined)

    shared = sorted(set(ordered[first.name]) & set(ordered[second.name]))
    opened = len(shared) >= floor
    sizes = {party.name: len(party.items) for party in parties}
    statement = compact(
        {
            "version": VERSION,
            "suite": "gm",
            "context": context.hex(),
            "sizes": sizes,
            "floor": floor,
            "opened": opened,
            "intersection": len(shared) if opened else None,
            "transcript": plain_gm.sm3(
                (16 * len(shared)).to_bytes(8, "big") + b"".join(shared)
            ).hex()
            if opened
            else None,
        }
    )

    answers, messages, positions, signatures = {}, {}, {}, {}
    for party in parties:
        name, peer = party.name, other[party.name].name
        bits = "".join("1" if token in shared else "0" for token in ordered[name])
        bits += "0" * (-len(bits) % 8)
        bitmap = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
        answers[name] = message(
            "MatchAnswer",
            VERSION,
            context,
            sizes[name],
            sizes[peer],
            opened,
            bitmap if opened else b"",
        )
        entropy = plain_gm.Stream(party.seed, b"fedcrm/countersign/v1").bytes(32)
        signatures[name] = plain_gm.sign(
            party.private_key, b"fedcrm/psi-matches/v1\0" + statement, entropy
        )
        proof = plain_gm.hmac(
            keys["match"], len(name).to_bytes(4, "big") + name.encode() + statement
        )
        terms = (VERSION, "gm", name, peer, context, floor, sizes[name], opened)
        messages[name] = [
            message("MatchTerms", *terms),
            message("MatchesMac", proof),
            message("StatementSignature", signatures[name]),
        ]
        positions[name] = [token_of[name].index(token) for token in shared] if opened else []
    return PlainRun(key_messages, keys, lists, answers, messages, positions, statement, signatures)
