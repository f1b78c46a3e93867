"""What the values of a config may be: the one check of configs that a person gives and of those
that runs hold. It needs neither JAX nor data, so that a wrong value is answered at once.

Fields of `method` and `data` that are not listed here are known to the method and the kind of data
alone, which check them in turn; here they must be whole values: no number is NaN or infinite.
"""

from __future__ import annotations

import collections.abc
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from stegojax.errors import InputError

SECTIONS = ("method", "data", "loader", "evaluation", "report", "checkpoint")
"""What a run's config is divided into."""

DTYPES = ("float32", "bfloat16", "float16")
"""What `method.dtype` may name."""


_LARGEST = 1 << 16
"""Side of a picture, and length of a sentence."""


class Rule(NamedTuple):
    """What a field may hold.

    holds: whether a value is allowed.
    words: in words, what is.
    """

    holds: Callable[[Any], bool]
    words: str


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number; True and False are none.

    Args:
      value: any.

    Returns:
      The answer.
    """
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number.

    Args:
      value: any.

    Returns:
      The answer.
    """
    return is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _whole(least: int, most: int | None = None) -> Rule:
    if most is None:
        return Rule(lambda value: is_whole(value) and value >= least, f"a whole number >= {least}")
    return Rule(
        lambda value: is_whole(value) and least <= value <= most,
        f"a whole number from {least} to {most}",
    )


def _is_size(value: Any) -> bool:
    sides = str(value).split("x")
    return (
        (is_whole(value) or isinstance(value, str))
        and len(sides) <= 2
        and all(side.isascii() and side.isdigit() and int(side) <= _LARGEST for side in sides)
    )


_NUMBER = Rule(lambda value: is_number(value) and value >= 0, "a number >= 0")
_POSITIVE = Rule(lambda value: is_number(value) and value > 0, "a number above 0")
_SHARE = Rule(lambda value: is_number(value) and 0 <= value <= 1, "a number from 0 to 1")
_TEXT = Rule(lambda value: isinstance(value, str), "a text")
_NAME = Rule(lambda value: isinstance(value, str) and value != "", "a name")
_LIST = Rule(
    lambda value: isinstance(value, list | tuple) and all(isinstance(each, str) for each in value),
    "a list of texts",
)
_SIZE = Rule(_is_size, "a size in pixels, such as 64 or 64x96")

RULES = {
    "seed": _whole(0, 2**32 - 1),
    "batch_size": _whole(1),
    "steps": _whole(0),
    "epochs": _NUMBER,
    "log_every": _whole(1),
    "loader.workers": _whole(0),
    "loader.threads": _whole(1),
    "loader.prefetch": _whole(1),
    "evaluation.every": _whole(1),
    "evaluation.batches": _whole(1),
    "evaluation.crop": _SIZE,
    "evaluation.refresh_batches": _whole(0),
    "report.batches": _whole(1),
    "checkpoint.every": _whole(1),
    "checkpoint.keep": _whole(1),
    "checkpoint.milestones": _whole(0),
    "checkpoint.best": _TEXT,
    "data.kind": _NAME,
    "data.crop": _SIZE,
    "data.length": _whole(1, _LARGEST),
    "data.train_share": _SHARE,
    "data.test_share": _SHARE,
    "data.preprocess": _LIST,
    "data.augment": _LIST,
    "method.name": _NAME,
    "method.width": _POSITIVE,
    "method.steganalyzer_width": _POSITIVE,
    "method.dtype": Rule(lambda value: value in DTYPES, f"one of {', '.join(DTYPES)}"),
}
"""Field with dots -> its rule. A field that is absent is none that is wrong."""

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_ABSENT = object()

NEEDED = ("seed", "method", "method.name", "data", "checkpoint")
"""What a trained run's config must have to be used; a complete one has more."""


def check(config: Mapping[str, Any]) -> None:
    """Refuses values that no run can be made with.

    Args:
      config: of a run or of the security protocol, as nested mappings.

    Raises:
      InputError: with the first such field, what it holds and what it may.
    """
    _check_numbers(config, "")
    _check_run(config, "")
    networks = [("", config), ("report.security.", _get(config, "report.security"))]
    for prefix, section in networks:
        listed = section.get("networks", {}) if isinstance(section, Mapping) else {}
        _need(f"{prefix}networks", listed, Rule(_is_section, "a section"))
        for name, network in listed.items():
            _need(f"{prefix}networks.{name}", network, Rule(_is_section, "a section"))
            _check_run(network, f"{prefix}networks.{name}.")


def check_complete(config: Mapping[str, Any]) -> None:
    """Refuses a config that lacks what a trained run must have.

    Args:
      config: of a run.

    Raises:
      InputError: with the first field that is absent.
    """
    for field in NEEDED:
        if _get(config, field) is _ABSENT:
            raise InputError(f"has no {field}: it is not of a trained run")


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is of the kind that an annotation says.

    Args:
      value: from a config.
      hint: a type as annotations have it: numbers, texts, sequences, mappings, unions of these.

    Returns:
      The answer; True for annotations of other kinds.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, each) for each in inner)
    if hint is type(None):
        return value is None
    simple = {bool: lambda: isinstance(value, bool), int: lambda: is_whole(value)}
    simple |= {float: lambda: is_number(value), str: lambda: isinstance(value, str)}
    if hint in simple:
        return simple[hint]()
    if origin is collections.abc.Mapping:
        return isinstance(value, Mapping)
    if origin is collections.abc.Sequence:
        return isinstance(value, list | tuple) and all(fits(each, inner[0]) for each in value)
    if origin is tuple and Ellipsis not in inner:
        return (
            isinstance(value, list | tuple)
            and len(value) == len(inner)
            and all(map(fits, value, inner))
        )
    return True


def need(field: str, value: Any, hint: Any) -> None:
    """Refuses a value of another kind than its field.

    Args:
      field: its name with dots, for the message.
      value: from a config.
      hint: as for `fits`.

    Raises:
      InputError: the value does not fit.
    """
    words = _WORDS.get(hint) or str(hint).replace("collections.abc.", "").replace("typing.", "")
    _need(field, value, Rule(lambda value: fits(value, hint), words))


def _check_run(config: Mapping[str, Any], prefix: str) -> None:
    for name in SECTIONS:
        if name in config:
            _need(prefix + name, config[name], Rule(_is_section, "a section with fields"))
    for field, rule in RULES.items():
        value = _get(config, field)
        if value is not _ABSENT:
            _need(prefix + field, value, rule)


def _check_numbers(value: Any, place: str) -> None:
    """No number anywhere is NaN or infinite."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            _check_numbers(each, f"{place}.{name}" if place else str(name))
    elif isinstance(value, list | tuple):
        for each in value:
            _check_numbers(each, place)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{place}={value} must be a finite number")


def _need(field: str, value: Any, rule: Rule) -> None:
    if not rule.holds(value):
        shown = repr(value)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        raise InputError(f"{field}={shown} must be {rule.words}")


def _is_section(value: Any) -> bool:
    return isinstance(value, Mapping)


def _get(config: Mapping[str, Any], field: str) -> Any:
    """A field by its dotted name; `_ABSENT` where there is none."""
    value: Any = config
    for name in field.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return _ABSENT
        value = value[name]
    return value
