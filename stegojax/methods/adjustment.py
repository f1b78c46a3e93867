"""What the asymmetric-cost GAN embeds with: sub-images whose costs generators adjust to what was
embedded before, and what the generators see.

Planes are `[..., H, W]`, float32 whole numbers in the range that the generators know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax.tree_util import Partial

from stegojax import embed, probabilities
from stegojax.methods import cost_learner, trained
from stegojax.types import Array, ChangeProbabilities, Costs, Params, State

Maps = Callable[[Array, ChangeProbabilities], Array]
"""What the generator sees: `(modifications so far [B, H, W], the initial scheme's probabilities)
-> maps [B, H, W, C]`.
"""


def concatenated(modifications: Array, chances: ChangeProbabilities) -> Array:
    """M and P, the paper's input (Section 2.1).

    Args:
      modifications: M, `[B, H, W]`, those made so far.
      chances: of the initial scheme; P is the probability of either change.

    Returns:
      `[B, H, W, 2]`.
    """
    return jnp.stack([modifications, chances.plus + chances.minus], axis=-1)


def change_alone(modifications: Array, chances: ChangeProbabilities) -> Array:
    """P alone, input #1 (Section 3.5).

    Args:
      modifications: not used.
      chances: as for `concatenated`.

    Returns:
      `[B, H, W, 1]`.
    """
    del modifications
    return (chances.plus + chances.minus)[..., None]


def filtered(modifications: Array, chances: ChangeProbabilities) -> Array:
    """The sum of M over the eight neighbours, and P, input #2 (Section 3.5).

    Args:
      modifications: as for `concatenated`.
      chances: as for `concatenated`.

    Returns:
      `[B, H, W, 2]`.
    """
    return concatenated(_sum_3x3(modifications, "constant") - modifications, chances)


INPUTS: dict[str, Maps] = {
    "concatenated": concatenated,
    "probabilities": change_alone,
    "filtered": filtered,
    "two_encoders": concatenated,
}
"""What the generator is given (Section 3.5); "two_encoders" has an encoder for each map."""


class System(NamedTuple):
    """What embeds, but for the parameters.

    initial:   the initial scheme, of one phase; or the generator of one that a first stage learns.
    generator: of the adjustments, for every sub-image but the first.
    maps:      what it sees.
    payload:   q, bits per pixel.
    shares:    weights of the sub-images in size and message, one to four whole numbers 1..15; (3,
               7) are 30 % and 70 %. One alone is the initial scheme: only D1 is trained then.
    formula:   how costs follow from probabilities, see `probabilities.costs_from_probabilities`;
               no part of the training.
    imitated:  the rule of adjustment, as `embed.Visit.adjust`, that every generator learns to
               imitate in a stage of its own before it is guided; None for none.
    """

    initial: embed.Scheme | cost_learner.Generator
    generator: cost_learner.Generator
    maps: Maps = concatenated
    payload: float = 0.4
    shares: tuple[int, ...] = (1, 1)
    formula: str = "symmetric"
    imitated: Callable | None = None

    @property
    def learns_initial(self) -> bool:
        """Whether a first stage learns the initial scheme."""
        return isinstance(self.initial, cost_learner.Generator)

    def bits(self, planes: Array, number: int | None = None) -> float:
        """The payload of a picture `[..., H, W]`, or of its sub-image of that number from 1."""
        whole = self.payload * planes.shape[-2] * planes.shape[-1]
        return whole if number is None else whole * self.shares[number - 1] / sum(self.shares)


def texture(planes: Array) -> Array:
    """The magnitude of a plane's 3x3 Laplacian, 8 in the middle and -1 around it (T in eq. (5));
    borders are continued.

    Args:
      planes: `[..., H, W]`.

    Returns:
      The same shape.
    """
    return jnp.abs(9 * planes - _sum_3x3(planes, "edge"))


def neighbour_correlation(modifications: Array, before: Array, mask: Array) -> Array:
    """How much changes go the way of the four neighbours' earlier ones: the correlation, about 0,
    of the two.

    Args:
      modifications: the new ones, `[..., H, W]`.
      before: those before them, same shape.
      mask: where the new ones are.

    Returns:
      `[...]`, -1 to 1, 0 where there are none of either.
    """
    padded = jnp.pad(before, [(0, 0)] * (before.ndim - 2) + [(1, 1), (1, 1)])
    around = (
        padded[..., :-2, 1:-1]
        + padded[..., 2:, 1:-1]
        + padded[..., 1:-1, :-2]
        + padded[..., 1:-1, 2:]
    )
    new, old = modifications * mask, around * mask
    powers = jnp.sum(new**2, axis=(-2, -1)) * jnp.sum(old**2, axis=(-2, -1))
    return jnp.sum(new * old, axis=(-2, -1)) / jnp.sqrt(jnp.maximum(powers, 1.0))


def change_probabilities(costs: Costs, payload: float) -> ChangeProbabilities:
    """The change probabilities of an optimal sender at a payload.

    Args:
      costs: `[..., H, W]`.
      payload: bits per pixel.

    Returns:
      ChangeProbabilities of that shape.
    """
    height, width = costs.plus.shape[-2:]
    return probabilities.gibbs(
        costs, probabilities.lambda_for_payload(costs, payload * height * width)
    )


def initial_cost(system: System, state: State) -> embed.CostFunction:
    """The initial scheme's costs.

    Args:
      system: what embeds.
      state: of the training; "initial" in it is what the scheme holds.

    Returns:
      `plane [..., H, W] -> Costs`, raw.
    """
    if isinstance(system.initial, cost_learner.Generator):
        params, stats = state.params["initial"], state.batch_stats["initial"]
        return cost_learner.cost_function(system.initial, params, stats)
    return trained.freeze(system.initial).attach(state.params.get("initial", [])).cost


def initial_probabilities(system: System, state: State, covers: Array) -> ChangeProbabilities:
    """The initial scheme's change probabilities of covers at the system's payload: P1.

    Args:
      system: what embeds.
      state: of the training.
      covers: `[B, H, W]`.

    Returns:
      ChangeProbabilities of that shape.
    """
    cost = embed.bounded(initial_cost(system, state))
    return change_probabilities(cost(covers), system.payload)


def recipe(system: System, state: State) -> embed.Recipe:
    """The phased embedding that a state stands for.

    Args:
      system: what embeds.
      state: of the training; sub-images whose generator it lacks get the initial scheme's costs.

    Returns:
      The recipe, whose rules hold the generators' parameters.
    """
    rule = _Adjustment(system.generator, system.maps, system.payload, system.formula)
    rules = [embed.no_adjustment] * len(system.shares)
    for number in range(2, len(system.shares) + 1):
        name = f"generator{number}"
        if name in state.params:
            rules[number - 1] = Partial(rule, state.params[name], state.batch_stats[name])
    return embed.masks(system.shares, rules)


class _Adjustment(NamedTuple):
    """The rule of a sub-image's visit: the generator's costs, given the modifications before it.

    Equal where its fields are, so that sub-images and runs share what was compiled.
    """

    generator: cost_learner.Generator
    maps: Maps
    payload: float
    formula: str

    def __call__(
        self, params: Params, batch_stats: Params, cost, cover: Array, modifications: Array
    ):
        def adjusted(covers, before):
            maps = self.maps(before, change_probabilities(cost(covers), self.payload))
            return cost_learner.generated_costs(
                self.generator, params, batch_stats, maps, formula=self.formula
            )

        return cost_learner.plane_by_plane(adjusted, cover, modifications)


def _sum_3x3(planes: Array, mode: str) -> Array:
    height, width = planes.shape[-2:]
    padded = jnp.pad(planes, [(0, 0)] * (planes.ndim - 2) + [(1, 1), (1, 1)], mode=mode)
    rows = sum(padded[..., i : i + height, :] for i in range(3))
    return sum(rows[..., j : j + width] for j in range(3))
