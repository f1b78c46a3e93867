"""What makes a run longer and nothing else: more steps or epochs, or a longer last stage.

No schedule of a method depends on how long its run is. A run that is made longer therefore goes on
to the numbers of one that was that long from the start.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from stegojax import older

LENGTHS = ("steps", "epochs", *(f"method.{name}" for name in older.STAGES))
"""Fields of a config that say how long a run is; those of a method list its stages."""


def changes(saved: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Which lengths of a run grow.

    Args:
      saved: the run's config, as `run.plain` gives it.
      given: what is asked for.

    Returns:
      A line for every length that differs; none where one of them is shorter or is not of the same
      form, or where none differs.
    """
    lines = []
    for name in LENGTHS:
        old, new = (
            functools.reduce(
                lambda section, part: (section or {}).get(part), name.split("."), config
            )
            for config in (saved, given)
        )
        if old == new or not (old or new):
            continue
        if not _extends(old, new):
            return []
        lines.append(f"{name} from {_shown(old)} to {_shown(new)}")
    return lines


def _extends(old: Any, new: Any) -> bool:
    """Whether the new length is the old one, but longer at its end."""
    if isinstance(old, Sequence) and isinstance(new, Sequence):
        alike = len(old) == len(new) > 0 and list(old[:-1]) == list(new[:-1])
        return alike and (old[-1] == new[-1] or _extends(old[-1], new[-1]))
    numbers = all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in (old, new)
    )
    return numbers and 0 < old < new


def _shown(value: Any) -> str:
    return str(tuple(value) if isinstance(value, list) else value)
