"""Chinese for texts a run brings in English: the samples', the gates', the exceptions'.

Logs hold the English sentence, and it stays the record. A text that is not here stands in the
Chinese half as it came, marked as English; a test holds the packaged texts to be here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from simulations.report.chinese import CHINESE
from simulations.report.sample_texts import SAMPLE_TEXTS

_TEXTS = (
    # What gates find of a job
    (
        "The model's protections are at the policy's strength.",
        "模型的保护措施达到规则要求的强度。",
    ),
    (
        "One-side sampling shows the passive parties which customers have large gradients, and "
        "with that most labels of the rarer class.",
        "单边采样使被动方得知哪些客户的梯度较大，从而得知较少一类的大多数标签。",
    ),
    (
        "The job names no privacy budget; none is recorded.",
        "任务未设定隐私预算；记录为“无”。",
    ),
    (
        "these protections must not be used on real customers",
        "这样的保护措施不得用于真实客户",
    ),
    # Why a primitive outside the suite is used
    (
        "sums over encrypted values need a homomorphic scheme, and neither suite has one",
        "对密文求和需要同态加密，两个密码套件都不包含此类算法",
    ),
    (
        "the homomorphic scheme: sums over encrypted vectors need one, and neither suite has "
        "one. TenSEAL draws its keys and noise inside SEAL, by BLAKE2Xb seeded by the kernel's "
        "generator",
        "此即同态加密算法：对加密向量求和需要它，而两个密码套件都不包含。TenSEAL 在 SEAL 内部生成"
        "密钥和噪声，所用的 BLAKE2Xb 由操作系统内核的随机数发生器提供种子",
    ),
    (
        "seeds, keys and nonces begin with the kernel's generator (ChaCha20 in Linux), "
        "which stands below every suite",
        "种子、密钥和随机数都源自操作系统内核的随机数发生器（Linux 中为 ChaCha20），它处于各"
        "密码套件之下",
    ),
    (
        "the outer transport layer between organisations; what it carries is protected by "
        "the suite inside it. Does not occur in simulations",
        "机构之间的外层传输；其中的内容另由密码套件保护。模拟运行中不出现",
    ),
    (
        "the certificate of the outer TLS; does not occur in simulations",
        "机构之间外层 TLS 传输所用的证书。模拟运行中不出现",
    ),
    ("operating system's random source", "操作系统随机源"),
    # Conditions of gates
    (
        "approval was given by software; no person read this job",
        "由软件自动批准，没有人审阅过此任务",
    ),
    (
        "where a party is a bank or insurer that shares sensitive data in batch, its report "
        "under NFRA Art. 73 was filed 20 working days before",
        "银行或保险机构批量共享敏感数据的，应已提前 20 个工作日按《银行保险机构数据安全管理"
        "办法》第七十三条报告",
    ),
    (
        "the start decides again, once the party has planned its releases",
        "待该方计划好要释放的内容后，在启动时再行裁定",
    ),
    # Editions of laws
    (
        "issued 2024-12-27; article read in a copy that is probably the March 2024 draft",
        "2024-12-27 印发；条文据一份副本核对，该副本可能为 2024 年 3 月的征求意见稿",
    ),
    (
        "high-risk duties deferred to 2027-12-02 by (EU) 2026/1744",
        "高风险义务经 (EU) 2026/1744 号条例推迟至 2027-12-02",
    ),
    (
        "WP216, adopted 2014-04-10; a successor is in draft",
        "WP216，2014-04-10 通过；后续文件尚在起草",
    ),
    # Reasons of gates
    (
        "The proposer and each party's approver are different staff ids.",
        "提案人与各方批准人的员工编号各不相同。",
    ),
    (
        "Nothing is released before the size of the intersection is known.",
        "交集大小未知之前，不释放任何结果。",
    ),
    (
        "The job does not say when its row map, intermediate data, model and scores are deleted.",
        "任务未写明行映射表、中间数据、模型和得分的删除时间。",
    ),
    (
        "The job does not say who proposed it.",
        "任务未写明提案人。",
    ),
)
_CONDITION_PAIRS = (
    (
        "each person consented to this purpose, and counsel has answered whether a model trained "
        "on them, which every party gets, is information provided to another that needs separate "
        "consent; this release does not filter rows by consent",
        "每名个人均已同意此处理目的，并已由法律顾问答复：各方都会得到的、以其数据训练的模型是否"
        "属于须取得单独同意的对外提供信息；本版本不按同意情况筛选数据行",
    ),
    (
        "each person gave separate consent naming the recipient, because the aligned list "
        "tells the other party who is a customer; this release does not filter rows by "
        "consent",
        "每名个人均已作出写明接收方的单独同意，因为对齐后的名单会让对方得知谁是客户；本版本"
        "不按同意情况筛选数据行",
    ),
    (
        "each person is told the recipient, purpose, method and kinds of data, and counsel "
        "has answered whether separate consent is owed as well",
        "已向每名个人告知接收方、处理目的、处理方式和个人信息种类，并已由法律顾问答复是否还"
        "须取得单独同意",
    ),
    (
        "consent can be proved for each person and withdrawn as easily as it was given; "
        "this release does not filter rows by consent",
        "能够证明每名个人的同意，且撤回与作出同样便捷；本版本不按同意情况筛选数据行",
    ),
    (
        "each person's notice names the recipient",
        "对每名个人的告知中写明了接收方",
    ),
    (
        "the balancing test is on file, and people who object to direct marketing are "
        "removed before scoring; this release does not filter rows by objection",
        "利益平衡评估已存档，且评分前已移除拒绝直接营销的个人；本版本不按拒绝情况筛选数据行",
    ),
    (
        "the table holds no data about identifiable people, and results serve research only",
        "数据表不含可识别个人的数据，且结果仅供研究",
    ),
)
_QUESTION_PAIRS = (
    (
        "is retailer data used to judge credit credit-reporting business (征信业管理条例 2, "
        "7), and was the NFRA Art. 73 report filed 20 working days before",
        "用零售商数据评价信用，是否属于征信业务（《征信业管理条例》第二条、第七条）？是否已"
        "提前 20 个工作日按《银行保险机构数据安全管理办法》第七十三条报告？",
    ),
    (
        "is this a high-risk use (AI Act Annex III 5(b)) and a decision under GDPR Art. 22",
        "这是否属于高风险用途（欧盟《人工智能法》附件三第 5 条 (b) 项）以及《通用数据保护条"
        "例》第 22 条所称的决策？",
    ),
)
_EXACT = dict((*_TEXTS, *SAMPLE_TEXTS))
_LEGAL_BASIS_CONDITIONS = dict(_CONDITION_PAIRS)
_LEGAL_QUESTIONS = dict(_QUESTION_PAIRS)
_KINDS = {
    "row map": "行映射表",
    "intermediate data": "中间数据",
    "model": "模型",
    "score table": "得分表",
}

_kind = "|".join(_KINDS)


def _bases(found: re.Match[str]) -> str:
    return f"各方均从本法域的清单中列明了合法性基础：{found[1].replace(', ', '、')}。"


def _serves(found: re.Match[str]) -> str:
    purpose = CHINESE.get(f"purpose_{found[3]}", found[3])
    use = CHINESE.get(f"use_{found[4]}", found[4])
    return f"{found[1]} 的数据集 {found[2]} 可用于{purpose}；结果用途：{use}。"


def _judges_nobody(found: re.Match[str]) -> str:
    filing = "；可能仍须事前报告" if found[2] else ""
    return f"任务目的为{CHINESE.get(f'purpose_{found[1]}', found[1])}，不评价任何人的信用{filing}。"


def _kept(found: re.Match[str]) -> str:
    kinds = [
        f"{_KINDS[kind]} {days} 天" for kind, days in re.findall(rf"({_kind}) (\d+)", found[1])
    ]
    return f"任务结束后的保存天数：{'，'.join(kinds)}。"


def _write_down(found: re.Match[str]) -> str:
    return f"须书面说明{_KINDS[found[1]]}为何保存 {found[2]} 天；通常为 {found[3]} 天"


def _question(found: re.Match[str]) -> str:
    asked = [_LEGAL_QUESTIONS[question] for question in found[1].split("; and ")]
    return f"须取得法律意见：{''.join(asked)}"


def _condition(found: re.Match[str]) -> str:
    who = found[1].replace(", ", "、")
    return f"{who}（{found[2]}）：{_LEGAL_BASIS_CONDITIONS[found[3]]}"


def _budget(found: re.Match[str]) -> str:
    agreed = f"任务最多使每一方付出 ε = {found[1]}，δ = {found[2]}。"
    if found[3] is None:
        return agreed + "预算尚未用完。"
    return (
        f"{agreed}连同其可能释放的全部内容，对 {found[5]} 的预算将使用 {found[3]}，"
        f"上限为 {found[4]}。"
    )


_PATTERNS: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (
        r"Made population: (\d+) parties with ([\d,]+) rows each",
        lambda found: f"虚构人群：{found[1]} 方，每方 {found[2]} 行",
    ),
    (
        r"About (\d+) % of each party's rows are customers that every party has; (\d+) % of the "
        r"customers of a party are marked as having consented, and the others' rows are left out\.",
        lambda found: (
            f"每一方约 {found[1]}% 的行是各方共有的客户；每一方 {found[2]}% 的客户标记为"
            "已同意，其余客户的行不予使用。"
        ),
    ),
    (r"in force (\d{4}-\d\d-\d\d)", lambda found: f"{found[1]} 起施行"),
    (r"applies from (\d{4}-\d\d-\d\d)", lambda found: f"{found[1]} 起适用"),
    (r"Every party names a legal basis from its own list: (.+)\.", _bases),
    (r"(\S+)'s dataset '(\S+)' may serve (\w+), and results are for (\w+)\.", _serves),
    (
        r"The agreed floor is ([\d,]+) customers; the intersection is not known yet\.",
        lambda found: f"约定的最小交集为 {found[1]} 名客户；交集大小尚未知。",
    ),
    (
        r"The intersection reaches the agreed floor of ([\d,]+) customers\.",
        lambda found: f"交集达到约定的最小规模 {found[1]} 名客户。",
    ),
    (
        r"the floor of ([\d,]+) is below the policy's ([\d,]+) because every party declares "
        r"made-up or public data; this job must not run on real customers",
        lambda found: (
            f"最小交集 {found[1]} 低于规则要求的 {found[2]}，"
            "因为各方均声明使用合成或公开数据；"
            "此任务不得用于真实客户"
        ),
    ),
    (
        r"A sum is opened from (\d+) contributions on; none has been opened yet\.",
        lambda found: f"总和至少包含 {found[1]} 份数据才打开；目前尚未打开任何总和。",
    ),
    (
        r"Every sum that was opened holds at least (\d+) contributions\.",
        lambda found: f"已打开的每个总和都至少包含 {found[1]} 份数据。",
    ),
    (
        r"a sum of (\d+) contributions is fewer than the policy's (\d+): whoever made all but one "
        r"of them computes the last, and its party's own noise is all that protects it",
        lambda found: (
            f"总和包含 {found[1]} 份数据，少于规则要求的 {found[2]} 份：提供了其余各份数据的人"
            "可以算出最后一份，保护它的只有该方自身添加的噪声"
        ),
    ),
    (
        r"The job may cost each party epsilon (\S+), delta (\S+)\. (?:With all it may release, "
        r"(\S+) of (\S+) is used for (\S+)|The budget is not used up)\.",
        _budget,
    ),
    (
        r"With (\w+) alone every party holds the key, so a coordinator that colludes with one of "
        r"them reads every single update; masked_he does not allow that\.",
        lambda found: (
            f"仅用 {found[1]} 时各方都持有密钥，协调方只要与其中一方合谋即可读到每一份更新；"
            "masked_he 不会如此。"
        ),
    ),
    (
        r"Sums of (\d+) contributions are protected by each party's own noise alone, and its "
        r"epsilon of (\S+) is above the policy's (\S+)\.",
        lambda found: (
            f"包含 {found[1]} 份数据的总和仅靠每一方自身的噪声保护，其 ε 为 {found[2]}，"
            f"高于规则的 {found[3]}。"
        ),
    ),
    (
        r"A (\w+) job (?:for \w+ )?judges nobody's credit(; a filing may still be due)?\.",
        _judges_nobody,
    ),
    (rf"Days kept after the job ends: ((?:(?:{_kind}) \d+(?:, )?)+)\.", _kept),
    (rf"write down why the ({_kind}) is kept (\d+) days; (\d+) is usual", _write_down),
    (
        "This needs a legal answer: "
        rf"({'|'.join(map(re.escape, _LEGAL_QUESTIONS))}"
        rf"|{'; and '.join(map(re.escape, _LEGAL_QUESTIONS))})\?",
        _question,
    ),
    (
        rf"(\S+(?:, \S+)*) \((\w+)\): ({'|'.join(map(re.escape, _LEGAL_BASIS_CONDITIONS))})",
        _condition,
    ),
    (
        r"Splits may leave (\d+) customers on a side, fewer than the policy's (\d+): sums of so "
        r"few can be matched with single customers\.",
        lambda found: (
            f"分裂的一侧可能只有 {found[1]} 名客户，低于规则要求的 {found[2]}："
            "如此少的客户的汇总可与单个客户对应。"
        ),
    ),
    (
        r"Bins may hold (\d+) customers of a class, fewer than the policy's (\d+): evidence of "
        r"so few tells of single customers\.",
        lambda found: (
            f"分箱中某一类可能只有 {found[1]} 名客户，低于规则要求的 {found[2]}："
            "如此少的客户的证据权重会透露单个客户的情况。"
        ),
    ),
    (
        r"An epsilon of (\S+) for the labels, above the policy's (\S+), hides them little\.",
        lambda found: f"标签的 ε 为 {found[1]}，高于规则的 {found[2]}，对标签的隐藏作用很小。",
    ),
)


def chinese_of(text: str) -> str | None:
    """Return ``text`` in Chinese, or None where no translation is known.

    A gate that finds several things says one sentence after the other.
    """
    if (whole := _translated(text)) is not None:
        return whole
    first, *others = re.split(r"(?<=\.) (?=[A-Z])", text)
    told = [_translated(sentence) for sentence in (first, *others)] if others else [None]
    known = [sentence for sentence in told if sentence is not None]
    return "".join(known) if len(known) == len(told) else None


def _translated(text: str) -> str | None:
    if text in _EXACT:
        return _EXACT[text]
    for pattern, said in _PATTERNS:
        if found := re.fullmatch(pattern, text):
            return said(found)
    return None
