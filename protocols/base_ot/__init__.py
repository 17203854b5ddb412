"""Base oblivious transfers of random keys, on the suite's group of points (Naor and Pinkas 2001).

The Sender ends with pairs of keys, the Receiver with the key of each pair that its choice bit
names. SPEC.md states messages, parameters, who learns what, and what is not protected against.
"""

from __future__ import annotations

from protocols.base_ot.messages import VERSION, ReceiverPoints, SenderPoints
from protocols.base_ot.receiver import receiver
from protocols.base_ot.sender import sender

__all__ = ["VERSION", "ReceiverPoints", "SenderPoints", "receiver", "sender"]
