"""Key setup of an epoch, the parties' part: rounds AdvertiseKeys and ShareKeys, SPEC.md §3.1-2.

K. Bonawitz et al., "Practical Secure Aggregation for Privacy-Preserving Machine Learning", CCS
2017, Figure 4, rounds 0 and 1; here for several sums at once, and with shares of the mask keys'
seeds in place of the keys (SPEC.md §8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.secure_aggregation import shamir
from protocols.secure_aggregation.epoch import (
    SECRET_BYTES,
    EpochKeys,
    EpochShares,
    EpochTerms,
    Roster,
    group_key_commitment,
    roster_digest,
    seed_commitment,
    sharers_digest,
)
from protocols.secure_aggregation.messages import (
    DIGEST_BYTES,
    KEYS_PREFIX,
    VERSION,
    KeyAdvertisement,
    ShareBundle,
    SignedAdvertisement,
)
from protocols.secure_aggregation.refusals import (
    AlteredAdvertisement,
    StaleSum,
    TooFew,
    WrongBundle,
    WrongRoster,
    WrongSignature,
)
from protocols.secure_aggregation.sealing import framed, seal, unseal
from protocols.suite import InvalidElement, OpenError, Suite
from protocols.wire import decode, encode

Polynomials: TypeAlias = list[tuple[list[int], list[int]]]
"""Of each sum's self-mask seed and of its mask key's seed: their coefficients."""
_LABEL = VERSION.encode("ascii")
_MAX_KEY_BYTES = 65


def advertise(
    terms: EpochTerms, *, party: str, suite: Suite, private_key: bytes, seed: bytes
) -> tuple[EpochKeys, SignedAdvertisement]:
    """Make the party's keys of an epoch and sign their public halves.

    ``seed`` is 32 fresh secret bytes, used for this epoch only; ``private_key`` is the party's
    signature key. The keys are to be kept, sealed, before the advertisement leaves.
    """
    if party not in terms.parties:
        raise LocalProtocolError("only a party of the epoch's terms takes part in it")
    if len(seed) != SECRET_BYTES:
        raise LocalProtocolError(f"seed must be {SECRET_BYTES} bytes")
    digest = terms.digest(suite)
    root = EpochKeys(digest, seed, bytes(SECRET_BYTES), ())
    sealing_private, sealing_key = suite.agreement_key(root.derive("sealing key", 0, suite))
    numbers = range(terms.first, terms.first + terms.sums) if terms.masked else range(0)
    pairs = [suite.agreement_key(root.mask_key_seed(number, suite)) for number in numbers]
    commitments = tuple(
        seed_commitment(digest, party, number, root.self_mask_seed(number, suite), suite)
        for number in numbers
    )
    keys = EpochKeys(digest, seed, sealing_private, tuple(private for private, _ in pairs))
    mask_keys = tuple(public for _, public in pairs)
    group_commitment = group_key_commitment(digest, party, root.group_key(suite), suite)
    body = encode(
        KeyAdvertisement(digest, party, sealing_key, mask_keys, commitments, group_commitment)
    )
    entropy = root.derive("signature entropy", 0, suite)
    return keys, SignedAdvertisement(body, suite.sign(private_key, KEYS_PREFIX + body, entropy))


def read_advertisement(
    terms: EpochTerms, signed: SignedAdvertisement, suite: Suite
) -> KeyAdvertisement:
    """Return the advertisement in ``signed``, which fits the terms; its signature is not verified.

    Raises ``DecodeError``, :class:`StaleSum` for other terms, :class:`WrongRoster` for strangers
    and keys that are too many, too few or misshapen.
    """
    found = decode(signed.body, KeyAdvertisement)
    if found.terms != terms.digest(suite):
        raise StaleSum("an advertisement for other terms: another epoch, attempt or spec")
    if found.party not in terms.parties:
        raise WrongRoster("an advertisement of somebody who is no party of the epoch")
    sums = terms.sums if terms.masked else 0
    if not (
        len(found.mask_keys) == len(found.commitments) == sums
        and all(len(c) == DIGEST_BYTES for c in (*found.commitments, found.group_commitment))
        and all(1 <= len(key) <= _MAX_KEY_BYTES for key in (found.sealing_key, *found.mask_keys))
    ):
        raise WrongRoster("an advertisement with other keys than its terms ask for")
    return found


def check_roster(
    terms: EpochTerms,
    signed: Sequence[SignedAdvertisement],
    *,
    party: str,
    own: SignedAdvertisement,
    public_keys: Mapping[str, bytes],
    suite: Suite,
) -> Roster:
    """Return the roster of everybody's advertisements, each verified under its pinned key.

    ``public_keys`` are the signature keys this party pinned, by party id; ``own`` is what it
    advertised. Raises :class:`AlteredAdvertisement`, :class:`WrongSignature` with the party,
    :class:`WrongRoster`, :class:`StaleSum` or :class:`TooFew`.
    """
    found = [read_advertisement(terms, each, suite) for each in signed]
    members = [each.party for each in found]
    if members != sorted(set(members)):
        raise WrongRoster("a roster must name each member once, in ascending order")
    if party not in members or signed[members.index(party)].body != own.body:
        raise AlteredAdvertisement(
            "this party's own advertisement is not in the roster as it was signed"
        )
    if len(members) < terms.need:
        raise TooFew(f"a roster of {len(members)} members; at least {terms.need} must advertise")
    refused = suite.verify_each(
        [
            (public_keys[member], KEYS_PREFIX + each.body, each.signature)
            for member, each in zip(members, signed, strict=True)
        ]
    )
    if refused:
        raise WrongSignature("the keys are not signed by their party", party=members[refused[0]])
    return Roster(
        terms.digest(suite),
        roster_digest(terms.digest(suite), [each.body for each in signed], suite),
        tuple(members),
        tuple(each.sealing_key for each in found),
        tuple(each.mask_keys for each in found),
        tuple(each.commitments for each in found),
        found[0].group_commitment,
    )


def share(
    terms: EpochTerms, roster: Roster, keys: EpochKeys, *, party: str, suite: Suite, seed: bytes
) -> dict[str, bytes]:
    """Return the sealed bundle for each other member: shares of every sum's two secrets.

    The key maker's bundles carry the group key as well; without masks only the key maker has
    something to share, and everybody else returns nothing. ``seed`` is 32 fresh secret bytes.
    Raises :class:`WrongRoster` with the member whose sealing key is no key.
    """
    _check_own(terms, roster, keys, suite)
    makes_key = party == roster.key_maker
    if not (terms.masked or makes_key):
        return {}
    polynomials = _polynomials(terms, roster, keys, suite)
    secrets = _sealing_secrets(roster, keys, party, suite)
    group_key = keys.group_key(suite) if makes_key else b""
    bundles = {}
    for member, secret in secrets.items():
        bundle = _bundle_at(polynomials, roster.point(member), group_key)
        info = _bundle_info(roster, party, member)
        bundles[member] = seal(suite, secret, info, encode(bundle), seed)
    return bundles


def open_bundles(
    terms: EpochTerms,
    roster: Roster,
    keys: EpochKeys,
    bundles: Mapping[str, bytes],
    *,
    party: str,
    suite: Suite,
) -> EpochShares:
    """Open what the others sealed for this party. Whose bundles came are the sharers.

    The party's own id among ``bundles``, with nothing sealed, says that the coordinator has what
    this party sealed for the others; a member without that opens sums and helps to unmask, but
    contributes again in the next epoch. A bundle that does not open, or is none, leaves its sender
    among the sharers without a share here (``unreadable``): one bad bundle must not keep an honest
    party out. Raises :class:`WrongBundle` where the key maker's is such a one or did not come, or
    fewer than needed are readable; :class:`WrongRoster` for bundles of strangers or a key that is
    no key; :class:`TooFew`.
    """
    _check_own(terms, roster, keys, suite)
    if not set(bundles) <= set(roster.members):
        raise WrongRoster("a bundle of somebody who is no member of the roster")
    opened = _opened(terms, roster, keys, bundles, party, suite=suite)
    group_key = _group_key(roster, keys, opened, party, suite)
    if not terms.masked:
        return _shares(roster, roster.members, {}, group_key, suite)
    sharers = tuple(member for member in roster.members if member in bundles)
    if len(sharers) < terms.need:
        raise TooFew(f"{len(sharers)} members shared their secrets; at least {terms.need} must")
    if party in sharers:
        opened[party] = _bundle_at(_polynomials(terms, roster, keys, suite), roster.point(party))
    if len(opened) < terms.need:
        raise WrongBundle(
            f"{len(opened)} members' shares are readable; at least {terms.need} must be"
        )
    return _shares(roster, sharers, opened, group_key, suite)


def seal_for_group(
    roster: Roster, group_key: bytes, name: str, payload: bytes, *, suite: Suite, seed: bytes
) -> bytes:
    """Return ``payload`` sealed for whoever has the epoch's group key, such as a homomorphic key.

    It says nothing about who sealed it: any member can. ``name`` says what it is; ``seed`` is 32
    fresh secret bytes.
    """
    return seal(suite, group_key, _group_info(roster, name), payload, seed)


def open_for_group(
    roster: Roster, group_key: bytes, name: str, sealed: bytes, *, suite: Suite
) -> bytes:
    """Return what :func:`seal_for_group` sealed; raises :class:`WrongBundle` for anything else."""
    try:
        return unseal(suite, group_key, _group_info(roster, name), sealed)
    except OpenError:
        raise WrongBundle(f"{name}: not sealed under this epoch's group key") from None


def _check_own(terms: EpochTerms, roster: Roster, keys: EpochKeys, suite: Suite) -> None:
    if not keys.terms == roster.terms == terms.digest(suite):
        raise LocalProtocolError("keys or roster are of another epoch than these terms")


def _polynomials(terms: EpochTerms, roster: Roster, keys: EpochKeys, suite: Suite) -> Polynomials:
    """Return the polynomials of each sum's self-mask seed and mask key's seed.

    Their stream is bound to the roster: for another one they are others.
    """
    if not terms.masked:
        return []
    stream = suite.stream(keys.seed, framed(_LABEL, b"polynomials", roster.digest))
    return [
        (
            shamir.polynomial(keys.self_mask_seed(number, suite), terms.threshold, stream),
            shamir.polynomial(keys.mask_key_seed(number, suite), terms.threshold, stream),
        )
        for number in range(terms.first, terms.first + terms.sums)
    ]


def _sealing_secrets(roster: Roster, keys: EpochKeys, party: str, suite: Suite) -> dict[str, bytes]:
    """Return the raw agreement with each other member."""
    others = [i for i, member in enumerate(roster.members) if member != party]
    try:
        secrets = suite.agree_each(keys.sealing_private, [roster.sealing_keys[i] for i in others])
    except InvalidElement as error:
        raise WrongRoster(
            "the sealing key is not a valid public key", party=roster.members[others[error.index]]
        ) from None
    return {roster.members[i]: secret for i, secret in zip(others, secrets, strict=True)}


def _opened(
    terms: EpochTerms,
    roster: Roster,
    keys: EpochKeys,
    bundles: Mapping[str, bytes],
    party: str,
    *,
    suite: Suite,
) -> dict[str, ShareBundle]:
    """Return the bundles that open and have the shares they should."""
    secrets = _sealing_secrets(roster, keys, party, suite)
    opened = {}
    for sender, sealed in bundles.items():
        if sender == party:
            continue
        try:
            plain = unseal(suite, secrets[sender], _bundle_info(roster, sender, party), sealed)
            opened[sender] = _checked_bundle(terms, decode(plain, ShareBundle))
        except (OpenError, RemoteProtocolError):
            continue
    return opened


def _checked_bundle(terms: EpochTerms, bundle: ShareBundle) -> ShareBundle:
    sums = terms.sums if terms.masked else 0
    if not len(bundle.seed_shares) == len(bundle.key_shares) == sums:
        raise WrongBundle("a bundle with other shares than the epoch's")
    for each in (*bundle.seed_shares, *bundle.key_shares):
        try:
            shamir.decode_share(each)
        except ValueError as error:
            raise WrongBundle(str(error)) from None
    return bundle


def _group_key(
    roster: Roster, keys: EpochKeys, opened: Mapping[str, ShareBundle], party: str, suite: Suite
) -> bytes:
    """Return the group key of the key maker's bundle, which it committed to."""
    if party == roster.key_maker:
        return keys.group_key(suite)
    if roster.key_maker not in opened:
        raise WrongBundle(
            "the key maker's bundle did not come or does not open: this party has no group key, "
            "and waits for the next epoch",
            party=roster.key_maker,
        )
    group_key = opened[roster.key_maker].group_key
    commitment = group_key_commitment(roster.terms, roster.key_maker, group_key, suite)
    if len(group_key) != SECRET_BYTES or commitment != roster.group_commitment:
        raise WrongBundle("a group key the key maker did not commit to", party=roster.key_maker)
    return group_key


def _bundle_at(polynomials: Polynomials, point: int, group_key: bytes = b"") -> ShareBundle:
    return ShareBundle(
        tuple(shamir.share(of_seed, point) for of_seed, _ in polynomials),
        tuple(shamir.share(of_key, point) for _, of_key in polynomials),
        group_key,
    )


def _shares(
    roster: Roster,
    sharers: tuple[str, ...],
    known: Mapping[str, ShareBundle],
    group_key: bytes,
    suite: Suite,
) -> EpochShares:
    return EpochShares(
        roster.terms,
        roster.digest,
        sharers,
        sharers_digest(roster.digest, sharers, suite),
        tuple(known[name].seed_shares if name in known else () for name in sharers),
        tuple(known[name].key_shares if name in known else () for name in sharers),
        group_key,
    )


def _bundle_info(roster: Roster, sender: str, receiver: str) -> bytes:
    return framed(_LABEL, b"bundle", roster.digest, sender.encode(), receiver.encode())


def _group_info(roster: Roster, name: str) -> bytes:
    return framed(_LABEL, b"group", roster.digest, name.encode())
