"""Optimisers and learning-rate schedules as the papers name them, from plain config values (optax
underneath).
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import optax

from stegojax.errors import InputError

OPTIMIZERS = {
    "adam": lambda rate, o: optax.adam(
        rate, b1=o.get("b1", 0.9), b2=o.get("b2", 0.999), eps=o.get("eps", 1e-8)
    ),
    "adamax": lambda rate, o: optax.adamax(
        rate, b1=o.get("b1", 0.9), b2=o.get("b2", 0.999), eps=o.get("eps", 1e-8)
    ),
    "sgd": lambda rate, o: optax.sgd(rate, momentum=o.get("momentum", 0.0) or None),
    "rmsprop": lambda rate, o: optax.rmsprop(
        rate, decay=o.get("decay", 0.9), momentum=o.get("momentum", 0.0) or None
    ),
    "adadelta": lambda rate, o: optax.adadelta(rate, rho=o.get("rho", 0.9), eps=o.get("eps", 1e-6)),
}
"""Name -> (learning rate or schedule, options) -> transformation; the options a name takes are in
`OPTIONS`.
"""

OPTIONS = {
    "adam": {"b1", "b2", "eps"},
    "adamax": {"b1", "b2", "eps"},
    "sgd": {"momentum"},
    "rmsprop": {"decay", "momentum"},
    "adadelta": {"rho", "eps"},
}


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
    """
    steps = [round(epoch * steps_per_epoch) for epoch in milestones]

    def schedule(count):
        passed = sum((count >= step).astype(jax.numpy.float32) for step in steps)
        return learning_rate * factor**passed

    return schedule


UNITS = ("epochs", "steps")
"""What a schedule may count."""

DECAYED = {"kernels": 2, "convolutions": 3}
"""What weight decay acts on -> the least number of axes of such an array."""


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

    Raises:
      InputError: an unknown name, option, unit or kind of array, a learning rate that is not
        positive, milestones that do not ascend, or a schedule that is given twice.
    """
    if name not in OPTIMIZERS:
        raise InputError(
            f"optimizer {name!r} is unknown; there are {', '.join(sorted(OPTIMIZERS))}"
        )
    unknown = sorted(set(options) - OPTIONS[name])
    if unknown:
        raise InputError(
            f"optimizer {name!r} takes no {unknown[0]!r}; it takes "
            f"{', '.join(sorted(OPTIONS[name]))}"
        )
    if not learning_rate > 0:
        raise InputError(f"learning_rate={learning_rate} must be positive")
    if unit not in UNITS:
        raise InputError(f"a schedule's unit {unit!r} is unknown; there are {', '.join(UNITS)}")
    if decayed not in DECAYED:
        raise InputError(f"weight decay on {decayed!r} is unknown; there are {', '.join(DECAYED)}")
    milestones = tuple(milestones)
    if any(later <= earlier for earlier, later in zip((0.0, *milestones), milestones)):
        raise InputError(f"milestones={milestones} must be positive and ascend")
    if milestones and (every != 1.0 or after != 0.0):
        raise InputError(
            "a learning rate drops either at milestones or every so many epochs; leave out "
            "milestones, or every "
            "and after"
        )
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
    chain.append(OPTIMIZERS[name](rate, options))
    return optax.chain(*chain)
