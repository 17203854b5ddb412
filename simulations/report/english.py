"""Every sentence of the report and the closing summary, in English.

Keys that end in a name of the code (``purpose_churn``, ``learned_nodes``) are looked up by it.
"""

from __future__ import annotations

from simulations.report.english_results import ENGLISH_RESULTS
from simulations.report.strings import Strings

ENGLISH: Strings = {
    "language": "en",
    "other_language": "中文",
    "list_between": ", ",
    "list_last": " and ",
    "between_parts": ", ",
    "range": "{low} to {high}",
    "estimate": "{value} ({low} to {high})",
    "percent": "{number} %",
    "colon": ": ",
    "in_brackets": " ({text})",
    "between_sentences": " ",
    "contents": "Contents",
    "subtitle": "Report of a simulated run: all organisations on one machine",
    "suite": "Cryptographic suite",
    "suite_gm": "national algorithms (SM2, SM3, SM4)",
    "suite_intl": "international algorithms (SHA-256, AES-256, Ed25519, Curve25519)",
    "protocol": "Finding shared customers",
    "protocol_ecdh": "Diffie-Hellman private set intersection, between the organisations alone",
    "protocol_server_aided": "server-aided private set intersection: the coordinator matches "
    "keyed tokens",
    "purpose": "Purpose",
    "purpose_credit_need": "credit need (who will want financing)",
    "purpose_creditworthiness": "creditworthiness (who will repay)",
    "purpose_churn": "churn (who is about to leave)",
    "use": "Use of results",
    "use_research_only": "research only",
    "use_marketing": "marketing",
    "use_lending_decision": "lending decisions",
    # What has to be decided by people
    "legal_title": "A legal answer is needed before this is used",
    "legal_soft": "This run went on because every party declares made-up or public data, for "
    "research only. A job on real customers stops here.",
    "stopped_title": "Compliance does not allow this",
    "coordinator_title": "The coordinator matched the customers of this run",
    "coordinator_colludes": "The server-aided protocol protects the customer lists only while the "
    "coordinator colludes with no organisation. Together with one of them it could compute the "
    "token of every possible identifier under that organisation's keys, and so enumerate the "
    "other's whole list, customers who are not shared included.",
    "coordinator_unseen": "That would change no message, and no log would show it. Between "
    "organisations that do not trust the coordinator this far, the protocol ecdh needs no "
    "coordinator.",
    # What was asked
    "asked": "What was asked, and of whom",
    "asked_label": "Predicted",
    "asked_agreement": "Agreement",
    "asked_spec": "Digest of the signed job",
    "asked_retention": "Retention agreed",
    "days": "{days} days at most for model and scores; journal, keys and row map of the job were "
    "destroyed when it closed",
    "role": "Role",
    "role_active_party": "active party: has the label",
    "role_passive_party": "passive party: has columns only",
    "jurisdiction": "Jurisdiction",
    "legal_basis": "Legal basis",
    "minimum_cohort": "Smallest intersection it opens",
    "feature_columns": "Columns",
    "usable_customers": "Usable customers",
    "usable_of": "{usable} of {rows} rows",
    # Who learned what
    "learned": "Who learned what",
    "learned_how": "Beyond its own data, each learned this, and can keep it. Nothing here can be "
    "taken back.",
    "leakage": "Training on shared customers tells each organisation which of its customers the "
    "other also has. That is a provision of personal data (PIPL Art. 23), not anonymous, even "
    "though no row was handed over.",
    "leakage_several": "{active} ran one intersection with each of {partners} and learned each of "
    "them. Only the {common} customers common to all were used.",
    "coordinator": "coordinator",
    "learned_columns": "from the signed job: names and kinds of the columns of {others}",
    "learned_columns_and_label": "from the signed job: names and kinds of the columns of {others}, "
    "and name and meaning of the label",
    "learned_shared": "which {shared} of its {own} customers are also customers of {other}, and "
    "that {other} brought {others_size}",
    "learned_only_common": "every one of these intersections, although only the {common} customers "
    "common to all were used",
    "learned_which_common": "which {common} of them are common to all, and so also customers of "
    "{others}",
    "learned_gradient_sums": "for {training} training customers: sums of their gradients over "
    "candidate splits of {passives} (shuffled, without column or threshold), and who falls on "
    "which side of the splits that the trees use",
    "learned_own_tree": "nothing from training: the only tree splits on its own columns",
    "learned_active_tree": "nothing from training: the only tree splits on columns of {active}",
    "learned_held_out_sides": "for {held_out} held-out customers: the same sides, hence their "
    "scores",
    "learned_repeated_active": "the same for each of {repeats} splits of the customers: over all "
    "of them, sides and scores of every customer who was ever held out",
    "learned_nodes": "which of the {training} training customers reach each node of the trees; "
    "groups that differ in the label can be guessed from this",
    "learned_repeated_passive": "the same for each of {repeats} splits of the customers: more "
    "groupings of the same people, which makes guessing labels easier",
    "learned_training_rows": "which of the training customers each tree learned from; most of them "
    "are customers with large gradients, which tells something about their labels",
    "learned_bin_classes": "for the bins of the columns of {passives}, in shuffled order: how many "
    "of {training} training customers of either class each holds",
    "learned_own_evidence": "which of its own bins hold enough customers of either class, and the "
    "weight of evidence of those that do; from this and its own counts, how many of the "
    "{training} training customers in such a bin have the label",
    "learned_own_coefficients": "the coefficients and points of its own columns, and how many "
    "columns of {others} the scorecard uses",
    "learned_partial_scores": "for {training} training and {held_out} held-out customers: what the "
    "columns of {passives} add to the score, as one number each",
    "learned_joint_table": "the points table of {passives}, which every organisation approved",
    "learned_cut_outputs": "for each of {training} training customers in every epoch, and of "
    "{held_out} held-out customers once: {units} numbers that the network of {passives} computed "
    "from its columns; columns can be partly rebuilt from them",
    "learned_private_gradients": "for {training} training customers: gradients computed from "
    "labels that were randomised first; what it can infer about any one label is bounded by "
    "epsilon = {epsilon}",
    "learned_repeated_same": "the same for each of {repeats} splits of the customers",
    "learned_repeated_evidence": "the same for each of {repeats} splits of the customers: counts "
    "of sets that differ by few customers, which makes guessing their labels easier",
    "learned_repeated_private": "the same for each of {repeats} splits of the customers; a label "
    "is randomised once and for all, so the bound holds for all of them together",
    "learned_no_scores": "nothing about the held-out customers' scores or labels",
    "learned_job_terms": "the signed job: purpose, column names, parameters; and how long each "
    "phase took",
    "learned_sizes": "how many customers are shared, from the organisations' reports",
    "learned_token_matches": "how many customers each organisation brought, how many are shared, "
    "and which keyed tokens of two lists match",
    "learned_no_names": "no identifier: tokens are keyed by the organisations, anew for each job, "
    "and mean nothing without their keys",
    "learned_no_contents": "no identifier, row, gradient or score: the organisations' messages do "
    "not pass through it",
    # Compliance
    "gates": "Compliance gates",
    "gates_how": "Each organisation runs its own rules at proposal, at start and at release; the "
    "strictest answer of all counts and is shown, with the reason as the log records it.",
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
    "gate_G11": "Privacy budget",
    "gate_G15": "Sector rules",
    "gate_G16": "Retention",
    "gate_G17": "The model's protections",
    "gate_G22": "Four eyes",
    "gate_asks_G02": "Does every organisation name a legal basis of its own jurisdiction?",
    "gate_asks_G03": "Do the people's notices and the use of results cover this purpose?",
    "gate_asks_G10": "Is what is opened of enough shared customers, or of enough organisations?",
    "gate_asks_G11": "Does what a dataset tells each recipient about one customer stay within "
    "its budget?",
    "gate_asks_G15": "Does banking law ask a question that only people can answer: a credit "
    "reporting licence, a filing beforehand, an automated decision?",
    "gate_asks_G16": "Is it agreed when everything left over is deleted?",
    "gate_asks_G17": "Are the model's protections at the policy's strength?",
    "gate_asks_G22": "Did one person propose, and another approve, at each organisation?",
    # Data
    "provenance": "Where the data comes from",
    "provenance_none": "The scenario does not say where its data comes from.",
    "pooled_declared": "All files were read together on this machine only to compare with "
    "learning in the clear. The scenario declares why that is allowed: {declaration}.",
    "quality": "Data quality",
    "quality_how": "Each organisation profiles its own table on its own node. A row that cannot be "
    "used stays there, in a reject file with row number and reason; only counts leave it.",
    "rows_in_file": "rows in the file",
    "rows_usable": "usable",
    "rows_respelled": "identifiers respelled",
    "rows_rejected": "rejected",
    "rejects_none": "No row was rejected.",
    "quality_label": "with the outcome ({share})",
    "column": "Column",
    "column_kind": "Kind",
    "kind_numeric": "number",
    "kind_integer": "whole number",
    "kind_boolean": "yes or no",
    "kind_date": "date",
    "kind_categorical": "category",
    "missing": "Missing",
    "distinct": "Distinct",
    "spread": "Values",
    "notes": "Notes",
    "median_of": "median {median}",
    "top_share": "most frequent: {share}",
    "none": "none",
    "not_used": "not used",
    "warning_all_missing": "no value at all",
    "warning_constant": "the same everywhere, so it tells nothing",
    "warning_duplicate": "the same values as {other}",
    "warning_mostly_missing": "mostly missing",
    "warning_like_an_identifier": "nearly every row has a value of its own, like an identifier",
    "warning_looks_like_the_label": "tells the outcome almost alone: is it the label in disguise, "
    "or known only afterwards?",
    "warning_missingness_predicts_the_label": "whether it is filled in tells the outcome: is it "
    "filled in afterwards?",
    "warning_one_class": "every row has the same outcome",
    "warning_rare_class": "one outcome is rarer than 1 in 100",
    "warning_too_few_to_look_for_disguises": "too few of one outcome to look for columns that are "
    "the label in disguise",
    "quality_group": "This report is {active}'s: the columns of {party} are not profiled in it.",
    "treatment_boosted_trees": "Nothing is filled in, and nothing is standardised: at each split "
    "the trees learn on which side missing values go, and scaling a column changes none of their "
    "splits.",
    "treatment_scorecard": "Nothing is filled in, and nothing is standardised: missing values are "
    "a bin of their own, or share one where they are too few. A value that no training customer "
    "had counts as no points.",
    "treatment_split_network": "Each organisation's node standardises its own numbers and turns "
    "categories into yes or no. A missing number counts as the mean; whether a value is missing "
    "is an input of its own.",
    "reason_wrong_number_of_fields": "wrong number of fields",
    "reason_missing_identifier": "identifier missing",
    "reason_duplicate_identifier": "identifier occurs twice",
    "reason_empty": "identifier empty",
    "reason_too_long": "identifier too long",
    "reason_bad_characters": "characters no identifier has",
    "reason_malformed": "not an identifier of this kind",
    "reason_unassigned_number": "number not assigned",
    "reason_bad_birth_date": "birth date impossible",
    "reason_bad_checksum": "checksum wrong",
    "reason_not_a_number": "not a number",
    "reason_not_an_integer": "not a whole number",
    "reason_not_a_boolean": "neither yes nor no",
    "reason_not_a_date": "not a date",
    "reason_no_consent": "no consent",
    "reason_no_label": "no label",
    # Cryptography
    "primitives": "Cryptography used",
    "primitives_how": "Recorded while the run was on: every primitive that was called, and the "
    "part of the system that called it.",
    "primitive": "Primitive",
    "used_for": "Used for",
    "used_by": "Used by",
    "use_hash": "digests: logs, messages, job",
    "use_mac": "keyed digests",
    "use_derive": "deriving keys",
    "use_seal": "sealing journals, row maps and models at rest",
    "use_stream": "random streams from a secret seed",
    "use_tokens": "tokens the coordinator matches",
    "use_curve": "signatures, and points of the intersection",
    "use_signature": "signatures",
    "use_agreement": "agreeing on keys",
    "use_hash_to_curve": "identifiers to points of the curve, for the intersection",
    "use_inside_hash_to_curve": "inside the hash to the curve, and nowhere else",
    "use_robust_hash": "digests inside the fast intersection",
    "use_points": "points of oblivious transfers and encrypted sums",
    "use_homomorphic": "arithmetic on encrypted numbers",
    "use_entropy": "fresh seeds, keys and nonces",
    "use_transport": "transport between organisations",
    "exceptions": "Outside the suite, and why",
    "primitives_none": "This run kept no record of the primitives it called.",
    # Cost
    "cost": "What it cost",
    "cost_how": "Time on this machine, of the slowest organisation: waiting for the others is part "
    "of it. Bytes and messages are what each sent.",
    "phase": "Phase",
    "phase_align": "find shared customers",
    "phase_match": "open the matches",
    "phase_train": "train",
    "phase_evaluate": "evaluate",
    "seconds": "Time",
    "sent": "Sent",
    "messages": "Messages",
    "total": "total",
    "predicted": "Told before, and measured",
    "predicted_how": "Before training began, the node of {active} predicted what it would cost, "
    "from the job's terms and the speed of this machine.",
    "predicted_of": "Training",
    "was_predicted": "Predicted",
    "was_measured": "Measured",
    "predicted_time": "time",
    "predicted_bytes": "bytes sent by all",
    # Audit
    "audit": "Audit records, and how to check them",
    "audit_how": "Each organisation keeps its own log, and the others countersign its state. This "
    "command needs no network and rebuilds every root below:",
    "audit_trust": "The file {trust} here was written by the same run, so it only shows how "
    "checking works. Between organisations, key fingerprints are compared outside this system.",
    "audit_not": "It shows that no record was changed, dropped or reordered since the other side "
    "countersigned. It cannot show that the inputs were true, that everything was recorded, or "
    "that the parties did not agree to deceive.",
    "log_of": "Log of",
    "events": "Events",
    "root": "Merkle root",
    "bundle": "Bundle",
    # Limits, parameters
    "limits": "Limits of this result",
    "limit_simulation": "All organisations ran on one machine, under one person's control. "
    "Nothing here shows how the parts behave between separate organisations.",
    "limit_interval": "The intervals cover the choice of held-out customers only, not other "
    "seeds, other splits or later customers.",
    "limit_repeats": "The intervals of one split cover the choice of held-out customers only; "
    "those of the means also cover other splits of the same customers. None covers later "
    "customers.",
    "limit_semi_honest": "The protocols protect against organisations that follow them and try to "
    "learn more from what they see. One that lies about its rows is not detected.",
    "parameters": "Parameters and versions",
    "parameter": "Parameter",
    "parameter_seed": "random seed of sample and splits",
    "parameter_trees": "trees",
    "parameter_depth": "depth of a tree",
    "parameter_bins": "bins of a column",
    "parameter_learning_rate": "learning rate",
    "parameter_l2": "L2 regularisation",
    "parameter_objective": "what the label is",
    "parameter_classes": "classes of the label",
    "parameter_class_weights": "weights of the classes",
    "parameter_row_sample": "share of the training customers each tree uses",
    "parameter_one_side_sampling_top": "share of the training customers a tree takes for the size "
    "of their gradients",
    "parameter_one_side_sampling_other": "share of the training customers drawn from the rest",
    "parameter_early_stopping_rounds": "trees without gain before growing stops (0: never)",
    "parameter_validation_percent": "per cent of training customers that decide it",
    "parameter_paillier_randomness": "exponents of Paillier's randomness",
    "parameter_minimum_class_count": "fewest customers of either class in a bin",
    "parameter_monotone": "weight of evidence rises or falls throughout a column",
    "parameter_minimum_information_value": "least information value of a column",
    "parameter_maximum_correlation": "largest correlation of two columns",
    "parameter_epochs": "passes over the training customers",
    "parameter_batch_rows": "customers in a batch",
    "parameter_sigmoid": "approximation of the logistic function",
    "parameter_base_points": "points at the base odds",
    "parameter_base_odds": "base odds, good to bad",
    "parameter_points_to_double": "points that double the odds",
    "parameter_joint_table": "joint points table for the active party",
    "parameter_cut_units": "numbers sent for one customer",
    "parameter_hidden_units": "hidden units",
    "parameter_weight_decay": "weight decay",
    "parameter_label_epsilon": "epsilon of the labels' differential privacy",
    "parameter_minimum_bin_count": "fewest training customers on a side of a split",
    "parameter_first_tree_active_only": "first tree on the active party's columns only",
    "parameter_paillier_bits": "bits of the Paillier modulus",
    "parameter_paillier_mode": "how Paillier is computed, and its random exponents",
    "parameter_held_out_percent": "per cent of customers held out",
    "parameter_repeats": "splits",
    "setting": "Value",
    "setting_binary": "yes or no",
    "setting_regression": "a number",
    "setting_multiclass": "a class",
    "setting_none": "none",
    "setting_balanced": "rarer classes weigh more",
    "setting_exact": "of full length",
    "setting_short": "short",
    "setting_linear": "linear",
    "setting_cubic": "cubic",
    "component": "Component",
    "version": "Version",
    # The closing summary on the terminal
    "interval": "95 % interval",
    "summary_can_predict": "Predicted: {label}",
    "summary_can_predict_first": "Predicted, on the first of {repeats} splits: {label}",
    "summary_report": "report",
    "summary_bundles": "audit bundles",
    "summary_verify": "Check the bundles, without a network:",
    "summary_sent": "{party} sent",
    "summary_took": "training took",
    "summary_training_sent": "training sent",
    "summary_predicted": "{measured} (predicted {predicted})",
    "summary_left_out": "{rows} rows left out",
    "summary_floor": "fewer than {floor} are not opened",
    "summary_learned": "{party}: {learned}",
    **ENGLISH_RESULTS,
}
