"""A party's keys for some sums: advertised, shared, received; kept sealed between the steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import msgspec
from sqlalchemy import Connection

from audit.catalogue import DetailValue
from party_node.horizontal.step_context import StepContext
from party_node.store import transaction
from protocols.errors import RemoteProtocolError
from protocols.secure_aggregation import (
    BoundLists,
    EpochKeys,
    EpochShares,
    EpochTerms,
    Roster,
    SealedBundle,
    SealedBundles,
    SignedAdvertisement,
    SignedRoster,
    advertise,
    check_roster,
    open_bundles,
    open_for_group,
    seal_for_group,
    share,
)
from protocols.stored import Stored
from protocols.sum_ciphers import SumCipher, SumKey, cipher, generate, received_key
from protocols.wire import decode, encode

SUM_KEY = "sum-key"
"""Name under which the homomorphic key is sealed for the group."""
_EPOCH = "epoch"
_SCHEMES = {"masked_he": "bfv", "ckks": "ckks", "paillier": "paillier", "masks": ""}


class EpochRecord(Stored, frozen=True):
    """What a party keeps of its present key epoch; fields are empty until their step."""

    epoch: int
    first: int
    keys: bytes
    advertisement: bytes
    roster: bytes = b""
    own_sum_key: bytes = b""
    shares: bytes = b""
    sum_key: bytes = b""

    def __repr__(self) -> str:
        return f"EpochRecord(epoch={self.epoch})"

    def _is_consistent(self) -> bool:
        return self.epoch >= 0 and self.first >= 0


class KeyEpoch:
    """The present key epoch of one job at one party."""

    def __init__(self, context: StepContext, record: EpochRecord) -> None:
        self._context = context
        self.record = record
        self.terms: EpochTerms = context.epoch_terms(record.epoch, record.first)

    @classmethod
    def present(cls, context: StepContext) -> KeyEpoch:
        """Return the epoch this party advertised keys for; refuses a job without one."""
        data = context.state.get(_EPOCH)
        if data is None:
            raise RemoteProtocolError(
                "no keys were advertised for this job yet", party="coordinator", step=context.step
            )
        return cls(context, EpochRecord.from_bytes(data))

    @classmethod
    def if_open(cls, context: StepContext) -> KeyEpoch | None:
        """Return the present epoch where this party has the others' shares; None elsewhere."""
        if context.state.get(_EPOCH) is None:
            return None
        epoch = cls.present(context)
        return epoch if epoch.is_open else None

    # -- what it holds -----------------------------------------------------------------------

    @property
    def keys(self) -> EpochKeys:
        """This party's own secrets."""
        return EpochKeys.from_bytes(self.record.keys)

    @property
    def roster(self) -> Roster:
        """The members, whose keys were verified; refuses an epoch that has none yet."""
        if not self.record.roster:
            raise RemoteProtocolError(
                "no roster came yet", party="coordinator", step=self._context.step
            )
        return Roster.from_bytes(self.record.roster)

    @property
    def is_open(self) -> bool:
        """Whether this party has the others' shares and the group key."""
        return bool(self.record.shares)

    @property
    def shares(self) -> EpochShares:
        """What this party holds of the others' secrets, and the group key."""
        if not self.record.shares:
            raise RemoteProtocolError(
                "no shares came yet", party="coordinator", step=self._context.step
            )
        return EpochShares.from_bytes(self.record.shares)

    @cached_property
    def cipher(self) -> SumCipher:
        """What words are encrypted and sums decrypted with."""
        key = SumKey.from_bytes(self.record.sum_key) if self.record.sum_key else None
        return cipher(key, self._context.spec.aggregation.method, self._context.suite)

    @property
    def scheme(self) -> str:
        """The homomorphic scheme's name."""
        return _SCHEMES[self._context.spec.aggregation.method]

    @property
    def key_id(self) -> str:
        """Which homomorphic key the epoch's is; empty where the method has none."""
        if not self.scheme:
            return ""
        return f"{self._context.spec.job_id}/{self._context.job.attempt}/{self.record.epoch}"

    @property
    def bound_lists(self) -> BoundLists:
        """The one list of contributors this party stands by, for each sum of the attempt."""
        data = self._context.state.get("bound-lists")
        return BoundLists() if data is None else BoundLists.from_bytes(data)

    # -- steps -------------------------------------------------------------------------------

    @classmethod
    def begin(cls, context: StepContext, epoch: int, first: int) -> SignedAdvertisement:
        """Make and keep keys for a new epoch; return what is told of them."""
        terms = context.epoch_terms(epoch, first)
        keys, signed = advertise(
            terms,
            party=context.party,
            suite=context.suite,
            private_key=context.node.keys.signing_key,
            seed=context.state.seed(f"epoch/{epoch}"),
        )
        record = EpochRecord(epoch, first, keys.to_bytes(), encode(signed))
        with transaction(context.node.engine) as connection:
            context.state.put(connection, _EPOCH, record.to_bytes())
        return signed

    def share(self, signed: SignedRoster) -> dict[str, bytes]:
        """Verify the roster, keep it, and return the letters that carry this party's shares."""
        context, suite = self._context, self._context.suite
        roster = check_roster(
            self.terms,
            signed.advertisements,
            party=context.party,
            own=decode(self.record.advertisement, SignedAdvertisement),
            public_keys=context.public_keys,
            suite=suite,
        )
        seed = context.state.seed(f"epoch/{self.record.epoch}/share")
        bundles = share(self.terms, roster, self.keys, party=context.party, suite=suite, seed=seed)
        letters = {
            "bundles": encode(
                SealedBundles(
                    roster.digest,
                    tuple(SealedBundle(member, bundles[member]) for member in sorted(bundles)),
                )
            )
        }
        own_key = b""
        method = context.spec.aggregation.method
        if context.party == roster.key_maker and method != "masks":
            key = generate(
                method,
                paillier_bits=context.spec.aggregation.paillier_bits,
                suite=suite,
                seed=context.state.seed(f"epoch/{self.record.epoch}/sum-key"),
            )
            own_key = key.to_bytes()
            letters[SUM_KEY] = seal_for_group(
                roster,
                self.keys.group_key(suite),
                SUM_KEY,
                own_key,
                suite=suite,
                seed=context.state.seed(f"epoch/{self.record.epoch}/sum-key-nonce"),
            )
            letters["public"] = key.public
        public = letters.get("public", b"")
        self._keep(
            lambda connection: self._log_roster(connection, roster, public),
            roster=roster.to_bytes(),
            own_sum_key=own_key,
        )
        return letters

    def open(self, bundles: SealedBundles, sealed_key: bytes | None) -> None:
        """Open and keep the others' shares, the group key and the homomorphic key."""
        context, suite = self._context, self._context.suite
        roster = self.roster
        if bundles.roster != roster.digest:
            raise RemoteProtocolError("bundles of another roster", party="coordinator")
        shares = open_bundles(
            self.terms,
            roster,
            self.keys,
            {bundle.party: bundle.sealed for bundle in bundles.bundles},
            party=context.party,
            suite=suite,
        )
        sum_key = self.record.own_sum_key
        method = context.spec.aggregation.method
        if method != "masks" and not sum_key:
            if sealed_key is None:
                raise RemoteProtocolError(
                    "no homomorphic key came", party="coordinator", step=context.step
                )
            sum_key = open_for_group(roster, shares.group_key, SUM_KEY, sealed_key, suite=suite)
            received_key(sum_key, method, suite)
        received = bool(sum_key) and not self.record.own_sum_key
        self._keep(
            lambda connection: self._log_key(connection, roster) if received else None,
            shares=shares.to_bytes(),
            sum_key=sum_key,
        )

    def _keep(self, also: Callable[[Connection], None], **fields: bytes) -> None:
        self.record = msgspec.structs.replace(self.record, **fields)
        with transaction(self._context.node.engine) as connection:
            self._context.state.put(connection, _EPOCH, self.record.to_bytes())
            also(connection)

    def _log_roster(self, connection: Connection, roster: Roster, public: bytes) -> None:
        context, record = self._context, self.record
        context.event(
            connection,
            "epoch.begun",
            details={
                "roster_digest": roster.digest.hex(),
                "scheme": context.spec.aggregation.method,
                "parties": list(roster.members),
            },
            counts={
                "epoch": record.epoch,
                "first_sum": record.first,
                "sums": self.terms.sums,
                "parties": len(roster.members),
                "threshold": self.terms.threshold,
                "floor": self.terms.floor,
            },
        )
        if public:
            others = [member for member in roster.members if member != context.party]
            context.event(
                connection,
                "he.key_generated",
                details=self._key_details(roster)
                | {"public_key": context.suite.hash(public).hex(), "recipients": others},
                counts={"epoch": record.epoch},
            )

    def _log_key(self, connection: Connection, roster: Roster) -> None:
        self._context.event(
            connection,
            "he.key_received",
            details=self._key_details(roster) | {"party": roster.key_maker},
            counts={"epoch": self.record.epoch},
        )

    def _key_details(self, roster: Roster) -> dict[str, DetailValue]:
        return {
            "key_id": self.key_id,
            "scheme": self.scheme,
            "roster_digest": roster.digest.hex(),
        }


def log_keys_destroyed(context: StepContext, connection: Connection) -> None:
    """Log that the last epoch's keys end with the journal they are sealed in."""
    data = context.state.get(_EPOCH)
    if data is None:
        return
    epoch = KeyEpoch(context, EpochRecord.from_bytes(data))
    context.event(
        connection,
        "epoch.keys_destroyed",
        details={"reason": "job-closed", "method": "with-journal"},
        counts={"epoch": epoch.record.epoch, "sums": epoch.terms.sums},
    )
    if epoch.record.sum_key or epoch.record.own_sum_key:
        context.event(
            connection,
            "he.key_destroyed",
            details={
                "key_id": epoch.key_id,
                "scheme": epoch.scheme,
                "reason": "job-closed",
                "method": "with-journal",
            },
        )
