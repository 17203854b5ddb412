"""Every sentence of the report and the closing summary, in one table for each language.

Another language is another table with the same keys and placeholders; a test holds every table
to that. What a run itself says (who learned what, reasons of gates, provenance) comes with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Strings: TypeAlias = Mapping[str, str]

ENGLISH: Strings = {
    "language": "en",
    "contents": "Contents",
    "subtitle": "Report of a simulated run: all organisations on one machine",
    "purpose": "Purpose",
    "purpose_credit_need": "credit need (who will want financing)",
    "purpose_creditworthiness": "creditworthiness (who will repay)",
    "purpose_churn": "churn (who is about to leave)",
    "use": "Use of results",
    "use_research_only": "research only",
    "use_marketing": "marketing",
    "use_lending_decision": "lending decisions",
    "suite": "Cryptographic suite",
    # What has to be decided by people
    "legal_title": "A legal answer is needed before this is used",
    "legal_soft": "This run went on because every party declares made-up or public data, for "
    "research only. A job on real customers stops here.",
    "stopped_title": "Compliance does not allow this",
    # The headline
    "headline_more": "Joined with {partner}, {active} ranks customers better: AUC {joint} instead "
    "of {alone}, a gain of {difference} (95 % interval {low} to {high}).",
    "headline_less": "Joined with {partner}, {active} ranks customers worse: AUC {joint} instead "
    "of {alone}, a loss of {difference} (95 % interval {low} to {high}).",
    "headline_unclear": "Joining with {partner} made no difference for {active} that {customers} "
    "held-out customers can show: AUC {joint} joined and {alone} alone, a difference of "
    "{difference} (95 % interval {low} to {high}, which includes zero).",
    "pooled_same": "Joining both tables in the clear gives the same: AUC {pooled}.",
    "pooled_other": "Joining both tables in the clear gives AUC {pooled}; the joint model differs "
    "from it by {difference} (95 % interval {low} to {high}).",
    "pooled_none": "The tables were not joined in the clear for comparison: the scenario does not "
    "allow it.",
    "tile_customers": "customers of {party}",
    "tile_shared": "shared customers",
    "tile_gain": "AUC, joint minus alone",
    # What was asked
    "asked": "What was asked, and of whom",
    "asked_label": "Predicted",
    "asked_agreement": "Agreement",
    "asked_spec": "Signed job",
    "asked_retention": "Left-overs deleted after",
    "days": "{days} days",
    "role": "Role",
    "role_active_party": "has the label",
    "role_passive_party": "has columns only",
    "jurisdiction": "Jurisdiction",
    "legal_basis": "Legal basis",
    "minimum_cohort": "Smallest intersection it opens",
    "columns": "Columns",
    "rows_in_file": "Rows in its file",
    "usable_customers": "Usable customers",
    # What joining was worth
    "worth": "What joining was worth",
    "worth_how": "Measured on {customers} shared customers that no model learned from "
    "({positives} of them positive); the models learned from {trained_on} others. Both "
    "organisations chose the same held-out customers by a hash of the identifier and a seed.",
    "model": "Model",
    "model_alone": "{active} alone",
    "model_joint": "{active} with {partner}, each keeping its data",
    "model_pooled": "both tables joined in the clear",
    "short_alone": "alone",
    "short_joint": "joint",
    "short_pooled": "pooled",
    "auc_interval": "AUC (95 % interval)",
    "ks": "KS",
    "metric_help": "AUC is the chance that a customer with the outcome gets a higher score than "
    "one without; 0.5 is guessing, 1 is perfect. KS is the largest gap between the two "
    "groups' score distributions.",
    "difference": "Difference in AUC (95 % interval)",
    "joint_minus_alone": "joint minus alone",
    "joint_minus_pooled": "joint minus pooled",
    "chart_intervals": "AUC with 95 % intervals",
    "chart_roc": "ROC",
    "chart_roc_x": "without the outcome, flagged",
    "chart_roc_y": "with the outcome, flagged",
    "chart_gain": "Lift (customers reached)",
    "chart_gain_x": "customers contacted, best score first",
    "chart_gain_y": "of all with the outcome, reached",
    "chart_calibration": "Calibration",
    "chart_calibration_x": "score (mean of a tenth)",
    "chart_calibration_y": "with the outcome",
    "chart_chance": "Grey diagonal: chance; in Calibration, scores equal to what was observed.",
    "lift_sentence": "Scored by {which}, the best fifth of customers contains {found} of all with "
    "the outcome: {lift} times what chance finds.",
    "importance": "What the model used",
    "importance_shares": "Of the model's gain, {shares}.",
    "importance_share": "{percent} comes from splits of {party}",
    "importance_how": "Within each list the bars compare a party's own columns: by gain for the "
    "party with the label, by rows divided for the other, which never learns gain. They do not "
    "compare across lists, and each organisation sees its own list only.",
    "importance_none": "no column of this party was used",
    # Who learned what
    "learned": "Who learned what",
    "leakage": "Training on shared customers tells each organisation which of its customers the "
    "other also has. That is a provision of personal data (PIPL Art. 23), not anonymous, even "
    "though no row was handed over.",
    # Compliance
    "gates": "Compliance gates",
    "gates_how": "Each organisation runs its own rules at proposal, at start and at release; the "
    "strictest answer of all counts and is shown.",
    "verdict_ALLOW": "allowed",
    "verdict_CONDITIONS": "allowed on conditions",
    "verdict_NEEDS_APPROVAL": "people have to decide",
    "verdict_DENY": "refused",
    "conditions": "Conditions; nothing here checks that they are met:",
    "clauses": "Clauses cited",
    "article": "Art. {article}",
    "confidence_primary": "text read",
    "confidence_secondary": "read in a reproduction, draft or commentary; check before quoting",
    "confidence_unverified": "general knowledge, not checked against the text",
    "not_advice": "Engineering input, not legal advice.",
    "gate_G02": "Legal basis",
    "gate_G03": "Purpose",
    "gate_G10": "Minimum cohort",
    "gate_G15": "Sector rules",
    "gate_G16": "Retention",
    "gate_G22": "Four eyes",
    # Data
    "provenance": "Where the data comes from",
    "provenance_none": "The scenario does not say where its data comes from.",
    "pooled_declared": "Both files were read together on this machine only to compare with "
    "learning in the clear. The scenario declares why that is allowed: {declaration}.",
    "rejects": "Rows left out",
    "rejects_how": "A row that cannot be used stays on its node, in a reject file with row number "
    "and reason. Only these counts leave it.",
    "rejects_none": "No row was left out.",
    "reason": "Reason",
    # Cost
    "cost": "What it cost",
    "cost_how": "Seconds on this machine, and the bytes each organisation sent.",
    "phase": "Phase",
    "seconds": "Time",
    "sent_by": "Sent by {party}",
    "total": "total",
    # Audit
    "audit": "Audit records, and how to check them",
    "audit_how": "Each organisation keeps its own log; the other countersigned its state. This "
    "command needs no network and rebuilds every root below:",
    "audit_trust": "The file {trust} here was written by the same run, so it only shows how "
    "checking works. Between organisations, key fingerprints are compared outside this system.",
    "audit_not": "It shows that no record was changed, dropped or reordered since the other side "
    "countersigned. It cannot show that the inputs were true, that everything was recorded, or "
    "that the two did not agree to deceive.",
    "events": "{events} events",
    "root": "root",
    "bundle": "bundle",
    # Limits, parameters
    "limits": "Limits of this result",
    "limit_simulation": "All organisations ran on one machine, under one person's control. "
    "Nothing here shows how the parts behave between separate organisations.",
    "limit_interval": "The intervals cover the choice of held-out customers only, not other "
    "seeds, other splits or later customers.",
    "limit_semi_honest": "The protocols protect against organisations that follow them and try to "
    "learn more from what they see. One that lies about its rows is not detected.",
    "parameters": "Parameters and versions",
    "parameter": "Parameter",
    "value": "Value",
    "component": "Component",
    "version": "Version",
    # The closing summary on the terminal
    "interval": "95 % interval",
    "summary_can_predict": "Predicted: {label}",
    "summary_report": "report",
    "summary_bundles": "audit bundles",
    "summary_verify": "Check the bundles, without a network:",
    "summary_sent": "{party} sent",
    "summary_left_out": "{rows} rows left out",
    "summary_floor": "fewer than {floor} are not opened",
}
