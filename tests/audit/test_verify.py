"""Whatever is done to a bundle without its key is noticed, and the place is named."""

from __future__ import annotations

from functools import cache

import pytest

from audit.archive import MEMBERS, write_archive
from audit.bundle import checkpoint_line
from audit.chain import withheld_line
from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.event import decode_event, encode_event, joint_digest
from audit.findings import MAX_FINDINGS
from audit.merkle import leaf_hash, root_hash
from audit.verify import CheckedBundle, verify_bundle
from protocols.suite import InvalidSignature
from protocols.suite.gm import GmSuite
from tests.audit.forging import contents_of, forged, lines_of
from tests.audit.made_logs import (
    OFFICER,
    SUITE,
    Party,
    append_joint,
    countersigned,
    joint_body,
    small_job,
)


@cache
def _tiny_log() -> tuple[Party, Party]:
    bank, retailer = Party("bank", 1), Party("retailer", 2)
    bank.append("align.created", job="job-1", actor=OFFICER, counts={"rows": 1200})
    bank.checkpoint()
    append_joint("psi.completed", [bank, retailer], counts={"intersection": 812})
    bank.checkpoint()
    return bank, retailer


def checked(archive: bytes) -> CheckedBundle:
    return verify_bundle(archive, "bank.zip")


def texts(archive: bytes) -> list[str]:
    result = checked(archive)
    assert result.findings.any_failed
    return [str(finding) for finding in result.findings]


@pytest.fixture
def known_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verify each different signature once: a flip leaves all but one of them as they were."""
    verify = GmSuite.verify

    @cache
    def valid(public_key: bytes, message: bytes, signature: bytes) -> bool:
        try:
            verify(SUITE, public_key, message, signature)  # type: ignore[arg-type]
        except InvalidSignature:
            return False
        return True

    def remembered(_: GmSuite, public_key: bytes, message: bytes, signature: bytes) -> None:
        if not valid(public_key, message, signature):
            raise InvalidSignature("remembered")

    monkeypatch.setattr(GmSuite, "verify", remembered)


def assert_noticed(archive: bytes, at: int, bit: int) -> None:
    altered = bytearray(archive)
    altered[at] ^= 1 << bit
    result = checked(bytes(altered))
    assert result.findings.any_failed, (at, bit)
    first = next(f for f in result.findings if f.severity == "failed")
    place = first.place
    assert place.source == "bank.zip"
    assert place.offset is not None or place.seq is not None, (at, bit, str(first))


def test_intact_bundle_has_no_findings() -> None:
    bank, _ = _tiny_log()
    result = checked(bank.bundle())
    assert list(result.findings) == []
    assert (result.origin, result.checkpoints) == ("bank", 2)
    assert result.checkpoint is not None
    assert result.checkpoint.tree_size == 3


def test_a_flipped_bit_in_any_byte_is_noticed(known_signatures: None) -> None:
    bundle = _tiny_log()[0].bundle()
    bits = SUITE.stream(b"which bit of each byte to flip...", b"test").bytes(len(bundle))
    start = bundle.index(b"key.json")  # the README before it is flipped more sparsely
    for at in [*range(0, start, 16), *range(start, len(bundle))]:
        assert_noticed(bundle, at, bits[at] % 8)


@pytest.mark.slow
def test_every_flipped_bit_is_noticed(known_signatures: None) -> None:
    bundle = _tiny_log()[0].bundle()
    for at in range(len(bundle)):
        for bit in range(8):
            assert_noticed(bundle, at, bit)


def test_every_truncation_is_noticed() -> None:
    bundle = small_job()[0].bundle()
    for length in range(0, len(bundle), 23):
        assert checked(bundle[:length]).findings.any_failed, length


# The forger below also fixes sums, sizes and the manifest: only signatures stop it.


def test_dropped_entry_is_named() -> None:
    bundle = small_job()[0].bundle()
    lines = lines_of(bundle)
    for at in range(len(lines)):
        found = texts(forged(bundle, lines=lines[:at] + lines[at + 1 :]) if at else drop_first())
        assert any(f"seq {at}" in line or f"entry {at} " in line for line in found), (at, found)


def drop_first() -> bytes:
    contents = contents_of(small_job()[0].bundle())
    contents["events.jsonl"] = contents["events.jsonl"].split(b"\n", 1)[1]
    return write_archive({name: contents[name] for name in MEMBERS})


def test_truncated_log_is_named() -> None:
    bundle = small_job()[0].bundle()
    lines = lines_of(bundle)
    for at in range(1, len(lines)):
        found = texts(forged(bundle, lines=lines[:at]))
        assert any(f"entry {at} and those after it are missing" in line for line in found), found


def test_moved_entry_is_named() -> None:
    bundle = small_job()[0].bundle()
    lines = lines_of(bundle)
    for at in range(1, len(lines) - 1):
        swapped = [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
        found = texts(forged(bundle, lines=swapped))
        assert f"seq {at}," in found[0], found
        assert f"entry {at} should stand here, not entry {at + 1}" in found[0]


def test_inserted_entry_is_named() -> None:
    bundle = small_job()[0].bundle()
    lines = lines_of(bundle)
    for at in range(1, len(lines) + 1):
        found = texts(forged(bundle, lines=[*lines[:at], lines[at - 1], *lines[at:]]))
        assert any(f"seq {at}," in line for line in found), (at, found)


def test_changed_entry_is_named() -> None:
    bundle = small_job()[0].bundle()
    lines = lines_of(bundle)
    for at in range(1, len(lines)):
        changed = lines[at].replace(b'"status":"success"', b'"status":"partial"')
        assert changed != lines[at]
        found = texts(forged(bundle, lines=[*lines[:at], changed, *lines[at + 1 :]]))
        if at < len(lines) - 1:
            assert any(f"seq {at}," in line and "was changed" in line for line in found), found
        else:
            assert found == [f for f in found if f"entry {at} is not the one that was signed" in f]


def test_changed_link_blames_the_entry_that_holds_it() -> None:
    bundle = small_job()[0].bundle()
    lines = lines_of(bundle)
    event = decode_event(lines[3])
    changed = lines[3].replace(event.prev_hash.encode(), b"00" * 32)
    found = texts(forged(bundle, lines=[*lines[:3], changed, *lines[4:]]))
    assert any("seq 3," in line and "was changed after it was written" in line for line in found)


def test_history_chained_anew_is_caught_between_two_checkpoints() -> None:
    bundle = small_job()[0].bundle()
    lines = lines_of(bundle)
    rewritten = rechained([*lines[:4], lines[4].replace(b"scores", b"labels"), *lines[5:]])
    found = texts(forged(bundle, lines=rewritten))
    # Checkpoints cover 3, 6 and 7 entries: the first agrees, the second does not.
    assert len(found) == 1
    assert "entries 3 to 5 are not those that were signed" in found[0]


def rechained(lines: list[bytes]) -> list[bytes]:
    """Return the entries with every prev_hash recomputed, as a careful forger would."""
    done: list[bytes] = []
    for line in lines:
        previous = leaf_hash(SUITE, done[-1]).hex() if done else "00" * 32
        stated = decode_event(line).prev_hash
        done.append(line.replace(stated.encode(), previous.encode(), 1))
    return done


def test_entries_after_the_checkpoint_are_refused() -> None:
    bank, _ = small_job()
    bundle = bank.bundle()
    bank.append("job.closed", job="job-1")
    bank.checkpoint()
    longer = lines_of(bank.bundle())
    found = texts(forged(bundle, lines=longer))
    assert found == [
        "bank.zip: events.jsonl, line 8, seq 7: 1 entries stand after the last one signed"
    ]


def test_entries_of_another_log_are_refused() -> None:
    bank, retailer = small_job()
    ours, theirs = lines_of(bank.bundle()), lines_of(retailer.bundle())
    found = texts(forged(bank.bundle(), lines=[ours[0], theirs[1], *ours[2:]]))
    assert any("seq 1," in line and "of another log" in line for line in found)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.txt", b"All is well, no need to check anything.\n"),
        ("README.txt", b""),
        ("key.json", b"{}\n"),
        ("manifest.json", b"{}\n"),
        ("checkpoint", b""),
        ("checkpoint", b"bank\n3\nAAAA\n\nnothing\n"),
        ("checkpoints.jsonl", b""),
        ("checkpoints.jsonl", b"{}\n"),
        ("checkpoints.jsonl", b"[]\n"),
        ("checkpoints.jsonl", b'{"note":"x"}\n'),
        ("checkpoints.jsonl", b'{"note":"\\ud800"}\n'),
        ("checkpoints.jsonl", b"[" * 200_000 + b"\n"),
        ("events.jsonl", b""),
        ("events.jsonl", b"\n"),
        ("events.jsonl", b"\n\n\n"),
        ("events.jsonl", b"[" * 200_000),
        ("events.jsonl", b'{"leaf_hash":"' + b"00" * 32 + b'"}\n'),
    ],
)
def test_hostile_file_is_refused_cleanly(name: str, content: bytes) -> None:
    contents = contents_of(_tiny_log()[0].bundle()) | {name: content}
    found = texts(write_archive({member: contents[member] for member in MEMBERS}))
    assert all(line.startswith("bank.zip") for line in found)


def test_line_without_its_end_is_refused() -> None:
    contents = contents_of(_tiny_log()[0].bundle())
    contents["events.jsonl"] = contents["events.jsonl"][:-1]
    found = texts(write_archive({name: contents[name] for name in MEMBERS}))
    assert any("the last line has no end" in line for line in found)


def test_a_million_bad_lines_make_a_short_report() -> None:
    contents = contents_of(_tiny_log()[0].bundle())
    contents["events.jsonl"] += b"{}\n" * 100_000
    result = checked(write_archive({name: contents[name] for name in MEMBERS}))
    assert len(result.findings) == MAX_FINDINGS
    assert result.findings.more > 99_000


def test_withheld_entry_cannot_be_invented() -> None:
    bundle = small_job()[0].bundle()
    lines = lines_of(bundle)
    lines[1] = withheld_line(bytes(32))
    found = texts(forged(bundle, lines=lines))
    assert any("entries 0 to 2 are not those that were signed" in line for line in found)


# What the key's owner could have signed, and a log must still never hold.


def resigned(party: Party, lines: list[bytes]) -> bytes:
    """Return ``lines``, chained and signed again by the owner of the log."""
    lines = rechained(lines)
    leaves = [leaf_hash(SUITE, line) for line in lines]
    note = sign_checkpoint(
        Checkpoint(party.origin, len(lines), root_hash(SUITE, leaves)),
        suite=SUITE,
        public_key=party.identity.public_key,
        sign=party.sign,
    )
    return forged(party.bundle(), lines=lines, checkpoint=note, checkpoints=b"")


def test_history_signed_anew_by_its_owner_is_consistent_in_itself() -> None:
    bank, _ = _tiny_log()
    rewritten = lines_of(bank.bundle())
    rewritten[1] = rewritten[1].replace(b'"rows":1200', b'"rows":1100')
    assert not checked(resigned(bank, rewritten)).findings.any_failed


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b'"intersection":812', b'"intersection":813', "digest is not of its text"),
        (b'"intersection":812', b'"intersection":813', "the signature of retailer does not verify"),
        (b'{"attempt":1,"counts"', b'{"attempt":2,"counts"', "about another event"),
        (b'"parties":["bank","retailer"]', b'"parties":["bank"]', "exactly its parties"),
        (b'"parties":["bank","retailer"]', b'"parties":["other","retailer"]', "not this party's"),
        (b'"type":"psi.completed"', b'"type":"psi.unheard"', "unknown here; use a newer verifier"),
    ],
)
def test_altered_joint_statement_is_named_though_signed_anew(
    old: bytes, new: bytes, expected: str
) -> None:
    bank, _ = _tiny_log()
    lines = lines_of(bank.bundle())
    assert old in lines[2]
    found = texts(resigned(bank, [*lines[:2], lines[2].replace(old, new)]))
    assert any("seq 2," in line and expected in line for line in found), found


def test_repeated_joint_statement_is_named() -> None:
    bank, _ = _tiny_log()
    lines = lines_of(bank.bundle())
    again = lines[2].replace(b'"seq":2', b'"seq":3')
    found = texts(resigned(bank, [*lines, again]))
    assert any("seq 3," in f and "the same joint statement stands at seq 2" in f for f in found)


def test_joint_signature_under_a_key_other_than_the_logs_own_is_named() -> None:
    bank, retailer = _tiny_log()
    impostor = Party("bank", 7)
    body = joint_body("psi.completed", [bank, retailer], counts={"intersection": 812})
    joint = countersigned(body, [impostor, retailer])
    event = decode_event(lines_of(bank.bundle())[2])
    assert event.joint is not None
    line = (
        encode_event(event)
        .replace(
            event.joint.signatures[0].public_key.encode(), joint.signatures[0].public_key.encode()
        )
        .replace(
            event.joint.signatures[0].signature.encode(), joint.signatures[0].signature.encode()
        )
    )
    assert event.joint.digest == joint_digest(SUITE, body)
    found = texts(resigned(bank, [*lines_of(bank.bundle())[:2], line]))
    assert found == [
        f for f in found if "seq 2," in f and "bank signed with another key than its log's" in f
    ]


def test_ends_without_intents_are_named() -> None:
    bank, _ = small_job()
    lines = lines_of(bank.bundle())
    for old, new, expected in (
        (b'"intent":4', b'"intent":1', "no event of this job at seq 1 to end"),
        (b'"intent":4,', b"", "release.done ends no release.intended event"),
    ):
        assert old in lines[5]
        found = texts(resigned(bank, [*lines[:5], lines[5].replace(old, new), *lines[6:]]))
        assert any("seq 5," in line and expected in line for line in found), found
    twice = lines[5].replace(b'"seq":5', b'"seq":6')
    found = texts(resigned(bank, [*lines[:6], twice]))
    assert any("seq 6," in f and "the intent at seq 4 was ended before" in f for f in found)


def test_open_intent_and_backward_clock_are_noted_and_not_failed() -> None:
    bank = Party("bank", 1)
    bank.append("release.intended", job="job-1")
    bank.append("job.closed", job="job-1")
    bank.checkpoint()
    lines = lines_of(bank.bundle())
    lines[2] = lines[2].replace(b"2026-11-21", b"2026-11-20")
    result = checked(resigned(bank, lines))
    assert not result.findings.any_failed
    assert [str(finding).split(": ", 2)[2] for finding in result.findings] == [
        "the clock ran backwards before this entry",
        "release.intended has no end in this log yet",
    ]


def test_checkpoints_must_grow() -> None:
    bank, _ = small_job()
    contents = contents_of(bank.bundle())
    first, second = contents["checkpoints.jsonl"].splitlines(keepends=True)
    for notes in (second + first, first + first, first + checkpoint_line(bank.latest_note())):
        found = texts(forged(bank.bundle(), checkpoints=notes))
        assert any("checkpoints must grow" in line for line in found)


def test_foreign_signature_line_is_refused_in_a_bundle() -> None:
    bank, retailer = small_job()
    foreign = retailer.latest_note().split(b"\n\n")[1]
    found = texts(forged(bank.bundle(), checkpoint=bank.latest_note() + foreign))
    assert any("the log's own signature, no other" in line for line in found)


def test_progress_is_told() -> None:
    steps: list[tuple[str, int, int]] = []
    verify_bundle(small_job()[0].bundle(), "b", on_progress=lambda *step: steps.append(step))
    assert {step for step, _, _ in steps} == {
        "b: entries",
        "b: checkpoints",
        "b: joint statements",
    }
    assert all(0 <= done <= total for _, done, total in steps)
