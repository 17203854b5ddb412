"""Recovering shared secrets that are checked, so that wrong shares are noticed and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from protocols.secure_aggregation import shamir
from protocols.secure_aggregation.refusals import TooFew, WrongShare


@dataclass
class Recovery:
    """Recovers the secrets of one sum, each with ``threshold`` of the shares revealed.

    Holders' points are the polynomials' arguments. Who was found to reveal a wrong share is asked
    last for the other secrets. One wrong share among ``threshold`` is found by trying without each
    holder in turn, if there is one share more; no more is tried (SPEC.md §5).
    """

    threshold: int
    points: Mapping[str, int]
    wrong: list[tuple[str, str]] = field(default_factory=list)
    """Shares found wrong: (whose secret, who revealed it)."""
    _weights: dict[tuple[str, ...], list[int]] = field(default_factory=dict)

    def secret(
        self, owner: str, held: Mapping[str, bytes], accept: Callable[[bytes], bytes | None]
    ) -> bytes:
        """Return what ``accept`` makes of the secret of ``owner``; it returns None for a wrong one.

        ``held`` are the shares revealed, by holder. Raises :class:`TooFew` or
        :class:`WrongShare`.
        """
        shares: dict[str, int] = {}
        for holder, data in held.items():
            try:
                shares[holder] = shamir.decode_share(data)
            except ValueError:
                self.wrong.append((owner, holder))
        if len(shares) < self.threshold:
            raise TooFew(
                f"{len(shares)} shares of the masks of {owner} were revealed; "
                f"{self.threshold} recover them: the sum is lost"
            )
        suspects = {holder for _, holder in self.wrong}
        order = sorted(shares, key=lambda holder: (holder in suspects, holder))
        for chosen, left_out in self._choices(order):
            found = self._recovered(chosen, shares)
            accepted = None if found is None else accept(found)
            if accepted is not None:
                self.wrong.extend((owner, holder) for holder in left_out)
                return accepted
        raise WrongShare(
            f"the shares revealed of the masks of {owner} do not give what it committed to: "
            f"{owner} shared them wrongly, or somebody of {', '.join(sorted(shares))} "
            "revealed another",
            party=owner,
        )

    def _choices(self, order: list[str]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Yield holders to recover with, and whose share is thereby shown to be wrong."""
        first, rest = order[: self.threshold], order[self.threshold :]
        yield tuple(first), ()
        for left_out in first if rest else ():
            yield tuple(h for h in (*first, rest[0]) if h != left_out), (left_out,)

    def _recovered(self, chosen: tuple[str, ...], shares: Mapping[str, int]) -> bytes | None:
        if chosen not in self._weights:
            self._weights[chosen] = shamir.weights([self.points[holder] for holder in chosen])
        return shamir.recover(self._weights[chosen], [shares[holder] for holder in chosen])
