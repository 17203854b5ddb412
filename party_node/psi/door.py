"""How this side is reached and recognised: TLS with pinned certificates, or loopback for a lab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from audit.key_files import KeyFileError
from party_node.errors import NodeError
from party_node.peer_channel.certificates import (
    Identity,
    PeerIdentity,
    load_identity,
    load_peer,
)
from party_node.peer_channel.plain import PlainDialer, PlainListener
from party_node.peer_channel.secure import SecureDialer
from party_node.peer_channel.tcp import parse_address
from party_node.psi.meeting import Dialer
from party_node.psi.options import PsiOptions
from protocols.suite import get_suite

_LAB_SEED = b"fedcrm --lab: a key for nobody, "


@dataclass(frozen=True)
class Door:
    """Who stands here, who is expected, and how they reach each other."""

    name: str
    public_key: bytes
    private_key: bytes = field(repr=False)
    certificate: str
    """Hex digest of the own TLS certificate; empty with ``--lab``."""
    peer_name: str
    peer_key: bytes | None
    peer_certificate: str | None
    dialer: Dialer


def open_door(options: PsiOptions, say: Callable[[str], None]) -> Door:
    """Load identity and pinned peer, and listen or get ready to connect.

    Raises :class:`NodeError`: unreadable keys, another suite, an unusable address.
    """
    if options.lab:
        return _lab_door(options, say)
    assert options.identity is not None
    assert options.peer is not None
    try:
        identity, peer = load_identity(options.identity), load_peer(options.peer)
    except KeyFileError as error:
        raise NodeError(str(error), "make an identity with `fedcrm psi keygen`") from None
    _check_suites(options, identity, peer, options.peer)
    try:
        dialer = _secure_dialer(options, identity, peer, say)
    except KeyFileError as error:
        raise NodeError(str(error), "an identity's folder is used whole, as it was made") from None
    return Door(
        name=identity.name,
        public_key=identity.public_key,
        private_key=identity.signing_key,
        certificate=identity.certificate_digest.hex(),
        peer_name=peer.name,
        peer_key=peer.public_key,
        peer_certificate=peer.certificate_digest.hex(),
        dialer=dialer,
    )


def _check_suites(
    options: PsiOptions, identity: Identity, peer: PeerIdentity, peer_file: Path
) -> None:
    for whose, found in ((f"the identity in {options.identity}", identity), (str(peer_file), peer)):
        if found.suite.name != options.suite:
            raise NodeError(
                f"{whose} is of suite {found.suite.name}, the run of {options.suite}",
                f"add --suite {found.suite.name} on both sides, or make other identities",
            )
    if identity.public_key == peer.public_key:
        raise NodeError(
            f"{peer_file} is this side's own identity", "name the other side's with --peer"
        )


def _secure_dialer(
    options: PsiOptions, identity: Identity, peer: PeerIdentity, say: Callable[[str], None]
) -> SecureDialer:
    """Listen or get ready to connect; the spec is negotiated inside the channel."""
    listens = options.listen is not None
    where = options.listen if listens else options.connect
    assert where is not None
    address = parse_address(where)
    dialer = SecureDialer(
        address, identity, peer, listens=listens, spec_digest=b"", attempt=0, on_refused=say
    )
    if listens:
        say(f"listening on {address} for {peer.name}, {_short(peer)}")
    else:
        say(f"connecting to {peer.name} at {address}, {_short(peer)}")
    return dialer


def _lab_door(options: PsiOptions, say: Callable[[str], None]) -> Door:
    """Return a door without locks, on this machine only: the keys are no secret to anyone."""
    names = {"receiver": "lab-receiver", "sender": "lab-sender"}
    name = names[options.role]
    peer = names["sender" if options.role == "receiver" else "receiver"]
    seed = _LAB_SEED + (b"R" if options.role == "receiver" else b"S")
    private_key, public_key = get_suite(options.suite).generate_signing_key(seed)
    dialer: PlainListener | PlainDialer
    if options.listen is not None:
        dialer = PlainListener(parse_address(options.listen), peer, on_refused=say)
    else:
        assert options.connect is not None
        dialer = PlainDialer(parse_address(options.connect), peer)
    return Door(name, public_key, private_key, "", peer, None, None, dialer)


def _short(peer: PeerIdentity) -> str:
    """Return the beginning of the fingerprint: enough to see which file was named."""
    return f"fingerprint {' '.join(peer.fingerprint.split()[:4])} …"
