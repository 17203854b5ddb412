"""What is refused in a secure aggregation, each kind by its own name.

Every one is a :class:`~protocols.errors.RemoteProtocolError`; ``party`` is filled in where one
party's keys, bundle, signature or secret is what is wrong. SPEC.md §6 says what each means for
the job.
"""

from __future__ import annotations

from protocols.errors import RemoteProtocolError, VerifyError


class TooFew(RemoteProtocolError):
    """Fewer members, contributors, signatures or shares than the terms ask for."""


class StaleSum(RemoteProtocolError):
    """A message of another sum, another epoch, another spec or another attempt."""


class WrongRoster(RemoteProtocolError):
    """A roster that is not one: strangers, repetitions, missing or misshapen keys."""


class AlteredAdvertisement(VerifyError):
    """A roster in which this party's own advertisement is missing or is not what it signed."""


class WrongSignature(VerifyError):
    """A signature that is not of the party in whose name it comes."""


class WrongBundle(VerifyError):
    """Sealed shares that do not open as what their sender sealed for this party."""


class WrongContribution(VerifyError):
    """A contribution that does not fit its signed note, or a note that does not fit the sum."""


class WrongList(RemoteProtocolError):
    """A list of contributors that leaves somebody out, invents somebody or is about other work."""


class SecondList(VerifyError):
    """Another list of contributors for a sum than the one this party stands by."""


class RepeatedSum(RemoteProtocolError):
    """A list that differs in a few parties from an earlier one for the same work."""


class WrongShare(VerifyError):
    """Shares that do not give the secret their owner committed to.

    ``party`` is that owner; the fault is its or that of somebody who revealed a share.
    """


class WrongTotal(VerifyError):
    """Added ciphertexts that are not what the contributors signed, or a sum out of range."""
