"""What an officer reads before approving a horizontal job: who, colluding with whom, reads what.

States the facts of ``protocols/secure_aggregation/SPEC.md`` §5 for one spec, with its numbers
filled in. Nothing is decided here; gates G10, G11 and G17 decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocols.secure_aggregation.reading import tolerated
from protocols.session.horizontal_spec import MINIMUM_CONTRIBUTORS, HorizontalSpec
from protocols.session.horizontal_terms import MASKED, AggregationMethod

Topic: TypeAlias = Literal["reads", "collusion", "not_protected", "privacy"]


@dataclass(frozen=True, slots=True)
class Line:
    """One statement about the job, in both languages."""

    about: Topic
    english: str
    chinese: str


def review_lines(spec: HorizontalSpec) -> tuple[Line, ...]:
    """Return what ``spec``'s aggregation protects, from whom, and what it does not.

    The first line is the one to read where there is room for one; the last is about privacy.
    """
    return (
        _with_coordinator(spec),
        _coordinator(spec.aggregation.method),
        *_parties(spec),
        _key_maker(spec),
        *_not_protected(spec),
        _privacy(spec),
    )


def fewest_in_a_sum(spec: HorizontalSpec) -> int:
    """Return how many contributions every sum that is opened holds at least."""
    if spec.aggregation.method in MASKED:
        return max(spec.floor, spec.aggregation.threshold)
    return spec.floor


def colluders_needed(spec: HorizontalSpec) -> int:
    """Return how many parties a coordinator needs to read one other party's contribution.

    Without masks one is enough: it holds the key.
    """
    if spec.aggregation.method not in MASKED:
        return 1
    safe = tolerated(
        parties=len(spec.parties), threshold=spec.aggregation.threshold, floor=spec.floor
    )
    return safe + 1


def _coordinator(method: AggregationMethod) -> Line:
    english, chinese = {
        "masked_he": (
            "masked and encrypted contributions (pairwise masks, then BFV)",
            "经掩码并加密的数据（成对掩码，再用 BFV 加密）",
        ),
        "masks": ("masked contributions", "经掩码的数据"),
        "ckks": ("encrypted contributions (CKKS)", "加密的数据（CKKS）"),
        "paillier": ("encrypted contributions (packed Paillier)", "加密的数据（打包 Paillier）"),
    }[method]
    return Line(
        "reads",
        f"The coordinator alone adds {english}. It holds no key and reads neither a contribution "
        "nor a sum; it sees who takes part, when, and how many bytes.",
        f"协调方单独只能对{chinese}求和。它不持有密钥，既读不到任何一方的数据，也读不到总和；"
        "它能看到谁参与、何时参与以及字节数。",
    )


def _parties(spec: HorizontalSpec) -> tuple[Line, ...]:
    least, parties = fewest_in_a_sum(spec), len(spec.parties)
    sums = Line(
        "reads",
        f"Each party reads every opened sum, of at least {least} contributions, and the model; no "
        "other party's single contribution.",
        f"每一方都能读到每个打开的总和（至少包含 {least} 份数据）和模型，读不到其他任何一方的"
        "单份数据。",
    )
    if least == 2:
        return (
            sums,
            Line(
                "collusion",
                "In a sum of 2 contributions each of the two computes the other's by subtracting "
                "its own, without anybody's help. Its noise is all that protects it.",
                "总和只包含 2 份数据时，其中一方减去自己的数据即可得到另一方的数据，无需任何人"
                "协助。保护它的只有其自身添加的噪声。",
            ),
        )
    return (
        sums,
        Line(
            "collusion",
            f"Without the coordinator, {least - 1} parties that pool what they know compute the "
            f"contribution of one other in a sum of {least}; in a sum of all {parties} it takes "
            f"{parties - 1}.",
            f"没有协调方参与时，若总和包含 {least} 份数据，{least - 1} 方合谋可算出另一方的"
            f"数据；若总和包含全部 {parties} 方，则需 {parties - 1} 方合谋。",
        ),
    )


def _with_coordinator(spec: HorizontalSpec) -> Line:
    needed = colluders_needed(spec)
    if spec.aggregation.method not in MASKED:
        return Line(
            "collusion",
            f"A coordinator that colludes with one party, any of the {len(spec.parties)}, reads "
            "every single contribution of every party: all parties hold the same key.",
            f"协调方只要与 {len(spec.parties)} 方中的任意一方合谋，就能读到每一方的每一份数据："
            "各方持有同一把密钥。",
        )
    if needed == 1:
        return Line(
            "collusion",
            "A coordinator that colludes with one party reads another's single contribution.",
            "协调方与一方合谋，即可读到另一方的单份数据。",
        )
    return Line(
        "collusion",
        f"A coordinator that colludes with {needed} of the {len(spec.parties)} parties can read "
        "another's single contribution; with fewer it reads no more than those parties do.",
        f"协调方与 {len(spec.parties)} 方中的 {needed} 方合谋，可读到另一方的单份数据；合谋方"
        "更少时，它读到的不会多于这些合谋方自己所能读到的。",
    )


def _key_maker(spec: HorizontalSpec) -> Line:
    masked = spec.aggregation.method in MASKED
    return Line(
        "collusion",
        "One party, the first on the roster, draws the key that all parties share. If it drew a "
        "weak one, or gave it away, the coordinator would read "
        + ("every sum." if masked else "every single contribution."),
        "各方共用的密钥由名单上的第一方生成。如果该密钥强度不足或被泄露，协调方就能读到"
        + ("每个总和。" if masked else "每一份数据。"),
    )


def _not_protected(spec: HorizontalSpec) -> tuple[Line, ...]:
    least = fewest_in_a_sum(spec)
    masked = spec.aggregation.method in MASKED
    return (
        Line(
            "not_protected",
            "A party can contribute made-up values and customer counts, and so bend the model. "
            "Nobody sees single contributions; only a sum beyond what the bound of "
            f"{spec.aggregation.update_bound} allows all of them together is refused.",
            "任何一方都可以提交虚构的数值和客户数，从而使模型偏移。单份数据无人可见；只有总和超出"
            f"各方界限（每方 {spec.aggregation.update_bound}）合计所允许的范围时才会被拒绝。",
        ),
        Line(
            "not_protected",
            "The coordinator can add numbers of its own to a sum unnoticed, and so bend the model. "
            + (
                "Leaving out, repeating or exchanging a contribution is noticed."
                if masked
                else "Nor does anything show that a sum holds the contributions it is said to."
            ),
            "协调方可以在总和中加入自己的数值而不被察觉，从而使模型偏移。"
            + (
                "遗漏、重复或替换某份数据则会被发现。"
                if masked
                else "也没有任何办法证明总和确由所称的各份数据组成。"
            ),
        ),
        Line(
            "not_protected",
            f"The coordinator can leave parties out of a sum, down to {least}, or stop the job. A "
            "party that was left out sees it in the signed list, and cannot prevent it.",
            f"协调方可以把部分参与方排除在总和之外（最少保留 {least} 方），也可以中止任务。"
            "被排除的一方能从签名名单中看到，但无法阻止。",
        ),
    )


def _privacy(spec: HorizontalSpec) -> Line:
    if spec.privacy is None:
        return Line(
            "privacy",
            "There is no differential privacy: nothing bounds what the opened sums and the model "
            "tell of one customer.",
            "未使用差分隐私：打开的总和与模型会透露单个客户多少信息，没有任何上界。",
        )
    alone = spec.floor < MINIMUM_CONTRIBUTORS
    return Line(
        "privacy",
        f"Each party spends a privacy budget of epsilon {spec.privacy.epsilon} at delta "
        f"{spec.privacy.delta} on one of its customers, over the whole job, by its own noise "
        "alone: it holds whoever colludes"
        + (", and it is what allows sums of fewer than 3 contributions." if alone else "."),
        f"在整个任务中，每一方对其任一客户所用的隐私预算为 ε = {spec.privacy.epsilon}，"
        f"δ = {spec.privacy.delta}，仅靠其自身添加的噪声即可保证，无论谁合谋都成立"
        + ("；正因如此才允许少于 3 份数据的总和。" if alone else "。"),
    )
