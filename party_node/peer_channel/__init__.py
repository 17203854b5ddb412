"""The data plane between two parties: numbered messages over whatever transport connects them."""

from party_node.peer_channel.link import PeerLink, Session
from party_node.peer_channel.transport import Connection, ConnectionLost, Dialer

__all__ = ["Connection", "ConnectionLost", "Dialer", "PeerLink", "Session"]
