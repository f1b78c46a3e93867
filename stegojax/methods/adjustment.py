"""What the asymmetric-cost GAN embeds with: sub-images whose costs generators adjust to what was
embedded before, and what the generators see.

Planes are `[..., H, W]`, float32 whole numbers in the range that the generators know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from stegojax import embed, probabilities
from stegojax.costs import dct
from stegojax.methods import cost_learner, trained
from stegojax.methods.medium import Medium
from stegojax.types import Array, ChangeProbabilities, Costs, Params, State

Maps = Callable[..., Array]
"""What the generator sees: `(modifications so far [B, H, W], the initial scheme's probabilities,
cover [B, H, W], *side [B, ...]) -> maps [B, H, W, C]`.
"""


def concatenated(modifications: Array, chances: ChangeProbabilities, *beside: Array) -> Array:
    """M and P, the paper's input (Section 2.1).

    Args:
      modifications: M, `[B, H, W]`, those made so far.
      chances: of the initial scheme; P is the probability of either change.
      *beside: not used.

    Returns:
      `[B, H, W, 2]`.
    """
    del beside
    return jnp.stack([modifications, chances.plus + chances.minus], axis=-1)


def change_alone(modifications: Array, chances: ChangeProbabilities, *beside: Array) -> Array:
    """P alone, input #1 (Section 3.5).

    Args:
      modifications: not used.
      chances: as for `concatenated`.
      *beside: not used.

    Returns:
      `[B, H, W, 1]`.
    """
    del modifications, beside
    return (chances.plus + chances.minus)[..., None]


def filtered(modifications: Array, chances: ChangeProbabilities, *beside: Array) -> Array:
    """The sum of M over the eight neighbours, and P, input #2 (Section 3.5).

    Args:
      modifications: as for `concatenated`.
      chances: as for `concatenated`.
      *beside: not used.

    Returns:
      `[B, H, W, 2]`.
    """
    del beside
    return concatenated(_sum_3x3(modifications, "constant") - modifications, chances)


def decompressed(
    modifications: Array, chances: ChangeProbabilities, covers: Array, quantisation: Array
) -> Array:
    """Of JPEG files: the unrounded picture, M in the units of the transform, and P.

    Args:
      modifications: as for `concatenated`.
      chances: as for `concatenated`.
      covers: coefficients `[B, H, W]`, which lie where the pixels of their block lie.
      quantisation: of each, `[B, 8, 8]`.

    Returns:
      `[B, H, W, 3]`, all of the order of 1.
    """
    pixels = jax.vmap(dct.unrounded_pixels)(covers, quantisation) / 255.0
    steps = dct.repeated(quantisation, covers) / 16.0
    return jnp.stack([pixels, modifications * steps, chances.plus + chances.minus], axis=-1)


INPUTS: dict[str, Maps] = {
    "concatenated": concatenated,
    "probabilities": change_alone,
    "filtered": filtered,
    "two_encoders": concatenated,
    "decompressed": decompressed,
}
"""What the generator is given (Section 3.5); "two_encoders" has an encoder for each map, and
"decompressed" is for JPEG files.
"""


class System(NamedTuple):
    """What embeds, but for the parameters.

    initial:   the initial scheme, of one phase; or the generator of one that a first stage learns.
    generator: of the adjustments, for every sub-image but the first.
    maps:      what it sees.
    payload:   q, bits per pixel; of JPEG files, per non-zero AC coefficient.
    shares:    weights of the sub-images in size and message, one to four whole numbers 1..15; (3,
               7) are 30 % and 70 %. One alone is the initial scheme: only D1 is trained then.
    formula:   how costs follow from probabilities, see `probabilities.costs_from_probabilities`;
               no part of the training.
    imitated:  the rule of adjustment, as `embed.Visit.adjust`, that every generator learns to
               imitate in a stage of its own before it is guided; None for none.
    medium:    what is embedded into.
    """

    initial: embed.Scheme | cost_learner.Generator
    generator: cost_learner.Generator
    maps: Maps = concatenated
    payload: float = 0.4
    shares: tuple[int, ...] = (1, 1)
    formula: str = "symmetric"
    imitated: Callable | None = None
    medium: Medium = Medium()

    @property
    def learns_initial(self) -> bool:
        """Whether a first stage learns the initial scheme."""
        return isinstance(self.initial, cost_learner.Generator)

    def bits(self, planes: Array, number: int | None = None) -> float | Array:
        """The payload of elements `[..., H, W]`, or of their sub-image of that number from 1."""
        whole = self.medium.bits(planes, self.payload)
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


def neighbour_correlation(
    modifications: Array, before: Array, mask: Array, *, medium: Medium = Medium()
) -> Array:
    """How much changes go the way of the four neighbours' earlier ones: the correlation, about 0,
    of the two.

    Args:
      modifications: the new ones, `[..., H, W]`.
      before: those before them, same shape.
      mask: where the new ones are.
      medium: says who the neighbours are, see `Medium.around`.

    Returns:
      `[...]`, -1 to 1, 0 where there are none of either.
    """
    new, old = modifications * mask, medium.around(before) * mask
    powers = jnp.sum(new**2, axis=(-2, -1)) * jnp.sum(old**2, axis=(-2, -1))
    return jnp.sum(new * old, axis=(-2, -1)) / jnp.sqrt(jnp.maximum(powers, 1.0))


def change_probabilities(costs: Costs, bits: float | Array) -> ChangeProbabilities:
    """The change probabilities of an optimal sender at a payload.

    Args:
      costs: `[..., H, W]`.
      bits: of every plane, a number or `[...]`.

    Returns:
      ChangeProbabilities of that shape.
    """
    return probabilities.gibbs(costs, probabilities.lambda_for_payload(costs, bits))


def initial_cost(system: System, state: State) -> embed.CostFunction:
    """The initial scheme's costs.

    Args:
      system: what embeds.
      state: of the training; "initial" in it is what the scheme holds.

    Returns:
      `plane [..., H, W] -> Costs`, raw; of covers with a `side`, `(plane, *side) -> Costs`.
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
    cost = system.medium.bound(initial_cost(system, state))
    return change_probabilities(cost(covers), system.bits(covers))


def maps(system: System, modifications: Array, chances: ChangeProbabilities, covers: Array):
    """What a generator sees in training.

    Args:
      system: what embeds.
      modifications: those made so far, `[B, H, W]`.
      chances: of the initial scheme, of that shape.
      covers: same shape.

    Returns:
      `[B, H, W, C]`.
    """
    return system.maps(
        modifications, chances, covers, *cost_learner.spread(system.medium.side, covers)
    )


def recipe(system: System, state: State) -> embed.Recipe:
    """The phased embedding that a state stands for.

    Args:
      system: what embeds.
      state: of the training; sub-images whose generator it lacks get the initial scheme's costs.

    Returns:
      The recipe, whose rules hold the generators' parameters.
    """
    rule = _Adjustment(system.generator, system.maps, system.payload, system.formula, system.medium)
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
    medium: Medium

    def __call__(
        self,
        params: Params,
        batch_stats: Params,
        cost,
        cover: Array,
        modifications: Array,
        *side: Array,
    ):
        def adjusted(covers, before, plus, minus, *side):
            bits = self.medium.bits(covers, self.payload)
            chances = change_probabilities(Costs(plus, minus), bits)
            return cost_learner.generated_costs(
                self.generator,
                params,
                batch_stats,
                self.maps(before, chances, covers, *side),
                formula=self.formula,
            )

        planes = cover, modifications, *cost(cover), *cost_learner.spread(side, cover)
        return cost_learner.plane_by_plane(adjusted, *planes)


def _sum_3x3(planes: Array, mode: str) -> Array:
    height, width = planes.shape[-2:]
    padded = jnp.pad(planes, [(0, 0)] * (planes.ndim - 2) + [(1, 1), (1, 1)], mode=mode)
    rows = sum(padded[..., i : i + height, :] for i in range(3))
    return sum(rows[..., j : j + width] for j in range(3))
