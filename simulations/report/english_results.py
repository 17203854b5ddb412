"""What joining was worth and what the model is like, in English."""

from __future__ import annotations

from simulations.report.strings import Strings

ENGLISH_RESULTS: Strings = {
    # The headline
    "headline_binary_more": "Joined with {partners}, {active} ranks customers better: AUC {joint} "
    "instead of {alone}, a gain of {difference} (95 % interval {low} to {high}).",
    "headline_binary_less": "Joined with {partners}, {active} ranks customers worse: AUC {joint} "
    "instead of {alone}, a loss of {difference} (95 % interval {low} to {high}).",
    "headline_binary_unclear": "Joining with {partners} made no difference for {active} that "
    "{customers} held-out customers can show: AUC {joint} joined and {alone} alone, a difference "
    "of {difference} (95 % interval {low} to {high}, which includes zero).",
    "headline_regression_less": "Joined with {partners}, {active} predicts more closely: RMSE "
    "{joint} instead of {alone}, {difference} less (95 % interval {low} to {high}).",
    "headline_regression_more": "Joined with {partners}, {active} predicts less closely: RMSE "
    "{joint} instead of {alone}, {difference} more (95 % interval {low} to {high}).",
    "headline_regression_unclear": "Joining with {partners} made no difference for {active} that "
    "{customers} held-out customers can show: RMSE {joint} joined and {alone} alone, a difference "
    "of {difference} (95 % interval {low} to {high}, which includes zero).",
    "headline_multiclass_more": "Joined with {partners}, {active} names the right class more "
    "often: for {joint} of customers instead of {alone}, {difference} more (95 % interval {low} "
    "to {high}).",
    "headline_multiclass_less": "Joined with {partners}, {active} names the right class less "
    "often: for {joint} of customers instead of {alone}, {difference} fewer (95 % interval {low} "
    "to {high}).",
    "headline_multiclass_unclear": "Joining with {partners} made no difference for {active} that "
    "{customers} held-out customers can show: the right class for {joint} of them joined and for "
    "{alone} alone, a difference of {difference} (95 % interval {low} to {high}, which includes "
    "zero).",
    "repeated_headline_binary_more": "Joined with {partners}, {active} ranks customers better: "
    "mean AUC {joint} instead of {alone} over {repeats} splits, a gain of {difference} (corrected "
    "95 % interval {low} to {high}).",
    "repeated_headline_binary_less": "Joined with {partners}, {active} ranks customers worse: "
    "mean AUC {joint} instead of {alone} over {repeats} splits, a loss of {difference} (corrected "
    "95 % interval {low} to {high}).",
    "repeated_headline_binary_unclear": "Joining with {partners} made no difference for {active} "
    "that {repeats} splits can show: mean AUC {joint} joined and {alone} alone, a difference of "
    "{difference} (corrected 95 % interval {low} to {high}, which includes zero).",
    "repeated_headline_regression_less": "Joined with {partners}, {active} predicts more closely: "
    "mean RMSE {joint} instead of {alone} over {repeats} splits, {difference} less (corrected "
    "95 % interval {low} to {high}).",
    "repeated_headline_regression_more": "Joined with {partners}, {active} predicts less closely: "
    "mean RMSE {joint} instead of {alone} over {repeats} splits, {difference} more (corrected "
    "95 % interval {low} to {high}).",
    "repeated_headline_regression_unclear": "Joining with {partners} made no difference for "
    "{active} that {repeats} splits can show: mean RMSE {joint} joined and {alone} alone, a "
    "difference of {difference} (corrected 95 % interval {low} to {high}, which includes zero).",
    "repeated_headline_multiclass_more": "Joined with {partners}, {active} names the right class "
    "more often: over {repeats} splits for a mean {joint} of customers instead of {alone}, "
    "{difference} more (corrected 95 % interval {low} to {high}).",
    "repeated_headline_multiclass_less": "Joined with {partners}, {active} names the right class "
    "less often: over {repeats} splits for a mean {joint} of customers instead of {alone}, "
    "{difference} fewer (corrected 95 % interval {low} to {high}).",
    "repeated_headline_multiclass_unclear": "Joining with {partners} made no difference for "
    "{active} that {repeats} splits can show: the right class for a mean {joint} of customers "
    "joined and {alone} alone, a difference of {difference} (corrected 95 % interval {low} to "
    "{high}, which includes zero).",
    "two_tables": "both tables",
    "all_tables": "all tables",
    "pooled_same": "Joining {tables} in the clear gives the same: {measure} {pooled}.",
    "pooled_same_first": "On the first split, joining {tables} in the clear gives the same: "
    "{measure} {pooled}.",
    "pooled_other": "Joining {tables} in the clear gives {measure} {pooled}; the joint model "
    "differs from it by {difference} (95 % interval {low} to {high}).",
    "pooled_other_first": "On the first split, joining {tables} in the clear gives {measure} "
    "{pooled}; the joint model differs from it by {difference} (95 % interval {low} to {high}).",
    "pooled_none": "The tables were not joined in the clear for comparison: the scenario does not "
    "allow it.",
    "pooled_true_labels": "In the clear the whole network learned from the true labels, in the "
    "joint training only {active}'s own part did.",
    "percentage_points": "{number} percentage points",
    "tile_customers": "customers of {party}",
    "tile_shared": "shared customers",
    "tile_common": "customers common to all",
    "tile_gain": "{measure}, joint minus alone",
    "tile_gain_points": "{measure} in percentage points, joint minus alone",
    "tile_lift": "lift in the best {share}; alone {alone}",
    "tile_second": "{measure}, joint; alone {alone}",
    # What joining was worth
    "worth": "What joining was worth",
    "worth_how": "Measured on {customers} shared customers that no model learned from; the models "
    "learned from {trained_on} others. All organisations chose the same held-out customers by a "
    "hash of the identifier and a seed.",
    "balance_binary": "{positives} of the {customers} held-out customers ({share}) had the "
    "outcome.",
    "balance_regression": "Saying the mean of these {customers} customers to each of them would "
    "give an RMSE of {usual}: a model has to beat that.",
    "balance_multiclass": "There are {classes} classes. Always naming the commonest of the "
    "{customers} held-out customers, {name}, would be right for {share}: a model has to beat that.",
    "model": "Model",
    "model_alone": "{active} alone",
    "model_joint": "{active} with {partners}, each keeping its data",
    "model_pooled": "{tables} joined in the clear",
    "short_alone": "alone",
    "short_joint": "joint",
    "short_pooled": "pooled",
    "measure_auc": "AUC",
    "measure_mean_auc": "mean AUC",
    "measure_ks": "KS",
    "measure_rmse": "RMSE",
    "measure_mae": "MAE",
    "measure_r2": "R²",
    "measure_accuracy": "accuracy",
    "measure_log_loss": "log loss",
    "with_interval": "{measure} (95 % interval)",
    "help_binary": "AUC is the chance that a customer with the outcome gets a higher score than "
    "one without; 0.5 is guessing, 1 is perfect. KS is the largest gap between the two "
    "groups' score distributions. Intervals: DeLong for AUC, stratified bootstrap for KS.",
    "help_regression": "RMSE is the root of the mean squared error and MAE the mean error without "
    "its sign, both in the unit of what is predicted: less is better. R² is the share of the "
    "differences between customers that the model explains; 0 is as good as saying the mean to "
    "everybody. Intervals: delta method, on the same customers for the difference.",
    "help_multiclass": "Accuracy is the share of customers whose class the model names. Log loss "
    "counts how sure it was of the right class: less is better, 0 is perfect. Mean AUC is the "
    "mean over the classes of the chance that a customer of the class gets a higher probability "
    "of it than another customer. Intervals: Wilson for accuracy, Agresti and Min for the "
    "difference.",
    "difference": "Difference in {measure} (95 % interval)",
    "joint_minus_alone": "joint minus alone",
    "joint_minus_pooled": "joint minus pooled",
    "chart_intervals": "{measure} with 95 % intervals",
    "chart_per_cent": "{measure} (%)",
    "chart_roc": "ROC curve",
    "chart_roc_x": "False-positive rate (%)",
    "chart_roc_y": "True-positive rate (%)",
    "chart_gain": "Cumulative gain",
    "chart_gain_x": "Customers contacted, best score first (%)",
    "chart_gain_y_binary": "Reached, of all with the outcome (%)",
    "chart_gain_y_regression": "Reached, of the total (%)",
    "chart_lift": "Lift among the best-scored",
    "chart_lift_x": "Best-scored customers",
    "chart_lift_y": "Lift (times chance)",
    "chart_calibration": "Calibration",
    "chart_calibration_x_binary": "Mean score of a tenth (%)",
    "chart_calibration_y_binary": "Had the outcome (%)",
    "chart_calibration_x_regression": "Mean prediction of a tenth",
    "chart_calibration_y_regression": "Mean of what was observed",
    "chart_chance_binary": "Grey diagonal: what chance gives. In Calibration: scores that equal "
    "what was observed.",
    "chart_chance_regression": "Grey diagonal in Calibration: predictions that equal what was "
    "observed. Elsewhere: what chance gives.",
    "count_customers": "{customers} customers",
    "reach": "Customers reached",
    "reach_how_binary": "If only the best-scored customers are contacted: how many times more of "
    "them have the outcome than among customers taken by chance (lift), and which share of all "
    "with the outcome they hold (gain).",
    "reach_how_regression": "If only the customers with the highest predictions are contacted: "
    "how many times the mean of all customers theirs is (lift), and which share of the total of "
    "all customers they hold (gain).",
    "best_scored": "Best-scored",
    "lift": "lift",
    "gain": "gain",
    "decisions": "Decisions at the threshold",
    "decisions_how": "A score of {threshold} or more is counted as yes. Always answering {usual} "
    "would already be right for {share} of these customers: accuracy has to beat that.",
    "answer_yes": "yes",
    "answer_no": "no",
    "answered": "Model says",
    "happened_yes": "Outcome",
    "happened_no": "No outcome",
    "precision": "Precision",
    "recall": "Recall",
    "accuracy": "Accuracy",
    "precision_none": "nobody answered yes",
    "classes": "Class by class",
    "classes_how": "Found: of the customers of a class, those the model puts in it. Right: of "
    "those the joint model puts in a class, the customers who are in it. AUC: how well the "
    "class's probability tells its customers from all others.",
    "one_class": "Class",
    "chart_found": "Found, class by class",
    "chart_found_x": "Found, of the class's customers (%)",
    "found": "Found, {which}",
    "right": "Right, joint",
    "mistaken_for": "Most often mistaken for, joint",
    "repeats": "Repeated splits",
    "repeats_how": "The shared customers were split {repeats} times, and models trained and "
    "measured anew each time. Charts and tables above show the first split. Results of splits of "
    "the same customers are correlated, so the intervals of the means are corrected for it "
    "(corrected resampled t interval, Nadeau and Bengio 2003).",
    "split": "Split",
    "customers": "Customers",
    "mean_interval": "Mean (95 % interval)",
    "measure_of": "{measure} {which}",
    # What the model is like
    "model_boosted_trees": "boosted trees",
    "model_scorecard": "a scorecard",
    "model_split_network": "a split neural network",
    "importance": "What the model used",
    "importance_shares": "Share of the model's gain, by whose columns it splits on:",
    "importance_columns_of": "columns of {party}",
    "importance_how_boosted_trees": "Bars compare the columns of one organisation with each "
    "other, never across organisations. The party with the label counts gain; the others, which "
    "never learn gain, count the training customers their splits divide. In a deployment each "
    "sees its own list only.",
    "importance_how_scorecard": "By how many points a column can move a customer's score, as a "
    "share of all columns of its organisation. In a deployment each sees its own list only.",
    "importance_how_split_network": "How strongly the first layer of an organisation's network "
    "weighs a column, as a share of all its columns: a rough guide, never comparable across "
    "organisations. In a deployment each sees its own list only.",
    "importance_none": "no column of this party was used",
    "importance_group": "This report is {active}'s: the columns of {party} are shown as a group.",
    "points": "The points table",
    "points_how": "A customer's score is the sum of the points of its bins. Fewer points mean "
    "that the outcome is likelier: {base_points} points are odds of {base_odds} to 1 against it, "
    "and every {points_to_double} points more double these odds.",
    "points_start": "Every customer begins with {points} points.",
    "points_kept": "{party}: {kept} of {columns} columns are in the scorecard.",
    "points_joint": "All organisations agreed that {active} gets the whole table; without that, "
    "each would see the points of its own columns only.",
    "points_each": "Each organisation's node prints the points of its own columns only; this "
    "simulation puts them side by side.",
    "points_group": "This report is {active}'s: {party} alone can print the points of its columns.",
    "points_column": "Column and bin",
    "points_share": "Share",
    "points_woe": "WOE",
    "points_points": "Points",
    "points_facts": "information value {iv}, coefficient {coefficient}",
    "points_turned": "counts against its own weight of evidence",
    "points_help": "WOE, the weight of evidence, is above zero where the outcome is more frequent "
    "than among all training customers. Information value says how well a column separates the "
    "two classes by itself: by the usual rule of thumb little below 0.02, and suspiciously much "
    "above 0.5. Share: of the training customers.",
    "bin_and": " and ",
    "bin_or": " or ",
    "bin_missing": "missing",
    "bin_any_other": "any other",
    "bin_any_value": "any value",
    "layers": "The network's layers",
    "layers_how": "Each organisation keeps its own part. What {partners} sends for a customer is "
    "what the last layer of its part gives.",
    "layer_own": "own columns, layer {number}",
    "layer_joint": "all organisations, layer {number}",
    "layer": "Layer",
    "inputs": "Inputs",
    "units": "Units",
}
