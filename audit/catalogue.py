"""The closed catalogue of events: what may be logged, what it means, who may see it, how long.

An event carries only the details and counts its type lists here, and every detail key has one
kind of value, so that no name, phone number, free text or row can enter the log by accident. What
a person wrote in free text belongs in the payload store; the event keeps its salted digest.

What is recorded answers PIPL 23 and 54-56, NFRA data security measures 43 and NIST SP 800-53 AU-2
and AU-3. ``SPEC.md`` §1 says how to add a type.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from audit.event_type import (
    RETENTION_MEANING,
    VISIBILITY_MEANING,
    DetailValue,
    EventType,
    RetentionClass,
    Visibility,
)
from audit.event_type import event_type as _type
from audit.sum_events import SUM_EVENTS

__all__ = [
    "CATALOGUE",
    "INTENTS",
    "RETENTION_MEANING",
    "VISIBILITY_MEANING",
    "DetailValue",
    "EventType",
    "RetentionClass",
    "Visibility",
    "outcomes_of",
    "shown",
]

_TRAFFIC = "messages_sent messages_received bytes_sent bytes_received duration_ms"
_MODEL = "algorithm scheme model_id model_digest parameters_digest"
_QUALITY = "auc ks brier log_loss auc_low auc_high ks_low ks_high auc_alone ks_alone"

_TYPES: Final[tuple[EventType, ...]] = (
    _type(
        "log.opened",
        "This log was opened, and the key that signs its checkpoints was written down.",
        retention="PROOF",
        details="suite public_key",
    ),
    _type(
        "log.checkpoint",
        "A signed checkpoint of a party's log was received and kept here.",
        retention="PROOF",
        details="origin root_hash note_signature",
        counts="tree_size",
    ),
    _type(
        "log.checked",
        "This log was checked against its own checkpoints.",
        visibility="local",
        retention="PROOF",
        details="verdict reason root_hash",
        counts="tree_size findings",
    ),
    _type(
        "party.enrolled",
        "Another organisation's identity and key were accepted.",
        retention="SHARE",
        details="origin fingerprint certificate_digest country jurisdiction sector",
    ),
    _type(
        "agreement.recorded",
        "A contract between the parties was recorded by reference and digest.",
        retention="SHARE",
        details="agreement kind document_digest valid_until parties",
    ),
    _type(
        "assessment.recorded",
        "An impact assessment was recorded by reference and digest.",
        visibility="local",
        retention="ASSESS",
        details="kind document_digest valid_until articles",
    ),
    _type(
        "dataset.registered",
        "A table was registered for use in jobs; its rows stay where they are.",
        visibility="local",
        details="dataset identifier_kind identifier_rules dataset_digest schema_digest "
        "file_digest format columns label",
        counts="rows accepted rejected duplicates columns",
    ),
    _type(
        "dataset.removed",
        "A registered table was withdrawn from use.",
        visibility="local",
        details="dataset dataset_digest reason",
    ),
    _type(
        "dataset.prepared",
        "A registered table was turned into one row for each customer, for a job.",
        visibility="local",
        details="dataset dataset_digest schema_digest file_digest purchase_rules",
        counts="rows accepted rejected excluded customers positives features",
    ),
    _type(
        "job.proposed",
        "A job was proposed to the parties.",
        details="spec_digest suite protocol algorithm reveal agreement output_use expires_at "
        "recipients outputs parties",
        counts="parties columns floor",
    ),
    _type(
        "policy.evaluated",
        "The compliance rules were applied, and this is what they said.",
        visibility="local",
        details="gate rule verdict reason articles conditions inputs_digest gates step",
        counts="gates allowed conditions needs_approval denied excluded",
    ),
    _type(
        "job.override",
        "A rule that may be overridden was overridden, with a reason and two approvers.",
        details="gate reason approvers articles",
    ),
    _type(
        "job.approved",
        "A party's officer approved the job.",
        details="spec_digest reason conditions party gates",
    ),
    _type(
        "job.agreed",
        "Every party has signed its approval of the same specification; the job may run.",
        details="spec_digest parties",
    ),
    _type(
        "job.refused",
        "A party refused the job.",
        details="spec_digest reason gate party articles gates",
    ),
    _type(
        "phase.started",
        "A phase of the job began at this party.",
        details="step protocol code_digest code_version inputs_digest resumed",
    ),
    _type(
        "phase.completed",
        "A phase of the job ended well at this party.",
        details="step transcript_digest next_phase",
        counts=_TRAFFIC,
    ),
    _type(
        "phase.failed",
        "A phase of the job failed at this party.",
        details="step reason error party",
        counts=_TRAFFIC,
    ),
    _type(
        "psi.started",
        "The search for shared customers began.",
        retention="SHARE",
        details="protocol curve reveal identifier_kind identifier_rules inputs_digest recipients "
        "parties",
        counts="own_set peer_set floor excluded rejected",
    ),
    _type(
        "psi.completed",
        "The shared customers were found; who learned which of them is in the details.",
        retention="SHARE",
        details="protocol curve reveal identifier_kind identifier_rules transcript_digest "
        "statement_digest learned recipients parties",
        counts="own_set peer_set floor excluded rejected intersection added removed " + _TRAFFIC,
    ),
    _type(
        "psi.refused",
        "The shared customers were fewer than the floor, or a guard refused; none was revealed.",
        retention="SHARE",
        details="protocol reason transcript_digest statement_digest parties",
        counts="own_set peer_set floor",
    ),
    _type(
        "align.created",
        "The private map from shared positions to this party's own rows was written.",
        visibility="local",
        details="map_digest delete_after",
        counts="rows held_out train",
    ),
    _type(
        "align.deleted",
        "The private map to this party's own rows was deleted.",
        visibility="local",
        details="map_digest reason method",
        counts="rows",
        ends="deletion.intended",
    ),
    _type(
        "train.started",
        "Training began.",
        details=_MODEL + " code_digest code_version key_id protections_on first_tree_active_only "
        "learning_rate l2 strategy dp_used epsilon delta parties",
        counts="rows held_out train features trees depth bins rounds minimum_bin_count key_bits "
        "parties floor threshold parameters",
    ),
    _type(
        "train.completed",
        "Training ended; each party holds its own part of the model.",
        details=_MODEL + " transcript_digest learned dp_used epsilon delta parties",
        counts="rows train trees rounds leaves splits ciphertexts decryptions sums lost "
        + _TRAFFIC,
    ),
    *SUM_EVENTS,
    _type(
        "evaluation.completed",
        "The model was measured on held-out customers.",
        details=_QUALITY + " metric split model_id model_digest auc_joint ks_joint rmse_alone "
        "rmse_joint accuracy_alone accuracy_joint parties",
        counts="held_out positives " + _TRAFFIC,
    ),
    _type(
        "score.started",
        "The scoring of newly aligned customers with a trained model began.",
        details=_MODEL + " form parties",
        counts="rows features",
    ),
    _type(
        "score.completed",
        "Newly aligned customers were scored with a trained model.",
        details=_MODEL + " form learned parties",
        counts="rows " + _TRAFFIC,
    ),
    _type(
        "comparison.pooled",
        "For comparison, in a simulation only, a model was trained on all tables in one place.",
        details=_QUALITY
        + " auc_joint ks_joint auc_pooled ks_pooled rmse_pooled accuracy_pooled split parties",
        counts="rows held_out train positives",
    ),
    _type(
        "he.key_generated",
        "A key pair for encrypted computation was made; the private half stays here, or goes "
        "sealed to the recipients named.",
        visibility="local",
        details="key_id scheme public_key parameters_digest recipients roster_digest",
        counts="key_bits epoch",
    ),
    _type(
        "he.key_received",
        "The private key of an encrypted computation came from its maker, sealed to this party.",
        visibility="local",
        details="key_id scheme parameters_digest party roster_digest",
        counts="key_bits epoch",
    ),
    _type(
        "he.key_used",
        "The private key of an encrypted computation is used once, on what the counts say.",
        visibility="local",
        details="key_id scheme operation step contributors_digest sum_digest",
        counts="sum_number ciphertexts contributors",
    ),
    _type(
        "he.key_destroyed",
        "The private key of an encrypted computation was destroyed.",
        visibility="local",
        details="key_id scheme reason method",
        ends="deletion.intended",
    ),
    _type(
        "decrypt.intended",
        "Encrypted results are about to be opened.",
        details="key_id scheme step inputs_digest contributors_digest parties",
        counts="ciphertexts contributors",
    ),
    _type(
        "decrypt.performed",
        "Encrypted results were opened with this party's private key.",
        details="key_id scheme step inputs_digest contributors_digest parties",
        counts="ciphertexts decryptions contributors",
        ends="decrypt.intended",
    ),
    _type(
        "decrypt.failed",
        "Encrypted results could not be opened.",
        details="key_id scheme step reason error",
        ends="decrypt.intended",
        end_required=True,
    ),
    _type(
        "model.registered",
        "A party's own part of a trained model was stored.",
        retention="MODEL",
        details=_MODEL + " auc ks delete_after",
        counts="trees features parameters",
    ),
    _type(
        "model.deleted",
        "A party's own part of a trained model was deleted.",
        retention="MODEL",
        details="model_id model_digest reason method",
        ends="deletion.intended",
    ),
    _type(
        "release.intended",
        "A result is about to leave the job for its recipient.",
        retention="SHARE",
        details="output form recipient scores_digest file_digest model_id parties",
        counts="customers floor rows",
    ),
    _type(
        "release.done",
        "A result left the job for its recipient.",
        retention="SHARE",
        details="output form recipient scores_digest file_digest model_id parties",
        counts="customers floor rows",
        ends="release.intended",
        end_required=True,
    ),
    _type(
        "release.failed",
        "A result that was about to leave did not.",
        retention="SHARE",
        details="output form recipient reason error",
        ends="release.intended",
        end_required=True,
    ),
    _type(
        "attempt.abandoned",
        "An attempt was given up; the next one starts with fresh seeds, keys and salts.",
        details="reason step party",
        counts="next_attempt",
    ),
    _type(
        "job.resumed",
        "The job went on after an interruption, from this party's own journal.",
        details="reason step journal_digest",
        counts="messages_replayed",
    ),
    _type("job.stopped", "An officer stopped the job.", details="reason step party"),
    _type("job.failed", "The job failed and will not go on.", details="reason error step party"),
    _type("job.expired", "The job ran past its expiry and will not go on.", details="expires_at"),
    _type(
        "job.closed",
        "The job is over; what must be deleted is deleted or has a date.",
        details="reason delete_after outputs",
    ),
    _type(
        "export.created",
        "A file was written for someone outside this system.",
        visibility="local",
        retention="SHARE",
        details="kind format recipient country file_digest report_digest redacted root_hash",
        counts="rows bytes tree_size",
        ends="export.intended",
    ),
    _type(
        "export.intended",
        "A file is about to be written for someone outside this system.",
        visibility="local",
        retention="SHARE",
        details="kind format recipient country",
    ),
    _type(
        "export.failed",
        "A file that was about to be written was not.",
        visibility="local",
        retention="SHARE",
        details="kind reason error",
        ends="export.intended",
        end_required=True,
    ),
    _type(
        "export.refused",
        "A request to write a file was refused.",
        visibility="local",
        retention="SHARE",
        details="kind recipient country reason articles",
    ),
    _type(
        "deletion.intended",
        "Something is about to be deleted.",
        visibility="local",
        details="kind reason method map_digest model_id key_id journal_digest",
        counts="rows",
    ),
    _type(
        "deletion.failed",
        "Something that was about to be deleted could not be.",
        visibility="local",
        details="kind reason error",
        ends="deletion.intended",
        end_required=True,
    ),
    _type(
        "journal.destroyed",
        "The encrypted journal of the job was destroyed.",
        visibility="local",
        details="journal_digest reason method",
        ends="deletion.intended",
    ),
    _type(
        "access.denied",
        "Someone asked for something their role does not allow.",
        visibility="local",
        retention="NET",
        details="rule reason step method",
    ),
    _type(
        "code.refused",
        "Program code from outside was offered to this party and not run.",
        retention="JOINT",
        details="code_digest reason party",
    ),
    _type(
        "message.refused",
        "A message that broke the protocol was refused.",
        details="party step reason error",
        counts="sum_number",
    ),
)

CATALOGUE: Final[Mapping[str, EventType]] = {row.name: row for row in _TYPES}
INTENTS: Final[frozenset[str]] = frozenset(row.ends for row in _TYPES if row.ends)
"""Types that announce an effect outside the database; a later event must end each."""


def outcomes_of(intent: str) -> tuple[str, ...]:
    """Return the types that may end an intent of type ``intent``."""
    return tuple(row.name for row in _TYPES if row.ends == intent)


def shown(names: Iterable[str]) -> str:
    """Return names as an error message lists them."""
    return ", ".join(sorted(names)) or "none"
