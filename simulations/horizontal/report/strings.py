"""The language tables of a horizontal report: the shared sentences, and its own in their place."""

from __future__ import annotations

from collections.abc import Mapping

from simulations.horizontal.report.chinese import HORIZONTAL_CHINESE
from simulations.horizontal.report.english import HORIZONTAL_ENGLISH
from simulations.report.chinese import CHINESE
from simulations.report.english import ENGLISH
from simulations.report.strings import Strings

IN_ENGLISH: Strings = {**ENGLISH, **HORIZONTAL_ENGLISH}
IN_CHINESE: Strings = {**CHINESE, **HORIZONTAL_CHINESE}
LANGUAGES: Mapping[str, Strings] = {"en": IN_ENGLISH, "zh": IN_CHINESE}
"""By the id of the page's half."""
