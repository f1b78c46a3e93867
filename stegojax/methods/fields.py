"""From a config's `method` section to a method: its fields are the arguments of a function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from stegojax.errors import InputError
from stegojax.types import Method


def from_fields(function: Callable[..., Method]) -> Callable[..., Method]:
    """Turns a function of named fields into one of a whole section, which refuses unknown fields.

    Args:
      function: `(*, steps_per_epoch, field, other_field=default, ...) -> Method`.

    Returns:
      `(section, *, steps_per_epoch) -> Method`, where `section` maps names of fields to values. It
      raises `InputError` where a field is unknown or missing.
    """
    parameters = dict(inspect.signature(function).parameters)
    parameters.pop("steps_per_epoch", None)
    kinds = inspect.Parameter
    named = {
        name: parameter
        for name, parameter in parameters.items()
        if parameter.kind in (kinds.KEYWORD_ONLY, kinds.POSITIONAL_OR_KEYWORD)
    }
    takes_others = any(parameter.kind == kinds.VAR_KEYWORD for parameter in parameters.values())

    @functools.wraps(function)
    def from_config(section: Mapping[str, Any], *, steps_per_epoch: int) -> Method:
        for name in section:
            if name not in named and not takes_others:
                raise InputError(f"method.{name} is unknown; there are {', '.join(sorted(named))}")
        for name, parameter in named.items():
            if parameter.default is kinds.empty and name not in section:
                raise InputError(f"method.{name} is missing")
        return function(**section, steps_per_epoch=steps_per_epoch)

    return from_config
