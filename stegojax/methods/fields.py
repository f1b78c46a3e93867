"""A config's `method` section as NamedTuples, which say what fields it has and their defaults."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from stegojax import optimizers, settings
from stegojax.errors import InputError

Kind = TypeVar("Kind")


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
      InputError: as `read_parts`.
    """
    return read_parts(
        (kind,), {(renamed or {}).get(name, name): value for name, value in section.items()}
    )[0]


def read_parts(kinds: tuple[type, ...], section: Mapping[str, Any]) -> tuple[Any, ...]:
    """A config's section as several NamedTuples, each with fields of its own.

    Args:
      kinds: NamedTuples, as for `read`.
      section: names of fields to values; "name" is passed over.

    Returns:
      One of each.

    Raises:
      InputError: a field is unknown or missing, or a value is of another kind than its field.
    """
    known = sorted(name for kind in kinds for name in kind._fields)
    for name in section:
        if name not in (*known, "name"):
            raise InputError(f"method.{name} is unknown; there are {', '.join(known)}")
    for kind in kinds:
        hints = typing.get_type_hints(kind)
        for name in kind._fields:
            if name not in section and name not in kind._field_defaults:
                raise InputError(f"method.{name} is missing")
            if name in section:
                settings.need(f"method.{name}", section[name], hints[name])
                if name.endswith(optimizers.SECTION):
                    optimizers.check(section[name], place=f"method.{name}")
    return tuple(
        kind(**{name: section[name] for name in kind._fields if name in section}) for kind in kinds
    )
