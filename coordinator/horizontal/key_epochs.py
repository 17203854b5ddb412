"""Setting up the parties' keys for some sums, and handing each party what the others sealed for it.

The coordinator passes on what it cannot open. Who does not advertise in time waits for the next
epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flwr.serverapp import Grid

from coordinator.horizontal.exchange import Answer, Exchange, PartyLost, Request
from coordinator.horizontal.job_ended import JobEnded
from coordinator.horizontal.recorder import Recorder
from models.horizontal.plan import epoch_terms
from protocols.errors import RemoteProtocolError
from protocols.secure_aggregation import Enrolled, Enrolment, EpochTerms, TooFew, WrongBundle
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.suite import Suite
from protocols.sum_ciphers import adder
from protocols.wire import encode

MAX_TRIES = 3


@dataclass
class KeyEpoch:
    """One epoch that is set up."""

    enrolled: Enrolled
    public: bytes
    """What ciphertexts are added with."""
    sealed_key: bytes
    """The homomorphic key, sealed for the members."""
    delivered: set[str] = field(default_factory=set)
    """Members that have opened their bundles."""

    @property
    def ready(self) -> tuple[str, ...]:
        """Members that verified the roster and shared what they had to: they can contribute."""
        return tuple(party for party in self.enrolled.members if party in self.enrolled.sealed)

    def letters_for(self, party: str) -> dict[str, bytes]:
        """Return what ``party`` needs of the epoch before its first contribution."""
        if party in self.delivered:
            return {}
        letters = {"bundles": encode(self.enrolled.bundles_for(party))}
        return letters | ({"sum-key": self.sealed_key} if self.sealed_key else {})


@dataclass
class KeyEpochs:
    """The epochs of one attempt of a job."""

    exchange: Exchange
    recorder: Recorder
    opened: dict[str, int] = field(default_factory=dict)
    """How many sums each party said it has opened."""

    @property
    def _spec(self) -> HorizontalSpec:
        return self.exchange.spec

    @property
    def _suite(self) -> Suite:
        return self.exchange.suite

    def begin(self, grid: Grid, first: int, openings_for: Callable[[str], Request]) -> KeyEpoch:
        """Set up an epoch whose sums are numbered from ``first``; raises :class:`JobEnded`.

        ``openings_for`` gives what a party has to open before, with the keys of the last epoch.
        """
        problem = RemoteProtocolError("")
        for _ in range(MAX_TRIES):
            terms = epoch_terms(
                self._spec,
                self.exchange.attempt,
                epoch=self.recorder.next_epoch(),
                first=first,
                suite=self._suite,
            )
            try:
                return self._begin(grid, terms, openings_for)
            except (TooFew, WrongBundle) as error:
                problem = error
        raise JobEnded(
            "failed",
            f"no keys could be agreed on in {MAX_TRIES} tries: {problem.reason}",
            party=problem.party,
            hint="bring the missing parties back, then go on",
        )

    def _begin(
        self, grid: Grid, terms: EpochTerms, openings_for: Callable[[str], Request]
    ) -> KeyEpoch:
        enrolment = Enrolment(terms, self.exchange.public_keys, self._suite)
        place = {"epoch": _count(terms.epoch), "first": _count(terms.first)}
        members: list[str] = []

        def request(party: str) -> Request:
            openings = openings_for(party)
            return Request({**place, **openings.letters}, openings.chunks)

        messages = self.exchange.to_every_node("advertise", grid, request)
        for answer in self.exchange.answers("advertise", grid.send_and_receive(messages)):
            if isinstance(answer, PartyLost) or not usable(answer, refusal_ends=True):
                continue
            if enrolment.advertisement(answer.party, answer.letters.get("advertisement", b"")):
                self.told(answer)
                members.append(answer.party)
        roster = enrolment.roster()
        requests = dict.fromkeys(sorted(members), Request({"roster": encode(roster)}))
        public, sealed_key, makers = b"", b"", []
        messages = self.exchange.messages("share", requests)
        for answer in self.exchange.answers("share", grid.send_and_receive(messages)):
            if isinstance(answer, PartyLost) or not usable(answer):
                continue
            taken = enrolment.bundles(answer.party, answer.letters.get("bundles", b""))
            if taken and "public" in answer.letters:
                makers.append(answer.party)
                public = answer.letters["public"]
                sealed_key = answer.letters.get("sum-key", b"")
        self.recorder.refused(terms.first, terms.epoch, enrolment.refused)
        enrolled = enrolment.close()
        epoch = KeyEpoch(enrolled, public, sealed_key)
        if len(epoch.ready) < terms.need:
            raise TooFew(f"{len(epoch.ready)} parties verified the roster; {terms.need} are needed")
        self._check_key(epoch, makers)
        self.recorder.epoch_begun(enrolled)
        return epoch

    def told(self, answer: Answer) -> None:
        """Note how many sums a party says it has opened."""
        opened = answer.payload.get("opened")
        if isinstance(opened, int) and opened >= 0:
            self.opened[answer.party] = opened

    def _check_key(self, epoch: KeyEpoch, makers: list[str]) -> None:
        """Refuse a homomorphic key that is none, or is not from the key maker alone."""
        method, key_maker = self._spec.aggregation.method, epoch.enrolled.members[0]
        expected = [] if method == "masks" else [key_maker]
        if makers != expected:
            wrong = next((party for party in makers if party not in expected), key_maker)
            raise WrongBundle("a key of somebody else than the key maker, or none", party=wrong)
        try:
            adder(epoch.public, method, self._suite)
        except RemoteProtocolError as error:
            raise WrongBundle(f"the key maker's key: {error.reason}", party=key_maker) from None


def usable(answer: Answer, *, refusal_ends: bool = False) -> bool:
    """Return whether a party did what it was asked; raises :class:`JobEnded` where all must stop.

    A party that could not do its part is missing for once. One that names another as the cause,
    or refuses the job before it began, ends it.
    """
    if answer.status == "done":
        return True
    payload: Mapping[str, str] = answer.payload
    message, hint = payload.get("message", answer.status), payload.get("hint", "")
    if answer.status == "refused" and refusal_ends:
        raise JobEnded("refused", message, party=answer.party, hint=hint)
    if answer.status == "failed" and payload.get("party"):
        raise JobEnded(
            "failed", f"{answer.party} says: {message}", party=payload["party"], hint=hint
        )
    return False


def _count(number: int) -> bytes:
    return number.to_bytes(4, "big")
