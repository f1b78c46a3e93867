"""From a config's `method` section to a method: its fields are the arguments of a function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from stegojax.errors import InputError
from stegojax.types import Method

Kind = TypeVar("Kind")


def from_fields(
    function: Callable[..., Method], *, others: Sequence[Callable] = ()
) -> Callable[..., Method]:
    """Turns a function of named fields into one of a whole section, which refuses unknown fields.

    Args:
      function: `(*, steps_per_epoch, field, other_field=default, ...) -> Method`.
      others: functions whose arguments are fields too; `function` takes them as keywords and hands
        them on.

    Returns:
      `(section, *, steps_per_epoch, load=None) -> Method`, where `section` maps names of fields to
      values, and `load` is passed on to functions that take it. It raises `InputError` where a
      field is unknown or missing.
    """
    takes_runs = "load" in inspect.signature(function).parameters
    named: dict[str, inspect.Parameter] = {}
    for part in (*others, function):
        named |= inspect.signature(part).parameters
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = {
        name: parameter.default is inspect.Parameter.empty
        for name, parameter in named.items()
        if parameter.kind in kinds and name not in ("steps_per_epoch", "load")
    }

    @functools.wraps(function)
    def from_config(section: Mapping[str, Any], *, steps_per_epoch: int, load=None) -> Method:
        for name in section:
            if name not in needed:
                raise InputError(f"method.{name} is unknown; there are {', '.join(sorted(needed))}")
        for name, is_needed in needed.items():
            if is_needed and name not in section:
                raise InputError(f"method.{name} is missing")
        runs = {"load": load} if takes_runs else {}
        return function(**section, steps_per_epoch=steps_per_epoch, **runs)

    return from_config


def read(
    kind: type[Kind], section: Mapping[str, Any], *, renamed: Mapping[str, str] | None = None
) -> Kind:
    """A config's section as the NamedTuple that describes it.

    Args:
      kind: a NamedTuple; its fields are the section's, and its defaults stand for absent ones.
      section: names of fields to values; "name" is passed over.
      renamed: names that older configs have -> today's.

    Returns:
      The NamedTuple.

    Raises:
      InputError: a field is unknown or missing.
    """
    known = kind._fields
    values = {(renamed or {}).get(name, name): value for name, value in section.items()}
    values.pop("name", None)
    for name in values:
        if name not in known:
            raise InputError(f"method.{name} is unknown; there are {', '.join(sorted(known))}")
    for name in known:
        if name not in values and name not in kind._field_defaults:
            raise InputError(f"method.{name} is missing")
    return kind(**values)
