"""The README.txt of every bundle. Part of the format: another text is another format version."""

from __future__ import annotations

README = """\
AUDIT BUNDLE (fedcrm-audit-bundle/1)

This archive holds the audit log of one organisation: what its FedCRM node recorded, in order, up
to the signed checkpoint inside.

  key.json           whose log this is, and the public key that signs its checkpoints
  events.jsonl       one event a line, oldest first; line n is entry n - 1. A line with only
                     "leaf_hash" stands for an entry that this copy does not show
  checkpoint         the latest signed statement: so many entries, with this root hash
  checkpoints.jsonl  the earlier signed statements
  manifest.json      length and digest of each file

HOW TO CHECK IT (no network needed)

  fedcrm audit verify --trust trust.toml this.zip the-other-party.zip
  fedcrm audit show this.zip

trust.toml lists the fingerprint of each organisation's key. Get the fingerprints from the
organisations themselves, not from the bundles: by telephone, or from the signed contract. Without
them the check can only say that the bundles are consistent with the keys inside them.

Exit status: 0 all of it holds; 1 something does not, and the place is named; 2 nothing wrong was
found, but not everything could be checked.

WHAT A SUCCESSFUL CHECK SHOWS

- Nobody without the organisation's private key changed, removed, added or reordered an entry
  after the checkpoint over it was signed.
- With the bundles of several organisations: every joint statement is signed by all its parties
  and stands in each log with the same text. Where one organisation kept another's checkpoint in
  its own log, the other could not rewrite what came before it without being noticed.

WHAT IT DOES NOT SHOW

- That everything that happened was recorded, or that what was recorded was true.
- That the organisation itself, which holds the key, did not rewrite entries that no other
  organisation had signed or kept a checkpoint of.
- Anything against organisations that act together.
- What happened after the checkpoint: a newer bundle may exist.
- When source in key.json is "simulation": one machine held every key. It then shows how the check
  works, and nothing about who did what.

The tree is that of RFC 9162 section 2.1 and the checkpoint a C2SP signed note, with the hash and
the signature of the suite named in key.json (gm: SM3 and SM2; intl: SHA-256 and Ed25519). Nothing
in this archive is a program, and nothing in it needs to be run.
"""
