"""When a simulation's job was made and when it expires, as specs hold times."""

from __future__ import annotations

from datetime import datetime, timedelta

_LIFE = timedelta(days=7)


def job_times(now: datetime) -> tuple[str, str]:
    """Return creation and expiry of a job made ``now`` (UTC): RFC 3339, ending in Z."""
    return _rfc3339(now), _rfc3339(now + _LIFE)


def _rfc3339(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
