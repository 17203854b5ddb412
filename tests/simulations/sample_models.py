"""Run reports of labels that are not yes or no, and of models that are not trees."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from protocols.suite import get_suite
from simulations.report.measures import classes, numbers, over_repeats
from simulations.report.worth import Repeat, Worth
from tests.simulations.sample_run import plain_run, shared

CLASSES = ("grocery", "home", "leisure", "travel")


def draws(name: bytes, *shape: int) -> np.ndarray:
    """Uniform numbers in (0, 1)."""
    words = get_suite("gm").stream(bytes(32), name).words(int(np.prod(shape)))
    return (((words >> np.uint64(11)).astype(float) + 0.5) / 2.0**53).reshape(shape)


def made_numbers(count: int = 600, unit: float = 1.0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What customers spend, with a long tail, and three models' predictions of it."""
    known, other, noise = draws(b"numbers", 3, count)
    labels = np.round(unit * np.exp(4.5 + 1.5 * known + 1.5 * other + 0.8 * noise), 2)
    joint = unit * np.exp(4.9 + 1.5 * known + 1.5 * other)
    predictions = {"alone": unit * np.exp(5.7 + 1.5 * known), "joint": joint}
    return labels, predictions | {"pooled": joint * 1.001}


def made_classes(count: int = 600) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Which of four classes customers are of, and three models' probabilities."""
    traits, noise, other = draws(b"classes", 3, count, len(CLASSES)) * 6
    labels = (traits + noise + np.array([1.0, 0.5, 0, -1])).argmax(axis=1)

    def softmax(scores: np.ndarray) -> np.ndarray:
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    joint = softmax(0.8 * traits)
    alone = softmax(0.3 * traits + 0.5 * other)
    return labels, {"alone": alone, "joint": joint, "pooled": joint}


def regression(*, below_zero: bool = False, unit: float = 1.0, **changes: Any) -> dict[str, Any]:
    """Return a run that predicts a number."""
    labels, predictions = made_numbers(unit=unit)
    if below_zero:
        labels, predictions = labels - 500, {which: p - 500 for which, p in predictions.items()}
    return (
        _of_label(
            "What a customer will spend",
            "spent in the year after (spent)",
            numbers(labels, predictions),
            {"objective": "regression"},
        )
        | changes
    )


def multiclass(**changes: Any) -> dict[str, Any]:
    """Return a run that predicts one of several classes."""
    labels, probabilities = made_classes()
    return (
        _of_label(
            "What a customer will buy next",
            f"next category bought (category: {', '.join(CLASSES)})",
            classes(labels, probabilities, CLASSES),
            {"objective": "multiclass", "classes": len(CLASSES)},
        )
        | changes
    )


def _of_label(title: str, label: str, worth: Worth, parameters: dict[str, Any]) -> dict[str, Any]:
    run = plain_run(title=title, label=label)
    run["worth"] = msgspec.to_builtins(worth)
    del run["held_out"]["positives"]
    run["parameters"] = parameters | run["parameters"]
    run["quality"]["bank"]["label"] = None
    return run


def repeated(run: dict[str, Any]) -> dict[str, Any]:
    """Return a run of a number or of classes with three splits."""
    objective = run["worth"]["objective"]
    metrics = run["worth"]["metrics"]
    repeats = [
        {
            "split_seed": 20261121 + number,
            "trained_on": 2900 - number,
            "customers": 600 + number,
            **{
                which: {
                    name: value * (1 + number / 50)
                    for name, value in metrics[which].items()
                    if not name.endswith(("_low", "_high"))
                }
                for which in ("alone", "joint")
            },
        }
        for number in range(3)
    ]
    means = over_repeats(objective, msgspec.convert(repeats, list[Repeat]))
    return run | {"repeats": repeats, "over_repeats": msgspec.to_builtins(means)}


def points_column(
    column: str, iv: float, coefficient: float, *bins: tuple[str, float, float, float]
) -> dict[str, Any]:
    """A scorecard's column from (bin, share, weight of evidence, points)."""
    names = ("bin", "share", "woe", "points")
    made = [dict(zip(names, each, strict=True)) for each in bins]
    return {"column": column, "iv": iv, "coefficient": coefficient, "bins": made}


def points() -> dict[str, Any]:
    """The points of both parties' columns."""
    return {
        "halves": {
            "bank": [
                points_column(
                    "Seniority", 0.4123, 0.9312,
                    ("<= 1", 0.224, 0.871, -23.4), ("> 1 and <= 4.5", 0.261, 0.25, -7),
                    ("> 4.5 and <= 12", 0.297, -0.312, 8), ("> 12 or missing", 0.218, -1.043, 28),
                ),
                points_column(
                    "Job", 0.1907, 1.0421,
                    ("fixed or freelance", 0.81, -0.121, 4),
                    ("partime or any other", 0.17, 0.72, -22),
                    ("missing", 0.02, 0.131, -4),
                ),
            ],
            "retailer": [
                points_column(
                    "Price", 0.6541, 0.8845,
                    ("<= 1125.5", 0.4, -1.2, 31), ("> 1125.5 and <= 1.2e+06", 0.6, 0.9, -23),
                ),
            ],
        },
        "start": 487,
        "base_points": 600,
        "base_odds": 50,
        "points_to_double": 20,
    }  # fmt: skip


def scorecard(**changes: Any) -> dict[str, Any]:
    """Return a run whose model is a scorecard."""
    run = plain_run()
    passives = {"passives": ["retailer"]}
    held_out = {"training": 2921, "held_out": 600} | passives
    own = {"key": "own_coefficients", "values": {"others": ["retailer"]}}
    run["learned"] |= {
        "bank": [
            {"key": "columns", "values": {"others": ["retailer"]}},
            shared("bank", "retailer", 3521),
            {"key": "bin_classes", "values": {"training": 2921} | passives},
            own,
            {"key": "partial_scores", "values": held_out},
        ],
        "retailer": [
            {"key": "columns_and_label", "values": {"others": ["bank"]}},
            shared("retailer", "bank", 3521),
            {"key": "own_evidence", "values": {"training": 2921}},
            own | {"values": {"others": ["bank"]}},
            {"key": "no_scores"},
        ],
    }
    run["train"] |= {"model": "scorecard", "rounds": 5, "wall_s": 21.4, "bytes": 8_123_456}
    run["importance"] = {"bank": {"Seniority": 51.0, "Job": 26.0}, "retailer": {"Price": 54.0}}
    run["gain_by_party"] = {}
    run["points"] = points()
    run["parameters"] = {"bins": 10, "monotone": True, "epochs": 5, "sigmoid": "linear"}
    return run | changes


def network(**changes: Any) -> dict[str, Any]:
    """Return a run whose model is a split network."""
    run = plain_run()
    values = {"training": 2921, "held_out": 600, "units": 8, "passives": ["retailer"]}
    run["learned"] |= {
        "bank": [{"key": "cut_outputs", "values": values}],
        "retailer": [
            {"key": "private_gradients", "values": {"training": 2921, "epsilon": "2"}},
            {"key": "no_scores"},
        ],
    }
    run["train"] |= {"model": "split_network", "rounds": 20, "wall_s": 31.0, "bytes": 4_000_000}
    run["importance"] = {"bank": {"Seniority": 1.7, "Job": 0.8}, "retailer": {"Price": 2.1}}
    run["gain_by_party"] = {}
    sizes = [("own columns 1", 12, 32), ("own columns 2", 32, 8)]
    sizes += [("all parties 1", 16, 32), ("all parties 2", 32, 1)]
    top = [dict(zip(("layer", "inputs", "units"), each, strict=True)) for each in sizes]
    own = top[:2]
    run["layers"] = {"bank": top, "retailer": own}
    run["parameters"] = {"cut_units": 8, "hidden_units": 32, "label_epsilon": "2"}
    return run | changes
