"""What the parties' sides of BFV and CKKS have in common: a TenSEAL context and its one secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.errors import DecodeError, LocalProtocolError
from protocols.sum_ciphers.interface import Method, check_contributions
from protocols.sum_ciphers.ring import (
    CHUNK_CIPHERTEXTS,
    CIPHERTEXT_BYTES,
    COEFFICIENT_BITS,
    DEGREE,
    MODULUS,
    SPECIAL_MODULUS,
    check_ciphertexts,
)
from protocols.sum_ciphers.seal_bytes import SealFrame, field, packed_field, saved_object

SECRET_BYTES = 2 * DEGREE * 8
"""The secret polynomial modulo q and modulo the second prime, as SEAL keeps it."""

_CIPHERTEXT_FIELDS = 97  # parameters' digest, form, sizes, scale; a header and a count
_SECRET_FIELDS = 72
_ENCRYPTION_TYPE_BYTES = 2  # the context's last field: symmetric


@dataclass(frozen=True, slots=True)
class ContextForm:
    """What all contexts of a scheme have in common: parameters and frames, no key."""

    parameters: bytes
    secret: SealFrame
    ciphertext: SealFrame

    @classmethod
    def of(cls, context: Any, vector: Any) -> ContextForm:
        """Return the form of a context made by :func:`new_context`."""
        sample = saved_object(vector(context.data, [0]).serialize())
        return cls(
            _serialized(context, secret=False),
            SealFrame.of(_saved_secret(context), _SECRET_FIELDS, SECRET_BYTES)[0],
            SealFrame.of(sample, _CIPHERTEXT_FIELDS, CIPHERTEXT_BYTES)[0],
        )

    def secret_of(self, context: Any) -> bytes:
        """Return the residues of a context's secret key."""
        return self.secret.take_apart(_saved_secret(context), SECRET_BYTES)

    def context_with(self, secret: bytes) -> Any:
        """Return a context with this secret key.

        Raises :class:`DecodeError` for what cannot be a key's residues. That the polynomial is
        small cannot be seen from them: whoever makes a key can make a bad one.
        """
        import tenseal  # noqa: PLC0415 - slow to load, and only parties of such a job need it

        if len(secret) != SECRET_BYTES:
            raise DecodeError(f"secret key is not {SECRET_BYTES} bytes")
        residues = np.frombuffer(secret, "<u8").reshape(2, DEGREE)
        if not (residues < np.array([[MODULUS], [SPECIAL_MODULUS]], np.uint64)).all():
            raise DecodeError("secret key has a residue that is not below its modulus")
        private = field(3, field(1, self.secret.put_together(secret)))
        return tenseal.context_from(self.parameters + private, n_threads=1)


class RingCipher:
    """Encrypts blocks of ``slots`` words with a context's secret key; TenSEAL does the work.

    Symmetric: every party of the job holds the secret key, so a public one would only add noise
    and time. ``vector`` is TenSEAL's class of ciphertexts, ``scale`` the last field of its
    messages.
    """

    method: Method
    slots: int
    dtype: type[np.int64] | type[np.float64]
    """What a slot holds."""

    def __init__(self, form: ContextForm, secret: bytes, vector: Any, scale: bytes) -> None:
        self._context = form.context_with(secret)
        self._frame, self._vector, self._scale = form.ciphertext, vector, scale

    @property
    def chunk_words(self) -> int:
        """Words in each chunk but the last."""
        return self.slots * CHUNK_CIPHERTEXTS

    def _encrypt_blocks(self, values: npt.NDArray[Any]) -> list[bytes]:
        """Return ciphertexts of the values, 64 to a chunk; the last block is filled with zeros."""
        missing = -len(values) % self.slots
        blocks = np.pad(values, (0, missing)).reshape(-1, self.slots)
        return [
            b"".join(map(self._encrypt_block, blocks[start : start + CHUNK_CIPHERTEXTS]))
            for start in range(0, len(blocks), CHUNK_CIPHERTEXTS)
        ]

    def _encrypt_block(self, values: npt.NDArray[Any]) -> bytes:
        # Lists are all that TenSEAL takes; its own wrapper would turn this one into an array, a
        # list, a vector and a list again before it gets here.
        message = self._vector(self._context.data, values.tolist()).serialize()
        return self._frame.take_apart(saved_object(message), CIPHERTEXT_BYTES)

    def _decrypt_blocks(
        self, chunks: Sequence[bytes], contributions: int, length: int
    ) -> npt.NDArray[Any]:
        """Return the values of all ciphertexts, ``dtype``; raises ``RemoteProtocolError``."""
        check_contributions(contributions)
        check_ciphertexts(chunks, length=length, slots=self.slots)
        ciphertexts = [
            chunk[start : start + CIPHERTEXT_BYTES]
            for chunk in chunks
            for start in range(0, len(chunk), CIPHERTEXT_BYTES)
        ]
        values = np.empty((len(ciphertexts), self.slots), self.dtype)
        for row, residues in zip(values, ciphertexts, strict=True):
            row[:] = self._decrypt_block(residues)
        return values.reshape(-1)[:length]

    def _decrypt_block(self, residues: bytes) -> list[Any]:
        saved = self._frame.put_together(residues)
        message = packed_field(1, self.slots) + field(2, saved) + self._scale
        values: list[Any] = self._vector(self._context.data, message).decrypt()
        return values


def new_context(**arguments: Any) -> Any:
    """Return a TenSEAL context with a fresh secret key.

    The key is drawn inside SEAL, from its own generator (SPEC.md §4).
    """
    import tenseal  # noqa: PLC0415

    return tenseal.context(
        poly_modulus_degree=DEGREE,
        coeff_mod_bit_sizes=list(COEFFICIENT_BITS),
        encryption_type=tenseal.ENCRYPTION_TYPE.SYMMETRIC,
        n_threads=1,
        **arguments,
    )


def _saved_secret(context: Any) -> bytes:
    """Return the secret key as SEAL saved it: what is in one serialisation and not in the other."""
    without, whole = _serialized(context, secret=False), _serialized(context, secret=True)
    cut = len(without) - _ENCRYPTION_TYPE_BYTES
    if whole[:cut] != without[:cut] or whole[-_ENCRYPTION_TYPE_BYTES:] != without[cut:]:
        raise LocalProtocolError("TenSEAL wrote a context in a form this release cannot read")
    return saved_object(whole[cut:])


def _serialized(context: Any, *, secret: bool) -> bytes:
    data: bytes = context.serialize(
        save_public_key=False,
        save_secret_key=secret,
        save_galois_keys=False,
        save_relin_keys=False,
    )
    return data
