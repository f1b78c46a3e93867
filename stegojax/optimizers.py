"""Optimisers and learning-rate schedules as the papers name them, from plain config values; optax
underneath.

A config's section of one is its name and its fields: `{"name": "adam", "learning_rate": 1e-3}`. On
the command line it is replaced whole as `--config.method.optimizer=adam:learning_rate=1e-3,b1=0.5`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import jax
import ml_collections
import optax

from stegojax.errors import InputError

OPTIONS: dict[str, dict[str, float]] = {
    "adam": {"b1": 0.9, "b2": 0.999, "eps": 1e-8},
    "adamax": {"b1": 0.9, "b2": 0.999, "eps": 1e-8},
    "sgd": {"momentum": 0.0},
    "rmsprop": {"decay": 0.9, "momentum": 0.0},
    "adadelta": {"rho": 0.9, "eps": 1e-6},
}
"""Name -> the options that belong to it alone, and their defaults."""

OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "adam": optax.adam,
    "adamax": optax.adamax,
    "sgd": lambda rate, *, momentum: optax.sgd(rate, momentum=momentum or None),
    "rmsprop": lambda rate, *, decay, momentum: optax.rmsprop(
        rate, decay=decay, momentum=momentum or None
    ),
    "adadelta": optax.adadelta,
}
"""Name -> `(learning rate or schedule, **options) -> transformation`."""

UNITS = ("epochs", "steps")
"""What a schedule may count."""

DECAYED = {"kernels": 2, "convolutions": 3}
"""What weight decay acts on -> the least number of axes of such an array."""

SECTION = "optimizer"
"""How the names of the sections end that hold an optimiser."""


def staircase(
    learning_rate: float, *, factor: float, every: float, after: float = 0.0, steps_per_epoch: int
) -> optax.Schedule:
    """A learning rate multiplied by `factor` once `every` epochs.

    Args:
      learning_rate: the rate of the first epochs.
      factor: what each drop multiplies it by.
      every: epochs between drops.
      after: epochs before the counting begins; the first drop comes `every` epochs later.
      steps_per_epoch: steps in an epoch.

    Returns:
      The schedule, from the step to the rate.
    """
    interval = max(1, round(every * steps_per_epoch))
    first = round(after * steps_per_epoch)

    def schedule(count):
        drops = jax.numpy.maximum(0, (count - first) // interval)
        return learning_rate * factor ** drops.astype(jax.numpy.float32)

    return schedule


def drops(
    learning_rate: float, *, factor: float, milestones: Sequence[float], steps_per_epoch: int
) -> optax.Schedule:
    """A learning rate multiplied by `factor` at each of some epochs.

    Args:
      learning_rate: the first rate.
      factor: what each drop multiplies it by.
      milestones: the epochs after which it drops, ascending.
      steps_per_epoch: steps in an epoch.

    Returns:
      The schedule, from the step to the rate.
    """
    steps = [round(epoch * steps_per_epoch) for epoch in milestones]

    def schedule(count):
        passed = sum((count >= step).astype(jax.numpy.float32) for step in steps)
        return learning_rate * factor**passed

    return schedule


def make(
    name: str,
    *,
    learning_rate: float,
    steps_per_epoch: int,
    factor: float = 1.0,
    every: float = 1.0,
    after: float = 0.0,
    milestones: Sequence[float] = (),
    unit: str = "epochs",
    weight_decay: float = 0.0,
    decayed: str = "kernels",
    clip_norm: float = 0.0,
    **options,
) -> optax.GradientTransformation:
    """An optimiser with its schedule.

    Args:
      name: one of `OPTIMIZERS`.
      learning_rate: the first learning rate.
      steps_per_epoch: steps in an epoch.
      factor, every, after: see `staircase`; a factor of 1 keeps the rate constant.
      milestones: where given, the rate drops there (see `drops`), and not at every so many epochs.
      unit: what `every`, `after` and `milestones` are in, one of `UNITS`.
      weight_decay: L2 penalty: this times the weight is added to the gradient.
      decayed: what the penalty is on. "kernels" are arrays of two or more axes, so neither biases
        nor BatchNorm; "convolutions" are arrays of three or more, which also leaves out fully
        connected layers and the 1x1 convolutions computed as such.
      clip_norm: gradients of a larger global norm are scaled down to it; 0 for never.
      **options: what `OPTIONS` allows for the name.

    Returns:
      The transformation of gradients.

    Raises:
      InputError: as `check`.
    """
    milestones = tuple(milestones)
    schedule = dict(factor=factor, every=every, after=after, milestones=milestones, unit=unit)
    decay = dict(weight_decay=weight_decay, decayed=decayed, clip_norm=clip_norm)
    check(dict(name=name, learning_rate=learning_rate, **schedule, **decay, **options))
    counted = steps_per_epoch if unit == "epochs" else 1
    if factor == 1.0:
        rate = learning_rate
    elif milestones:
        rate = drops(learning_rate, factor=factor, milestones=milestones, steps_per_epoch=counted)
    else:
        rate = staircase(
            learning_rate, factor=factor, every=every, after=after, steps_per_epoch=counted
        )
    chain = []
    if clip_norm:
        chain.append(optax.clip_by_global_norm(clip_norm))
    if weight_decay:
        chain.append(
            optax.add_decayed_weights(
                weight_decay,
                mask=lambda params: jax.tree.map(
                    lambda leaf: leaf.ndim >= DECAYED[decayed], params
                ),
            )
        )
    chain.append(OPTIMIZERS[name](rate, **{**OPTIONS[name], **options}))
    return optax.chain(*chain)


COMMON: dict[str, Any] = {
    name: parameter.default
    for name, parameter in inspect.signature(make).parameters.items()
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name != "steps_per_epoch"
}
"""The fields that every optimiser takes, and their defaults; `learning_rate` has none."""


def check(section: Mapping[str, Any], *, place: str = "") -> None:
    """Refuses the section of an optimiser that `make` could not use.

    Args:
      section: "name", and fields of `COMMON` and of `OPTIONS`.
      place: the section's name in the config, with dots, for the message.

    Raises:
      InputError: an unknown name, field, unit or kind of array, a value of another kind than the
        field's, a learning rate that is not positive, milestones that do not ascend, or a schedule
        that is given twice.
    """
    if place:
        try:
            return check(section)
        except InputError as error:
            raise InputError(f"{place}: {error}") from error
    fields = {**section}
    name = fields.pop("name", "")
    if not isinstance(name, str) or name not in OPTIONS:
        raise InputError(f"optimizer {name!r} is unknown; there are {', '.join(sorted(OPTIONS))}")
    known = {**COMMON, **OPTIONS[name]}
    for field, value in fields.items():
        if field not in known:
            raise InputError(
                f"optimizer {name!r} takes no {field!r}; it takes {', '.join(sorted(known))}"
            )
        if not (
            isinstance(value, str)
            if field in ("unit", "decayed")
            else all(map(_is_number, value))
            if field == "milestones" and isinstance(value, (tuple, list))
            else _is_number(value)
        ):
            raise InputError(f"optimizer {name!r}: {field}={value!r} cannot be used")
    if not fields.get("learning_rate", 0.0) > 0:
        rate = fields.get("learning_rate", "(absent)")
        raise InputError(f"optimizer {name!r}: learning_rate={rate} must be positive")
    values = {**COMMON, **fields}
    if values["unit"] not in UNITS:
        raise InputError(
            f"a schedule's unit {values['unit']!r} is unknown; there are {', '.join(UNITS)}"
        )
    if values["decayed"] not in DECAYED:
        raise InputError(
            f"weight decay on {values['decayed']!r} is unknown; there are {', '.join(DECAYED)}"
        )
    milestones = tuple(values["milestones"])
    if any(later <= earlier for earlier, later in zip((0.0, *milestones), milestones)):
        raise InputError(f"milestones={milestones} must be positive and ascend")
    if milestones and (values["every"] != COMMON["every"] or values["after"] != COMMON["after"]):
        raise InputError(
            "a learning rate drops either at milestones or every so many epochs; leave out "
            "milestones, or every and after"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def parse(text: str) -> dict[str, Any]:
    """The section of an optimiser from a line of text.

    Args:
      text: "NAME:FIELD=VALUE,FIELD=VALUE", the values as Python writes them.

    Returns:
      The section, checked.

    Raises:
      InputError: the text has another form, or as `check`.
    """
    name, _, rest = text.partition(":")
    try:
        call = ast.parse(f"dict({rest})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise SyntaxError
        fields = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    except (SyntaxError, ValueError):
        fields = {None: None}
    if None in fields:
        raise InputError(
            f"optimizer {text!r} is not of the form NAME:FIELD=VALUE,... such as "
            "adam:learning_rate=1e-3,b1=0.5"
        )
    section = {"name": name, **fields}
    check(section)
    return section


def settle(config: ml_collections.ConfigDict, *, given: Collection[str] = ()) -> list[str]:
    """Makes the optimisers of a config fit their names, in place, and checks them.

    Where only a name was set anew, the section still holds the preset's fields for the optimiser
    before; those that the named one does not take are taken away. What a person has set stays, and
    is refused where it does not fit.

    Args:
      config: a whole config; every section whose name ends in "optimizer" holds an optimiser.
      given: the fields that a person has set, with dots.

    Returns:
      What was taken away, a line each.

    Raises:
      InputError: an optimiser cannot be made; the message names its section.
    """
    lines = []
    for place, section in _sections(config):
        name = section.get("name", "")
        taken = {"name", *COMMON, *OPTIONS.get(name, section)}
        for field in sorted(set(section) - taken):
            if not {place, f"{place}.{field}"} & set(given):
                with section.unlocked():
                    del section[field]
                lines.append(f"{place}: {name} takes no {field}, so the preset's is left out")
        check(section.to_dict(), place=place)
    return lines


def _sections(
    config: ml_collections.ConfigDict, prefix: str = ""
) -> Iterator[tuple[str, ml_collections.ConfigDict]]:
    for name, section in config.items():
        if not isinstance(section, ml_collections.ConfigDict):
            continue
        if name.endswith(SECTION):
            yield prefix + name, section
        else:
            yield from _sections(section, f"{prefix}{name}.")
