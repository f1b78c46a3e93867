"""UGS ("Adversarial steganography embedding via stego generation and selection", Liu et al. 2023),
in the spatial domain: costs
doubled against a steganalyzer's gradient, the pixels chosen by trying.

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

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from stegojax import embed, probabilities
from stegojax.costs import COSTS
from stegojax.errors import InputError
from stegojax.methods import network as networks
from stegojax.methods import steganalyzer
from stegojax.types import WET_COST, Array, Costs, Method, Params, State

REACH = 3
"""A pixel is predicted from so many neighbours on either side of it, in its row or column."""

_SEED = 0
_LARGEST = 0.99 * WET_COST


class Parts(NamedTuple):
    """What embedding needs of a trained system, but for the parameters.

    cost:       name of the initial scheme, in `costs.COSTS`.
    payload:    bits per pixel at which candidates are simulated.
    network:    the steganalyzer's name, in `steganalyzer.NETWORKS`.
    width:      factor on its channels.
    candidates: how many are tried beside the initial scheme.
    factor:     on the cost of a change that the steganalyzer would notice.
    """

    cost: str
    payload: float
    network: str
    width: float
    candidates: int
    factor: float


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
    cost small.

    Args:
      costs: of the initial scheme, `[H, W]`.
      gradient: of the steganalyzer's loss on the cover, `[H, W]`.
      thresholds: the share of pixels with smaller gradients that is left alone, and the share with
        smaller costs that is not.
      factor: on the cost.

    Returns:
      Costs; forbidden changes stay so, and no other becomes so.
    """
    magnitude, least = _ranks(jnp.abs(gradient)), _ranks(jnp.minimum(costs.plus, costs.minus))
    chosen = (magnitude > thresholds[0]) & (least < thresholds[1])

    def dearer(rho, noticed):
        return jnp.where(
            chosen & noticed & (rho < WET_COST), jnp.minimum(factor * rho, _LARGEST), rho
        )

    return Costs(dearer(costs.plus, gradient > 0), dearer(costs.minus, gradient < 0))


def make(
    *, candidates: int = 100, factor: float = 2.0, scheme: str = "hill", **options: Any
) -> Method:
    """The steganalyzer that UGS deceives as a `Method`: `steganalyzer.make` on stegos of the
    initial scheme.

    Args:
      candidates: how many are tried for every cover; no part of the training.
      factor: on the cost of a noticed change, above 1; no part of the training.
      scheme: the initial scheme, a name in `costs.COSTS`.
      **options: the other arguments of `steganalyzer.make`.

    Raises:
      InputError: a name is unknown or a number out of range.
    """
    if scheme not in COSTS:
        raise InputError(f"method.scheme {scheme!r} is unknown; there are {', '.join(COSTS)}")
    if candidates < 1 or not factor > 1:
        raise InputError(
            f"method.candidates={candidates} must be at least 1 and factor={factor} above 1"
        )
    return steganalyzer.make(scheme=scheme, **options)


def trained_scheme(
    state: State,
    *,
    name: str = "ugs",
    network: str,
    scheme: str = "hill",
    payload: float = 0.4,
    candidates: int = 100,
    factor: float = 2.0,
    width: float = 1.0,
    **_: Any,
) -> embed.Scheme:
    """What a trained run embeds with, in one phase.

    Args:
      state: of the run.
      name: what to call it.
      network, scheme, payload, candidates, factor, width: as for `make`; the rest of the run's
        section is not needed.

    Returns:
      The scheme, holding the state's parameters.
    """
    state = jax.tree.map(jnp.asarray, state)
    parts = Parts(scheme, float(payload), network, float(width), int(candidates), float(factor))
    cost = Partial(
        functools.partial(_cost, parts=parts),
        state.params[steganalyzer.NAME],
        state.batch_stats[steganalyzer.NAME],
    )
    return embed.Scheme(name, cost, embed.RECIPES["plain"])


def _cost(params: Params, stats: Params, cover: Array, *, parts: Parts) -> Costs:
    """The chosen candidate's costs of planes `[..., H, W]`."""
    module = steganalyzer.NETWORKS[parts.network](width=parts.width)

    def logits(plane):
        return networks.apply(module, params, stats, plane[None, :, :, None])[0]

    def suspicion(plane):
        # Its gradient is that of the cross entropy with label "cover" but for a positive factor,
        # which may underflow.
        found = logits(plane)
        return found[steganalyzer.STEGO] - found[steganalyzer.COVER]

    def one(plane):
        costs, gradient, taps = (
            COSTS[parts.cost](plane),
            jax.grad(suspicion)(plane),
            residual_filter(plane),
        )
        # The same draws for all candidates, and for every picture: costs are a function of the
        # cover alone.
        noise_key, threshold_key = jax.random.split(jax.random.key(_SEED))
        noise = jax.random.uniform(noise_key, plane.shape)
        drawn = jax.random.uniform(threshold_key, (parts.candidates, 2))
        thresholds = jnp.concatenate(
            [jnp.asarray([[1.0, 0.0]]), drawn]
        )  # the first leaves all pixels alone

        def judge(pair):
            candidate = adjusted(costs, gradient, pair, factor=parts.factor)
            wanted = probabilities.lambda_for_payload(candidate, parts.payload * plane.size)
            chances = probabilities.gibbs(candidate, wanted)
            changes = (noise < chances.plus).astype(jnp.float32) - (noise > 1 - chances.minus)
            found = logits(plane + changes)
            return jnp.where(
                found[steganalyzer.COVER] > found[steganalyzer.STEGO],
                residual_distance(changes, taps),
                jnp.inf,
            )

        distances = jax.lax.map(judge, thresholds)
        # Where none passes all are infinite, and the first is the initial scheme.
        return adjusted(costs, gradient, thresholds[jnp.argmin(distances)], factor=parts.factor)

    shape = cover.shape
    # Planes side by side: networks in a loop over planes, inside of which candidates loop, have
    # crashed XLA on CPUs.
    costs = jax.vmap(one)(cover.reshape(-1, *shape[-2:]))
    return Costs(*(rho.reshape(shape) for rho in costs))


def _ranks(values: Array) -> Array:
    """The share of values that are smaller, of every value; equal ones in raster order."""
    order = jnp.argsort(values.ravel())
    return (
        jnp.zeros(values.size)
        .at[order]
        .set(jnp.arange(values.size) / values.size)
        .reshape(values.shape)
    )
