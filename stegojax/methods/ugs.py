"""UGS ("Adversarial steganography embedding via stego generation and selection", Liu et al. 2023),
in the spatial domain: costs doubled against a steganalyzer's gradient, the pixels chosen by trying.

A steganalyzer is trained to tell covers from stegos of the initial scheme. To embed, its gradient
is taken once at the cover; many candidates each double the cost of the change that would look more
like a stego, in pixels of large gradient and small cost, with thresholds drawn at random; of those
whose simulated stego passes for a cover the one is taken that changes the picture's prediction
residuals least, and the initial scheme where none passes. The costs so chosen then carry the
message.

Pictures are `[B, H, W, 1]`, float32 whole numbers 0..255. Every channel of a colour picture is
embedded into as a plane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax.tree_util import Partial

from stegojax import embed, probabilities
from stegojax.errors import InputError
from stegojax.methods import network as networks
from stegojax.methods import steganalyzer, target, trained
from stegojax.methods.fields import read_parts
from stegojax.types import WET_COST, Array, Costs, Method, Params, State

REACH = 3
"""A pixel is predicted from so many neighbours on either side of it, in its row or column."""

_SEED = 0


class Search(NamedTuple):
    """How the costs of a cover are chosen; no part of the training.

    payload:    bits per pixel at which candidates are simulated.
    candidates: how many are tried beside the initial scheme.
    factor:     on the cost of a change that the steganalyzer would notice, above 1.
    """

    payload: float = 0.4
    candidates: int = 100
    factor: float = 2.0


class Fields(NamedTuple):
    """Fields of a config's `method` section beside those of `target.Fields`; see `Search`."""

    candidates: int = 100
    factor: float = 2.0


def from_config(
    section: Mapping[str, Any], *, steps_per_epoch: int, load: trained.Load | None = None
) -> Method:
    """The training that a config's `method` section describes.

    Args:
      section: see `Fields` and `target.Fields`.
      steps_per_epoch: the unit of the optimiser's schedule.
      load: loads other runs; None where nothing is begun from them.

    Returns:
      The method, see `make`.

    Raises:
      InputError: a field or a name is unknown, or a number is out of range.
    """
    fields, aim = read_parts((Fields, target.Fields), section)
    return make(
        **target.arguments(aim, steps_per_epoch=steps_per_epoch, load=load),
        search=_search(fields, aim),
    )


def scheme(
    state: State, section: Mapping[str, Any], *, name: str, load: trained.Load | None = None
) -> embed.Scheme:
    """What a trained run embeds with, in one phase.

    Args:
      state: of the run.
      section: its config's `method` section, see `Fields` and `target.Fields`.
      name: what to call it.
      load: loads other runs; needed where the initial scheme is another run's.

    Returns:
      The scheme, holding the state's parameters.
    """
    fields, aim = read_parts((Fields, target.Fields), section)
    base, *network = target.of_run(state, aim, load=load)
    cost = cost_function(base.cost, *network, search=_search(fields, aim))
    return embed.Scheme(name, cost, embed.RECIPES["plain"])


def make(
    base: embed.Scheme,
    module: nn.Module,
    optimizer: optax.GradientTransformation,
    *,
    search: Search = Search(),
    curriculum: Sequence[tuple[float, int]] = (),
    start: Mapping[str, trained.Network] | None = None,
) -> Method:
    """The steganalyzer that UGS deceives as a `Method`: it learns to tell stegos of the initial
    scheme.

    Args:
      base: the initial scheme, of one phase; it may be what another run has learned.
      module: planes `[B, H, W, 1]` -> logits `[B, 2]` of cover and stego.
      optimizer: its optimiser.
      search: of the embedding; only the payload is part of the training.
      curriculum, start: as for `steganalyzer.make`.

    Returns:
      The method, see `steganalyzer.make`.

    Raises:
      InputError: the initial scheme has several phases, or a number is out of range.
    """
    if search.candidates < 1 or not search.factor > 1:
        raise InputError(
            f"method.candidates={search.candidates} must be at least 1 and "
            f"factor={search.factor} above 1"
        )
    simulator = steganalyzer.simulator(trained.in_one_phase(base, "UGS"))
    return steganalyzer.make(
        module, optimizer, simulator, payload=search.payload, curriculum=curriculum, start=start
    )


def residual_filter(plane: Array) -> Array:
    """A filter that leaves of a picture what its pixels do not say of each other.

    The least-squares predictor of the middle of seven pixels in a row or a column from the other
    six, less the pixel itself.

    Args:
      plane: `[H, W]`, both sides at least 7.

    Returns:
      `[7]`, -1 in the middle.
    """
    length = 2 * REACH + 1
    centred = plane - jnp.mean(plane)
    rows = jnp.stack(
        [centred[:, i : centred.shape[1] - length + 1 + i].ravel() for i in range(length)], axis=1
    )
    columns = jnp.stack(
        [centred[i : centred.shape[0] - length + 1 + i].ravel() for i in range(length)], axis=1
    )
    pixels = jnp.concatenate([rows, columns])
    others, middle = jnp.delete(pixels, REACH, axis=1), pixels[:, REACH]
    normal = jnp.matmul(others.T, others, precision="highest")
    # A flat picture has nothing to predict from, and equations without a solution.
    ridge = (1e-6 * jnp.trace(normal) / (2 * REACH) + 1e-3) * jnp.eye(2 * REACH)
    weights = jnp.linalg.solve(normal + ridge, jnp.matmul(others.T, middle, precision="highest"))
    return jnp.insert(weights, REACH, -1.0)


def residual_distance(changes: Array, taps: Array) -> Array:
    """How much changes of a picture show in its residuals: the sum of their magnitudes along rows,
    along columns, and along both.

    Args:
      changes: `[H, W]`; beyond the border nothing has changed.
      taps: `[7]`, from `residual_filter`.

    Returns:
      A scalar.
    """

    # Shifted sums are exact, and quick where the taps are known only while this runs.
    def along(values, axis):
        width = [(REACH, REACH) if i == axis else (0, 0) for i in range(2)]
        padded, size = jnp.pad(values, width), values.shape[axis]
        return sum(
            taps[i] * jax.lax.slice_in_dim(padded, i, i + size, axis=axis)
            for i in range(2 * REACH + 1)
        )

    rows, columns = along(changes, 1), along(changes, 0)
    return jnp.sum(jnp.abs(rows)) + jnp.sum(jnp.abs(columns)) + jnp.sum(jnp.abs(along(rows, 0)))


def adjusted(
    costs: Costs, gradient: Array, thresholds: Sequence[Array] | Array, *, factor: float
) -> Costs:
    """One candidate: the change along the gradient made dearer where the gradient is large and the
    change's cost small.

    Args:
      costs: of the initial scheme, `[H, W]`.
      gradient: of the steganalyzer's loss on the cover, `[H, W]`.
      thresholds: the share of pixels with smaller gradients that is left alone, and the share of
        cheaper changes in that direction that is not.
      factor: on the cost.

    Returns:
      Costs; forbidden changes stay so, and no other becomes so.
    """
    large = _ranks(jnp.abs(gradient)) > thresholds[0]

    def dearer(rho, noticed):
        chosen = large & (_ranks(rho) < thresholds[1]) & noticed & (rho < WET_COST)
        return jnp.where(chosen, target.dearer(rho, factor), rho)

    return Costs(dearer(costs.plus, gradient > 0), dearer(costs.minus, gradient < 0))


def cost_function(
    cost: embed.CostFunction,
    module: nn.Module,
    params: Params,
    batch_stats: Params,
    *,
    search: Search = Search(),
) -> embed.CostFunction:
    """The costs that UGS chooses for a cover.

    Args:
      cost: of the initial scheme.
      module, params, batch_stats: the steganalyzer that is deceived.
      search: how they are chosen.

    Returns:
      `plane [..., H, W] -> Costs`, a `jax.tree_util.Partial` that holds the parameters; a function
      of the cover alone, the same in every call.
    """
    return Partial(_Chosen(module, search), embed.bounded(cost), params, batch_stats)


class _Chosen(NamedTuple):
    # Equal where its fields are, so that runs of one network share what was compiled.
    module: nn.Module
    search: Search

    def __call__(self, cost, params, batch_stats, cover):
        def margin(plane):
            """How much more the plane looks like a stego. Its gradient is that of the cross
            entropy with label "cover" but for a positive factor, which may underflow.
            """
            logits = networks.apply(self.module, params, batch_stats, plane[None, :, :, None])[0]
            return logits[steganalyzer.STEGO] - logits[steganalyzer.COVER]

        # Planes side by side: networks in a loop over planes, inside of which candidates loop, have
        # crashed XLA on CPUs.
        planes = cover.reshape(-1, *cover.shape[-2:])
        costs = jax.vmap(lambda plane: _choose(plane, cost(plane), margin, self.search))(planes)
        return Costs(*(rho.reshape(cover.shape) for rho in costs))


def _choose(plane: Array, costs: Costs, margin, search: Search) -> Costs:
    """The costs of the candidate that is chosen for a plane `[H, W]`."""
    gradient, taps = jax.grad(margin)(plane), residual_filter(plane)
    # The same draws for all candidates, and for every picture: costs are a function of the cover
    # alone.
    noise_key, threshold_key = jax.random.split(jax.random.key(_SEED))
    drawn = jax.random.uniform(threshold_key, (search.candidates, 2))
    # The first leaves all pixels alone.
    thresholds = jnp.concatenate([jnp.asarray([[1.0, 0.0]]), drawn])

    def distance(pair):
        candidate = adjusted(costs, gradient, pair, factor=search.factor)
        lambda_ = probabilities.lambda_for_payload(candidate, search.payload * plane.size)
        changes = probabilities.staircase(noise_key, probabilities.gibbs(candidate, lambda_))
        passes = margin(plane + changes) < 0
        return jnp.where(passes, residual_distance(changes, taps), jnp.inf)

    # Where none passes all are infinite, and the first is the initial scheme.
    best = jnp.argmin(jax.lax.map(distance, thresholds))
    return adjusted(costs, gradient, thresholds[best], factor=search.factor)


def _search(fields: Fields, aim: target.Fields) -> Search:
    return Search(float(aim.payload), int(fields.candidates), float(fields.factor))


def _ranks(values: Array) -> Array:
    """The share of values that are smaller, of every value; equal ones in raster order."""
    order = jnp.argsort(values.ravel())
    return (
        jnp.zeros(values.size)
        .at[order]
        .set(jnp.arange(values.size) / values.size)
        .reshape(values.shape)
    )
