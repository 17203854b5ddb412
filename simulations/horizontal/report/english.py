"""What the report and the closing summary of a horizontal run say beyond every report, in English.

A key that the shared tables have as well says it for this kind of run.
"""

from __future__ import annotations

from simulations.report.strings import Strings

HORIZONTAL_ENGLISH: Strings = {
    # The headline
    "headline_more": "Learning together, {count} organisations rank their own customers better: "
    "mean AUC {joint} instead of {alone} alone, a gain of {difference} (95 % interval {low} to "
    "{high}).",
    "headline_less": "Learning together, {count} organisations rank their own customers worse: "
    "mean AUC {joint} instead of {alone} alone, a loss of {difference} (95 % interval {low} to "
    "{high}).",
    "headline_unclear": "Learning together made no difference that {customers} held-out customers "
    "of {count} organisations can show: mean AUC {joint} together and {alone} alone, a difference "
    "of {difference} (95 % interval {low} to {high}, which includes zero).",
    "repeated_headline_more": "Learning together, {count} organisations rank their own customers "
    "better: mean AUC {joint} instead of {alone} alone over {repeats} splits, a gain of "
    "{difference} (corrected 95 % interval {low} to {high}).",
    "repeated_headline_less": "Learning together, {count} organisations rank their own customers "
    "worse: mean AUC {joint} instead of {alone} alone over {repeats} splits, a loss of "
    "{difference} (corrected 95 % interval {low} to {high}).",
    "repeated_headline_unclear": "Learning together made no difference that {repeats} splits of "
    "the customers of {count} organisations can show: mean AUC {joint} together and {alone} "
    "alone, a difference of {difference} (corrected 95 % interval {low} to {high}, which includes "
    "zero).",
    "headline_unmeasured": "What learning together was worth cannot be told: no organisation has "
    "enough held-out customers of both outcomes.",
    "gains": "Of {measured} organisations measured, {more} gained and {less} lost; for "
    "{clearly_more} the gain, and for {clearly_less} the loss, is larger than the choice of "
    "customers explains (95 % intervals, each organisation taken by itself).",
    "clear_same": "It cost no accuracy that can be shown: joining all tables in the clear gives "
    "AUC {pooled}, learning apart and encrypted {joint}, a difference of {difference} (95 % "
    "interval {low} to {high}).",
    "clear_less": "It cost accuracy: joining all tables in the clear gives AUC {pooled}, learning "
    "apart and encrypted {joint}, a difference of {difference} (95 % interval {low} to {high}).",
    "clear_more": "It cost no accuracy: joining all tables in the clear gives AUC {pooled}, "
    "learning apart and encrypted {joint}, a difference of {difference} (95 % interval {low} to "
    "{high}).",
    "clear_noise": "The noise for the privacy budget is part of that difference: the joined tables "
    "were learned from without any.",
    "clear_unmeasured": "Joining all tables in the clear gives AUC {pooled}, learning apart and "
    "encrypted {joint}; there are too few held-out customers for an interval.",
    "present_all": "All {count} organisations took part in each of the {sums} encrypted sums.",
    "present_most": "In {incomplete} of {sums} encrypted sums somebody was missing; the model then "
    "follows the average of those who took part.",
    "present_lost": "{lost} of {sums} could not be opened; the next sum did the same work again.",
    "tile_parties": "organisations",
    "tile_all_customers": "customers, {share} left",
    "tile_joined": "AUC, together minus alone",
    "tile_clear": "AUC, together minus joined in the clear",
    "tile_sums": "sums opened, of {sums}",
    "tile_epsilon": "epsilon at most, of the {epsilon} agreed",
    # What joining was worth, by organisation
    "worth": "What joining was worth to each",
    "worth_how": "Every organisation holds back some customers that no model learned from, chosen "
    "by a hash of the identifier and a seed, and ranks them twice: with a model of its own "
    "customers only, and with the model all trained together.",
    "worth_repeated": "Values are means over {repeats} splits; intervals are corrected for splits "
    "of the same customers being alike (corrected resampled t interval, Nadeau and Bengio 2003).",
    "worth_once": "Intervals are DeLong's.",
    "worth_none": "An organisation with fewer than two held-out customers of an outcome has no "
    "AUC, and does not count in the means.",
    "help_auc": "AUC is the chance that a customer who left gets a higher score than one who "
    "stayed; 0.5 is guessing, 1 is perfect.",
    "organisation": "Organisation",
    "alone": "Alone",
    "together": "Together",
    "gain_interval": "Gain (95 % interval)",
    "all_weighted": "all, weighted by held-out customers",
    "held_out_count": "{customers} held out",
    "not_measured": "not measured",
    "chart_apart": "AUC of each organisation",
    "chart_apart_x": "AUC on its own held-out customers",
    "chart_scatter": "AUC of each organisation",
    "chart_scatter_x": "AUC alone",
    "chart_scatter_y": "AUC together",
    "chart_scatter_help": "One dot is one organisation; above the diagonal it gained.",
    # Against learning in the clear
    "compared": "Did learning apart and encrypted cost accuracy?",
    "clear_how": "Two ways of looking: within the organisations, each ranks its own customers and "
    "the AUCs are averaged, weighted by held-out customers; over all, the customers of all "
    "organisations are put in one ranking. {customers} customers were held out, {trained_on} "
    "learned from.",
    "clear_how_repeated": "Two ways of looking: within the organisations, each ranks its own "
    "customers and the AUCs are averaged, weighted by held-out customers; over all, the customers "
    "of all organisations are put in one ranking. Means over {repeats} splits; on the first, "
    "{customers} customers were held out and {trained_on} learned from.",
    "within": "AUC within the organisations",
    "over_all": "AUC over all",
    "each_alone": "each organisation alone",
    "all_together": "together, encrypted",
    "all_pooled": "all tables joined in the clear",
    "short_joint": "together",
    "short_pooled": "in the clear",
    "joint_minus_alone": "together minus alone",
    "joint_minus_pooled": "together minus in the clear",
    "chart_differences": "Differences in AUC with 95 % intervals",
    "chart_differences_x": "Difference in AUC",
    "chart_learning": "AUC by training round",
    "chart_learning_x": "Training round",
    "chart_learning_y": "AUC over all",
    "chart_learning_help": "The simulation measures after every round on the held-out customers of "
    "all organisations; in a deployment nobody could.",
    "precision_kept": "Encryption itself changed the model by at most {largest} in any of its "
    "{parameters} numbers, compared with plain federated averaging of the same updates; the "
    "method states a bound of {bound}.",
    "precision_broken": "Encryption changed the model by {largest} in one of its {parameters} "
    "numbers, more than the bound of {bound} that the method states. Do not use this model.",
    "precision_exact": "Encryption itself changed nothing: each of the model's {parameters} "
    "numbers is what plain federated averaging of the same updates gives.",
    # Split by split
    "repeats_how": "The customers were split {repeats} times, and models trained and measured anew "
    "each time, side by side in the same encrypted sums.",
    "repeats_help": "Alone and together: AUC within the organisations. Together minus in the "
    "clear: AUC over all.",
    "mean": "Mean",
    "joined_gain": "Together minus alone",
    "joined_cost": "Together minus in the clear",
    # Who took part
    "rounds": "Who took part, round by round",
    "rounds_how": "Each sum adds the organisations' encrypted contributions: first the statistics "
    "that columns are scaled by, then one sum a training round, last the counts of the "
    "evaluation. A sum of fewer than {floor} contributions is never opened.",
    "rounds_masked": "If an organisation drops out of a round, any {threshold} of those who stay "
    "can take its masks off with their shares of its secrets; its contribution is not in the sum.",
    "rounds_unmasked": "If an organisation drops out of a round, the sum is of the others.",
    "in_sum": "took part",
    "away": "missing",
    "sum_lost": "sum not opened",
    "of_sums": "{present}/{sums}",
    "attended_all": "{party}: in all {sums} sums",
    "attended_some": "{party}: in {present} of {sums} sums; missing in {missing}",
    "attended_many": "{party}: in {present} of {sums} sums",
    "sum_statistics": "statistics",
    "sum_round": "round {round}",
    "sum_evaluation": "evaluation",
    "incidents": "Sums in which somebody was missing, or that were not opened",
    "incidents_none": "Nobody was missing in any sum, and every sum was opened.",
    "incidents_more": "{more} more are in metrics.json.",
    "sum": "Sum",
    "sum_number": "sum {number}",
    "contributions": "Contributions",
    "who_was_missing": "Missing",
    "not_opened": "not opened",
    "absent_no_answer": "{party} (no answer in time)",
    "absent_next_epoch": "{party} (away when the keys were agreed; joins at the next agreement)",
    "absent_refused": "{party} (contribution refused)",
    "and_others": "{names} and {more} others",
    # Who reads what
    "reads": "Who could read what",
    "reads_how": "What keeps one organisation's update from the others and from the coordinator, "
    "and who would have to work together to read it. The review of the job prints these lines "
    "before an organisation approves it.",
    "method": "How updates are added",
    "method_masked_he": "pairwise masks under homomorphic encryption (BFV): the masks keep an "
    "update from whoever holds the key, the encryption keeps the sum from the coordinator",
    "method_masks": "pairwise masks alone",
    "method_ckks": "homomorphic encryption (CKKS) under one key that all organisations hold",
    "method_paillier": "homomorphic encryption (Paillier, packed) under one key that all "
    "organisations hold",
    "every_organisation": "every organisation",
    "learned_spec": "from the signed job: who takes part, the {columns} columns, what is "
    "predicted, and all parameters",
    "learned_statistics": "over the learning customers of all that took part: how many they are, "
    "how many left, and each column's sum and sum of squares",
    "learned_statistics_private": "how many learning customers took part in all, to which each "
    "organisation added noise of its own; columns are scaled by agreed ranges",
    "learned_rounds": "after each training round, the mean of all updates in it and the number of "
    "customers behind it, and so the joint model of {parameters} numbers as it grew",
    "learned_evaluation": "how the held-out customers of all together are spread over the scores, "
    "by outcome",
    "learned_evaluation_private": "how the held-out customers of all together are spread over the "
    "scores, by outcome, to which each organisation added noise of its own",
    "learned_contributors": "who took part in which sum",
    "learned_repeated": "the same for each of {repeats} splits: sums over sets of customers that "
    "overlap",
    "learned_difference": "from two sums with different contributors: something about those who "
    "are in one and not in the other; a party's own update can always be taken off a sum",
    "learned_private": "what all this can tell of any one customer of another organisation is "
    "bounded by that organisation's epsilon",
    "learned_pair": "of each sum of two contributions, for who is in it: the other's part, which "
    "is the sum less its own",
    "learned_no_rows_of_pairs": "no customer, purchase or score of another organisation",
    "learned_no_rows": "no customer, purchase or score of another organisation, and no single "
    "organisation's update or count",
    "learned_coordinator_traffic": "who answered when, and the sizes of what was sent",
    "learned_coordinator_nothing": "no secret key, no update, no count and no sum: it adds "
    "ciphertexts it cannot open, and the model stays with the organisations",
    "learned_coordinator_masks": "no secret key, no update, no count and no sum: what it adds is "
    "covered by masks, which the organisations take off; the model stays with them",
    # Privacy
    "privacy": "Privacy budget",
    "privacy_how": "One customer is the unit: each organisation cuts every customer's part in a "
    "gradient to a norm of {clip_norm} and adds noise of its own that alone meets the budget (DP-"
    "SGD), whatever the others do. Delta is {delta}.",
    "privacy_epsilon": "Epsilon says by how much at most a conclusion about one customer can "
    "depend on that customer being in the data; smaller is stronger.",
    "privacy_none": "No differential privacy was agreed. The encrypted sums hide each "
    "organisation's update; they do not bound what the finished model, or the mean of a round, "
    "tells of single customers.",
    "agreed": "Agreed",
    "spent": "Spent in this job",
    "spent_in_total": "Spent in all jobs",
    # Cost
    "cost": "Traffic and time",
    "cost_how": "All organisations shared this one machine; between machines of their own the "
    "local training runs side by side. Messages are those sent; own work is the mean of the "
    "training rounds.",
    "took": "Whole job",
    "per_round": "A training round",
    "memory": "Largest memory, all processes",
    "memory_unknown": "not measured",
    "received": "Received",
    "own_work": "Own work, a round",
    "by_step": "By step of the protocol",
    "by_step_how": "What all organisations sent and received, without the coordinator's own.",
    "step": "Step",
    "step_advertise": "advertise keys",
    "step_share": "share secrets",
    "step_contribute": "contribute",
    "step_consist": "sign the list of contributors",
    "step_unmask": "take the masks off",
    "step_finish": "hand over the last sum",
    "step_close": "close",
    # What was asked, what each brought
    "asked_window": "Looked at",
    "asked_window_how": "customers who bought something in the {active} days up to {cut}; their "
    "purchases of the {history} days up to it; left means no purchase in the {horizon} days after "
    "it",
    "strategy": "Training",
    "strategy_of": "{strategy}, {rounds} rounds",
    "model_logistic_regression": "logistic regression, {parameters} numbers",
    "model_multilayer_perceptron": "multilayer perceptron, {parameters} numbers",
    "terms": "Terms",
    "term_of": "{jurisdiction}; its contribution is added to those of {others} others or more; "
    "legal basis: {basis}",
    "brought": "What each brought",
    "brought_how": "Each organisation makes its table from its own purchase lines on its own node. "
    "A line that cannot be used stays there, in a reject file with its number and the reason; "
    "only counts leave it.",
    "lines": "Purchase lines",
    "rejected": "Rejected",
    "left": "Left",
    "all": "all",
    # Limits
    "limit_poison": "Nobody can look at a single update, so an organisation that sends a "
    "misleading one within the agreed bound is not detected.",
    "limit_model": "Every organisation holds the joint model. What a model tells of the customers "
    "it learned from is not measured here.",
    "limit_customers": "Customers of different organisations are taken to be different people. "
    "Nothing here checks whether somebody buys at two of them.",
    # Words of the shared templates that mean something else here
    "use_curve": "signatures, and agreeing on masks and keys",
    "use_seal": "sealing shares, keys, states and models",
    "use_stream": "masks, and random streams from secret seeds",
    "reason_missing_number": "number missing",
    "reason_number_out_of_range": "number out of range",
    "reason_missing_date": "date missing",
    "reason_date_out_of_range": "date out of range",
    "reason_cancelled": "basket cancelled",
    "parameter_rounds": "training rounds",
    "parameter_strategy": "strategy",
    "parameter_local_epochs": "passes over an organisation's customers in a round",
    "parameter_proximal": "proximal term (mu) of FedProx",
    "parameter_server_learning_rate": "learning rate of the server optimiser",
    "parameter_beta1": "first moment's decay",
    "parameter_beta2": "second moment's decay",
    "parameter_tau": "adaptivity (tau) of FedAdam",
    "parameter_hidden": "units of the hidden layers",
    "parameter_method": "method of adding",
    "parameter_update_bound": "bound on each number of an update",
    "parameter_minimum_contributors": "fewest contributions in a sum that is opened",
    "parameter_threshold": "organisations whose shares recover masks",
    "parameter_key_rounds": "sums for which one sharing of secrets lasts",
    "parameter_round_deadline_s": "seconds a round waits for an organisation",
    "parameter_epsilon": "epsilon agreed for each organisation's part",
    "parameter_delta": "delta",
    "parameter_clip_norm": "norm a customer's gradient is cut to",
    "parameter_horizon_days": "days of silence after the cut that count as left",
    "parameter_active_days": "days before the cut with a purchase",
    "parameter_history_days": "days before the cut that features look at",
    "parameter_cut": "last day the features look at",
    "parameter_rules": "rules for the features",
    "parameter_minimum_held_out": "fewest held-out customers measured on",
    "setting_fedavg": "FedAvg",
    "setting_fedprox": "FedProx",
    "setting_fedadam": "FedAdam",
    # The closing summary on the terminal
    "summary_reads": "Who could read what",
    "summary_sent_mean": "Sent by an organisation",
    "summary_more_parties": "{more} more are in the report",
}
