"""A second implementation of the gm channel, from SPEC.md §3, both parties at once.

It uses nothing of ``protocols``: SM2, SM3 and the streams are those of
``tests.protocols.suite.plain_gm``, SM4 is gmssl's, GCM and MessagePack are written by hand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from gmssl import sm4 as gmssl_sm4

from tests.protocols.psi_ecdh.plain_protocol import pack
from tests.protocols.suite import plain_gm

VERSION = "fedcrm-gm-channel/1"


@dataclass(frozen=True)
class PlainParty:
    name: str
    private_key: bytes
    certificate_digest: bytes
    seed: bytes


@dataclass(frozen=True)
class PlainHandshake:
    messages: dict[str, list[bytes]]
    sending: dict[str, bytes]


def message(name: str, *fields: object) -> bytes:
    return bytes([0x91 + len(fields)]) + b"".join(map(pack, (name, *fields)))


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


class PlainGcm:
    """SM4-GCM with a 12-byte nonce, NIST SP 800-38D §6 and §7, one bit at a time."""

    def __init__(self, key: bytes) -> None:
        self.cipher = gmssl_sm4.CryptSM4()
        self.cipher.set_key(key, gmssl_sm4.SM4_ENCRYPT)
        self.hash_key = int.from_bytes(self.block(bytes(16)), "big")

    def block(self, block: bytes) -> bytes:
        return bytes(self.cipher.one_round(self.cipher.sk, list(block)))

    def multiply(self, x: int, y: int) -> int:
        product = 0
        for bit in range(127, -1, -1):
            if x >> bit & 1:
                product ^= y
            y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
        return product

    def seal(self, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        ciphertext = b""
        for number, start in enumerate(range(0, len(plaintext), 16), 2):
            stream = self.block(nonce + number.to_bytes(4, "big"))
            chunk = plaintext[start : start + 16]
            ciphertext += bytes(a ^ b for a, b in zip(chunk, stream, strict=False))
        hashed = 0
        padded = b"".join(part + bytes(-len(part) % 16) for part in (associated, ciphertext))
        padded += (8 * len(associated)).to_bytes(8, "big") + (8 * len(ciphertext)).to_bytes(
            8, "big"
        )
        for start in range(0, len(padded), 16):
            hashed = self.multiply(
                hashed ^ int.from_bytes(padded[start : start + 16], "big"), self.hash_key
            )
        mask = int.from_bytes(self.block(nonce + (1).to_bytes(4, "big")), "big")
        return ciphertext + (hashed ^ mask).to_bytes(16, "big")


def run(
    initiator: PlainParty, responder: PlainParty, spec_digest: bytes, attempt: int
) -> PlainHandshake:
    parties = {"initiator": initiator, "responder": responder}

    def derive(key: bytes, purpose: str, length: int, digest: bytes = b"") -> bytes:
        info = f"{VERSION} {purpose}".encode() + (b" " + digest if digest else b"")
        return plain_gm.hkdf(key, info, length)

    scalar, public, nonce = {}, {}, {}
    for part, party in parties.items():
        inner = derive(party.seed, "ephemeral key", 32)
        scalar[part] = 1 + plain_gm.Stream(inner, b"sm2 agreement key").below(plain_gm.N - 2)
        public[part] = plain_gm.public_key(scalar[part].to_bytes(32, "big"))
        nonce[part] = derive(party.seed, "nonce", 32)
    peer_key = public["responder"]
    point = int.from_bytes(peer_key[1:33], "big"), int.from_bytes(peer_key[33:], "big")
    product = plain_gm.multiply(scalar["initiator"], point)
    assert product is not None
    secret = product[0].to_bytes(32, "big")

    opening = {
        "version": VERSION,
        "suite": "gm",
        "initiator_key": public["initiator"].hex(),
        "initiator_nonce": nonce["initiator"].hex(),
        "responder_key": public["responder"].hex(),
        "responder_nonce": nonce["responder"].hex(),
    }
    transcript = opening | {
        "spec_digest": spec_digest.hex(),
        "attempt": attempt,
        "initiator": initiator.name,
        "responder": responder.name,
        "initiator_certificate": initiator.certificate_digest.hex(),
        "responder_certificate": responder.certificate_digest.hex(),
    }
    opening_digest = plain_gm.sm3(compact(opening))
    transcript_digest = plain_gm.sm3(compact(transcript))
    mac_key = derive(secret, "confirmation", 32, opening_digest)

    sealed, sending = {}, {}
    for part, party in parties.items():
        proved = b"fedcrm/gm-channel/v1\0" + part.encode() + b"\0" + compact(transcript)
        entropy = derive(party.seed, "signature entropy", 32)
        proof = message(
            "ChannelProof",
            party.name,
            spec_digest,
            attempt,
            plain_gm.sign(party.private_key, proved, entropy),
            plain_gm.hmac(mac_key, proved),
        )
        key = derive(secret, f"{part} proof", 16, opening_digest)
        sealed[part] = PlainGcm(key).seal(bytes(12), proof, b"")
        sending[party.name] = derive(secret, f"{part} records", 32, transcript_digest)
    return PlainHandshake(
        messages={
            initiator.name: [
                message("ChannelOffer", VERSION, "gm", public["initiator"], nonce["initiator"]),
                message("ChannelConfirmation", sealed["initiator"]),
            ],
            responder.name: [
                message(
                    "ChannelAnswer", public["responder"], nonce["responder"], sealed["responder"]
                )
            ],
        },
        sending=sending,
    )


def record(secret: bytes, number: int, kind: int, payload: bytes) -> bytes:
    """Record ``number`` (from 0) of a direction, with as many changes of key as it takes."""
    for _ in range(number // 65536):
        secret = plain_gm.hkdf(secret, f"{VERSION} record next".encode(), 32)
    key = plain_gm.hkdf(secret, f"{VERSION} record key".encode(), 16)
    iv = plain_gm.hkdf(secret, f"{VERSION} record iv".encode(), 12)
    nonce = (int.from_bytes(iv, "big") ^ number % 65536).to_bytes(12, "big")
    return bytes([kind]) + PlainGcm(key).seal(nonce, payload, bytes([kind]))
