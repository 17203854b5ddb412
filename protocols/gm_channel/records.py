"""The gm channel's records: authenticated encryption of a stream of payloads, in order, to its end.

The construction is that of TLS 1.3, RFC 8446 (August 2018): the nonce of a record is the key's IV
xor the record's number (§5.3), the next key comes from a secret that replaces its predecessor
(§7.2). No number travels: a record that was changed, repeated, moved, or whose predecessor is
missing does not open, and the channel is over.
"""

from __future__ import annotations

from typing import NoReturn

from protocols.errors import LocalProtocolError, VerifyError
from protocols.gm_channel.messages import VERSION
from protocols.suite import OpenError, Suite

MAX_RECORD_BYTES = (1 << 20) + 4096
OVERHEAD_BYTES = 1 + 16
"""The kind of record, and the tag."""
MAX_PAYLOAD_BYTES = MAX_RECORD_BYTES - OVERHEAD_BYTES
REKEY_RECORDS = 1 << 16
"""A key's records: with the longest ones 2^32 blocks, which leaves a distinguisher 2^-65."""

_DATA, _CLOSE = b"\x01", b"\x02"


class _Key:
    """One direction's present key; it moves on by itself."""

    def __init__(self, suite: Suite, secret: bytes) -> None:
        self._suite = suite
        self._take(secret)

    def next_nonce(self) -> tuple[bytes, bytes]:
        """Return the key and nonce of the next record."""
        if self._number == REKEY_RECORDS:
            # The old secret is forgotten: whoever learns the new one cannot go back.
            self._take(self._derive("next", len(self._secret)))
        nonce = (self._iv ^ self._number).to_bytes(self._suite.nonce_bytes, "big")
        self._number += 1
        return self._key, nonce

    def _take(self, secret: bytes) -> None:
        self._secret = secret
        self._key = self._derive("key", self._suite.key_bytes)
        self._iv = int.from_bytes(self._derive("iv", self._suite.nonce_bytes), "big")
        self._number = 0

    def _derive(self, purpose: str, length: int) -> bytes:
        info = f"{VERSION} record {purpose}".encode("ascii")
        return self._suite.derive(self._secret, info, length)


class RecordSealer:
    """Seals the payloads of one direction."""

    def __init__(self, suite: Suite, secret: bytes) -> None:
        self._suite = suite
        self._key = _Key(suite, secret)
        self._closed = False

    def seal(self, payload: bytes) -> bytes:
        """Return the record of ``payload``."""
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise LocalProtocolError(
                f"a payload of {len(payload)} bytes; at most {MAX_PAYLOAD_BYTES}"
            )
        return self._seal(_DATA, payload)

    def close(self) -> bytes:
        """Return the record that says that nothing follows."""
        record = self._seal(_CLOSE, b"")
        self._closed = True
        return record

    def _seal(self, kind: bytes, payload: bytes) -> bytes:
        if self._closed:
            raise LocalProtocolError("the channel was closed; nothing can follow")
        key, nonce = self._key.next_nonce()
        return kind + self._suite.seal(key, nonce, payload, kind)


class RecordOpener:
    """Opens the records of one direction, each once and in order; one failure is the end."""

    def __init__(self, suite: Suite, secret: bytes) -> None:
        self._suite = suite
        self._key = _Key(suite, secret)
        self._over = ""
        self.ended = False
        """Whether the peer's last record came: without it, the stream was cut."""

    def open(self, record: bytes) -> bytes | None:
        """Return the payload, or None for the record that closes the channel.

        Raises :class:`VerifyError`, then and for every record after it.
        """
        if self._over:
            raise VerifyError(self._over)
        kind = record[:1]
        if not OVERHEAD_BYTES <= len(record) <= MAX_RECORD_BYTES or kind not in (_DATA, _CLOSE):
            self._fail("not a record of the gm channel")
        key, nonce = self._key.next_nonce()
        try:
            payload = self._suite.open(key, nonce, record[1:], kind)
        except OpenError:
            self._fail("a record was changed, repeated or moved, or one before it is missing")
        if kind == _DATA:
            return payload
        if payload:
            self._fail("not a record of the gm channel")
        self.ended = True
        self._over = "a record after the one that closed the channel"
        return None

    def _fail(self, reason: str) -> NoReturn:
        self._over = f"{reason}; the channel is over"
        raise VerifyError(self._over)
