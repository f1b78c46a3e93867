"""Costs, change probabilities and payloads; simulators of optimal embedding.

A sender who changes elements with the probabilities exp(-lambda rho) / Z conveys the most bits at a
given distortion, and lambda sets how many: their entropy. No code does better, so these functions
give both the bound that codes are measured against and, drawn from, the stego an ideal code would
make. In training, where a draw has no gradient, others stand in for it.

Costs and probabilities hold one value per element and direction, in arrays of any shape; `axes`
says how many of the last axes make up one cover: 2 for planes `[..., H, W]` (the default), 1 for
vectors of elements `[..., N]`. Everything that belongs to a cover (lambda, bits, distortion) has
the shape that is left, `[...]`. Entropies and payloads are in bits.
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from stegojax.costs import roots
from stegojax.errors import InputError
from stegojax.types import WET_COST, Array, ChangeProbabilities, Costs, Key

_TINY = 1e-20
"""What a probability of zero counts as inside a logarithm: p log p is then 0 to the last digit, and
its gradient finite.
"""

_LOG_LAMBDA_RANGE = (-40.0, 40.0)
_SAMPLE = 8192
_PAYLOAD_TOLERANCE = 1e-4
"""Bits per element by which a payload may be missed."""


def gibbs(costs: Costs, lambda_: float | Array) -> ChangeProbabilities:
    """The probabilities with which an optimal sender changes elements, at a given Lagrange
    multiplier.

    Fridrich and Filler, "Practical methods for minimizing embedding impact in steganography", SPIE
    2007; Filler, Judas and Fridrich, "Minimizing additive distortion in steganography using
    syndrome-trellis codes", IEEE TIFS 6(3) 2011.

    Args:
      costs: any shape; wet changes get probability 0, whatever lambda is.
      lambda_: of shape `costs.plus.shape[:k]`, for any k, not negative; a scalar serves all
        elements.

    Returns:
      ChangeProbabilities, float32, same shape as the costs.

    Raises:
      InputError: shapes do not fit.
    """
    shape = _checked_pair(costs, "costs")
    lambda_ = _spread(lambda_, shape, "lambda")
    plus, minus = (_boltzmann(rho, lambda_) for rho in costs)
    total = 1 + plus + minus
    return ChangeProbabilities(plus=plus / total, minus=minus / total)


def binary_gibbs(rho: Array, lambda_: float | Array) -> Array:
    """The probability with which an optimal sender flips an element that can only be kept or
    flipped.

    Filler, Judas and Fridrich 2011.

    Args:
      rho: cost of the flip, any shape; wet elements get probability 0.
      lambda_: as in `gibbs`.

    Returns:
      Probabilities, float32, same shape as rho.

    Raises:
      InputError: shapes do not fit.
    """
    weight = _boltzmann(jnp.asarray(rho), _spread(lambda_, jnp.shape(rho), "lambda"))
    return weight / (1 + weight)


def costs_from_probabilities(
    probabilities: ChangeProbabilities, *, formula: str = "exact"
) -> Costs:
    """Costs under which the given probabilities are optimal, or what papers on learned costs take
    for them.

    "exact" inverts `gibbs` at lambda = 1: rho = ln(p0 / p), p0 being the probability of no change.
    "symmetric" is rho = ln(1/p - 2) with p held within [1e-7, 1/3] (Tang et al., ASDL-GAN, IEEE SPL
    24(10) 2017, and later papers), which is the same only where both directions are equally likely.

    Args:
      probabilities: any shape, each in 0..1, the two of an element adding up to at most 1.
      formula: "exact" or "symmetric".

    Returns:
      Costs, float32, finite. A probability of 0 is wet in the exact form and costs ln(1e7 - 2) in
      the symmetric one. Exact costs are negative where a change is likelier than none.

    Raises:
      InputError: shapes differ, or the formula is unknown.
    """
    _checked_pair(probabilities, "probabilities")
    plus, minus = (jnp.asarray(p, jnp.float32) for p in probabilities)
    if formula == "symmetric":
        return Costs(*(jnp.log(1 / jnp.clip(p, 1e-7, 1 / 3) - 2) for p in (plus, minus)))
    if formula != "exact":
        raise InputError(f'the formula is "exact" or "symmetric"; got {formula!r}')
    log_keep = jnp.log(jnp.maximum(1 - plus - minus, _TINY))
    # Two selections: the inner one keeps the gradient of an impossible change from being infinity
    # times zero.
    return Costs(
        *(
            jnp.where(p > 0, log_keep - jnp.log(jnp.where(p > 0, p, 1.0)), WET_COST)
            for p in (plus, minus)
        )
    )


def binary_entropy(probability: Array) -> Array:
    """Entropy in bits of each element that takes one of two values.

    Args:
      probability: of either value, any shape, in 0..1.

    Returns:
      Bits in 0..1, same shape; 0 at probabilities 0 and 1, with finite gradients.
    """
    return _information(probability) + _information(1 - probability)


def ternary_entropy(probabilities: ChangeProbabilities) -> Array:
    """Entropy in bits of each element that is raised, lowered or kept: what it can carry.

    Args:
      probabilities: any shape, each in 0..1, the two of an element adding up to at most 1.

    Returns:
      Bits in 0..log2(3), same shape; with finite gradients where a probability is 0.

    Raises:
      InputError: shapes differ.
    """
    _checked_pair(probabilities, "probabilities")
    plus, minus = probabilities
    return _information(plus) + _information(minus) + _information(1 - plus - minus)


def capacity(costs: Costs, *, axes: int = 2) -> Array:
    """The most bits a cover can carry: log2 of the number of allowed values, summed over its
    elements.

    Args:
      costs: `[..., elements]`.
      axes: how many trailing axes make up one cover.

    Returns:
      Bits, `[...]`.

    Raises:
      InputError: shapes differ or have fewer axes.
    """
    _checked_pair(costs, "costs", axes)
    return _capacity(costs, axes=axes)


def change_rate(probabilities: ChangeProbabilities, *, axes: int = 2) -> Array:
    """The expected share of a cover's elements that change.

    Args:
      probabilities: `[..., elements]`.
      axes: how many trailing axes make up one cover.

    Returns:
      Changes per element, `[...]`.

    Raises:
      InputError: shapes differ or have fewer axes.
    """
    shape = _checked_pair(probabilities, "probabilities", axes)
    return _total(probabilities.plus + probabilities.minus, axes) / math.prod(
        shape[len(shape) - axes :]
    )


def expected_distortion(
    costs: Costs, probabilities: ChangeProbabilities, *, axes: int = 2
) -> Array:
    """The expected sum of the costs of all changes.

    At the probabilities of `gibbs` it is the rate-distortion bound: no code that conveys their
    entropy has less (Filler, Judas and Fridrich 2011).

    Args:
      costs: `[..., elements]`; a wet change adds nothing, its probability being 0.
      probabilities: same shape.
      axes: how many trailing axes make up one cover.

    Returns:
      Distortion, `[...]`.

    Raises:
      InputError: shapes differ or have fewer axes.
    """
    shape = _checked_pair(costs, "costs", axes)
    if _checked_pair(probabilities, "probabilities", axes) != shape:
        raise InputError(
            f"costs {shape} and probabilities {probabilities.plus.shape} must have the same shape"
        )
    return _total(
        sum(jnp.where(rho < WET_COST, rho, 0) * p for rho, p in zip(costs, probabilities)), axes
    )


def lambda_for_payload(costs: Costs, payload: float | Array, *, axes: int = 2) -> Array:
    """The Lagrange multiplier at which an optimal sender conveys a payload (the payload-limited
    sender).

    Filler, Judas and Fridrich 2011: the entropy of `gibbs` falls with lambda; its crossing of the
    payload is found by Newton's method in ln(lambda), held in a bracket, to one part in a million
    of the payload.

    Args:
      costs: `[..., elements]`, float32.
      payload: bits per cover, a number or an array of shape `[...]`.
      axes: how many trailing axes make up one cover.

    Returns:
      lambda, float32, `[...]`, without gradient. Inside `jax.jit`, where nothing can be raised, a
      payload out of reach gets the nearest that is not (lambda is 0 from the capacity on): run
      `check_payload` on the costs first.

    Raises:
      InputError: shapes do not fit; or the payload cannot be met to 1e-4 bits per element, and the
        message says the capacity.
    """
    shape = _checked_pair(costs, "costs", axes)
    _checked_payload(payload, shape[: len(shape) - axes])
    lambda_, bits, most = _lambda_for_payload(costs, payload, axes=axes)
    if not _traced(costs.plus, costs.minus, payload):
        _refuse_beyond(payload, most)
        bits = np.asarray(bits, np.float64)
        wanted = np.broadcast_to(np.asarray(payload, np.float64), bits.shape)
        missed = np.abs(bits - wanted) > _PAYLOAD_TOLERANCE * math.prod(shape[len(shape) - axes :])
        if missed.any():
            raise InputError(
                f"the payload of {wanted[missed].flat[0]:.1f} bits cannot be met: changes that "
                "cost nothing alone carry "
                f"{bits[missed].flat[0]:.1f} bits; give every change a positive cost"
            )
    return lambda_


def check_payload(costs: Costs, payload: float | Array, *, axes: int = 2) -> None:
    """Refuses a payload that is negative or above what the cover can carry. Looks at values only
    outside `jax.jit`.

    Args:
      costs: `[..., elements]`.
      payload: bits per cover, a number or an array of shape `[...]`.
      axes: how many trailing axes make up one cover.

    Raises:
      InputError: the payload is refused; the message says the capacity in bits.
    """
    shape = _checked_pair(costs, "costs", axes)
    _checked_payload(payload, shape[: len(shape) - axes])
    if not _traced(costs.plus, costs.minus, payload):
        _refuse_beyond(payload, _capacity(costs, axes=axes))


def _refuse_beyond(payload, most):
    most = np.asarray(most, np.float64)
    wanted = np.broadcast_to(np.asarray(payload, np.float64), most.shape)
    # The capacity is a float32: right to seven digits.
    refused = ~((wanted >= 0) & (wanted <= most * (1 + 1e-6)))
    if refused.any():
        raise InputError(
            f"the cover carries between 0 and {most[refused].flat[0]:.0f} bits with these costs; "
            f"{wanted[refused].flat[0]:.1f} were asked for: shorten the message, or take another "
            "cover or cost"
        )


def simulate(key: Key, probabilities: ChangeProbabilities) -> Array:
    """Draws the modifications of an optimal sender: +1 and -1 with their probabilities, else 0,
    each element on its own.

    Args:
      key: PRNG key; the same key gives the same draws, whatever the probabilities.
      probabilities: any shape.

    Returns:
      Modifications in {-1, 0, 1}, float32, same shape. No gradient flows through them.

    Raises:
      InputError: shapes differ.
    """
    shape = _checked_pair(probabilities, "probabilities")
    plus, minus = probabilities
    noise = jax.random.uniform(key, shape)
    return (noise < plus).astype(jnp.float32) - ((noise >= plus) & (noise < plus + minus)).astype(
        jnp.float32
    )


def staircase(key: Key, probabilities: ChangeProbabilities) -> Array:
    """Draws modifications from the two tails of the noise: -1 below p-, +1 above 1 - p+.

    The embedding simulator of the papers on learned costs (Tang et al., ASDL-GAN, 2017). Its draws
    are distributed as `simulate`'s, and are the limit of `double_tanh`'s for the same key.

    Args:
      key: PRNG key.
      probabilities: any shape.

    Returns:
      Modifications in {-1, 0, 1}, float32, same shape. No gradient flows through them.

    Raises:
      InputError: shapes differ.
    """
    noise = jax.random.uniform(key, _checked_pair(probabilities, "probabilities"))
    return on_staircase(noise, probabilities)


def on_staircase(noise: Array, probabilities: ChangeProbabilities) -> Array:
    """The modifications that `staircase` draws with given noise.

    Args:
      noise: in [0, 1), any shape.
      probabilities: same shape.

    Returns:
      -1, 0 or 1, float32, same shape.
    """
    up, down = noise > 1 - probabilities.plus, noise < probabilities.minus
    return up.astype(jnp.float32) - down.astype(jnp.float32)


def double_tanh(key: Key, probabilities: ChangeProbabilities, *, slope: float = 60.0) -> Array:
    """The staircase with its edges rounded, so that gradients reach the probabilities.

    Yang et al., UT-GAN, "An embedding cost learning framework using GAN", IEEE TIFS 15, 2020, where
    p is the probability of either change and p/2 of each:
    -0.5 tanh(slope (p - 2n)) + 0.5 tanh(slope (p - 2(1 - n))).

    Args:
      key: PRNG key.
      probabilities: any shape.
      slope: steepness of the edges; the paper's 60.

    Returns:
      Modifications within -1..1, float32, same shape, rarely whole numbers; differentiable in both
      probabilities.

    Raises:
      InputError: shapes differ.
    """
    noise = jax.random.uniform(key, _checked_pair(probabilities, "probabilities"))
    plus, minus = probabilities
    return 0.5 * jnp.tanh(2 * slope * (plus - (1 - noise))) - 0.5 * jnp.tanh(
        2 * slope * (minus - noise)
    )


def straight_through(key: Key, probabilities: ChangeProbabilities) -> Array:
    """The staircase's modifications with the gradient of their expectation p+ - p-.

    Bengio, Leonard and Courville, "Estimating or propagating gradients through stochastic neurons",
    2013: the draw is real, and backwards it passes for its mean.

    Args:
      key: PRNG key.
      probabilities: any shape.

    Returns:
      Modifications in {-1, 0, 1}, float32, same shape; the derivative is 1 by p+ and -1 by p-.

    Raises:
      InputError: shapes differ.
    """
    mean = probabilities.plus - probabilities.minus
    return lax.stop_gradient(staircase(key, probabilities) - mean) + mean


def _boltzmann(rho, lambda_):
    # Past 80 the exponential is 0 in float32 for every purpose; lambda times a large cost might be
    # infinite.
    return jnp.where(
        rho < WET_COST, jnp.exp(-jnp.minimum(lambda_ * rho, 80.0)) * (lambda_ * rho < 80.0), 0.0
    )


def _information(p):
    """-p log2 p, 0 at 0 and below (where 1 - p rounds to)."""
    p = jnp.maximum(p, 0.0)
    return -p * jnp.log2(jnp.maximum(p, _TINY))


def _total(values, axes):
    """Sums one cover at a time, in stages: float32 would lose digits over millions of elements in a
    row.
    """
    flat = values.reshape(*values.shape[: values.ndim - axes], -1)
    size = flat.shape[-1]
    chunk = max(1, math.isqrt(size))
    pad = -size % chunk
    flat = jnp.pad(flat, [(0, 0)] * (flat.ndim - 1) + [(0, pad)])
    return jnp.sum(jnp.sum(flat.reshape(*flat.shape[:-1], -1, chunk), axis=-1), axis=-1)


def _excess(plus, minus, wanted):
    """Entropy of one cover's elements above `wanted` nats, and its slope, as a function of
    ln(lambda).
    """

    def at(u):
        lambda_ = jnp.exp(u)
        weights = [_boltzmann(rho, lambda_) for rho in (plus, minus)]
        energies = [lambda_ * jnp.where(rho < WET_COST, rho, 0) for rho in (plus, minus)]
        total = 1 + weights[0] + weights[1]
        mean = (weights[0] * energies[0] + weights[1] * energies[1]) / total
        square = (
            weights[0] * jnp.square(energies[0]) + weights[1] * jnp.square(energies[1])
        ) / total
        nats = jnp.log1p(weights[0] + weights[1]) + mean
        return _total(nats, 1) - wanted, -_total(square - jnp.square(mean), 1)

    return at


@functools.partial(jax.jit, static_argnames="axes")
def _lambda_for_payload(costs, payload, *, axes):
    covers = costs.plus.shape[: costs.plus.ndim - axes]
    plus, minus = (lax.stop_gradient(rho).reshape(math.prod(covers), -1) for rho in costs)
    nats = jnp.broadcast_to(jnp.asarray(payload, jnp.float32) * math.log(2), covers).reshape(-1)
    most = _capacity(costs, axes=axes)
    lambda_, bits = jax.vmap(_solve)(plus, minus, nats, most.reshape(-1) * math.log(2))
    return lambda_.reshape(covers), bits.reshape(covers), most


def _solve(plus, minus, nats, most):
    """lambda of one cover `[N]`, and the bits it conveys, given the payload and the capacity in
    nats.
    """
    low, high = _LOG_LAMBDA_RANGE
    stride = -(-plus.size // _SAMPLE)
    few_plus, few_minus = plus[::stride], minus[::stride]
    # A sample comes within some percent of lambda at a fraction of the cost.
    wanted = nats * (few_plus.size / plus.size)
    start, _ = roots.falling_zero(
        _excess(few_plus, few_minus, wanted), jnp.float32(0), low, high, tolerance=1e-3 * wanted
    )
    u, excess = roots.falling_zero(
        _excess(plus, minus, nats), start, low, high, tolerance=1e-6 * nats
    )
    return jnp.where(nats >= most, 0.0, jnp.exp(u)), jnp.where(
        nats >= most, most, nats + excess
    ) / math.log(2)


@functools.partial(jax.jit, static_argnames="axes")
def _capacity(costs, *, axes):
    dry_plus, dry_minus = (rho < WET_COST for rho in costs)
    elements = tuple(range(-axes, 0))
    both, either = (
        jnp.sum(dry, axis=elements) for dry in (dry_plus & dry_minus, dry_plus ^ dry_minus)
    )
    return both * math.log2(3) + either


def _traced(*arrays):
    return any(isinstance(array, Tracer) for array in arrays)


def _checked_pair(pair, what, axes=0):
    plus, minus = map(jnp.shape, pair)
    if plus != minus:
        raise InputError(
            f"the {what} of +1 and -1 must have the same shape; got {plus} and {minus}"
        )
    if len(plus) < axes or axes < 0:
        raise InputError(f"{what} of shape {plus} have no {axes} axes to make up a cover")
    return plus


def _checked_payload(payload, covers):
    if jnp.shape(payload) not in ((), covers):
        raise InputError(
            f"the payload is one number of bits or one for every cover {covers}; got shape "
            f"{jnp.shape(payload)}"
        )


def _spread(lambda_, shape, what):
    """Appends axes to a value per cover until it has one for every axis of the elements."""
    lambda_ = jnp.asarray(lambda_, jnp.float32)
    if lambda_.shape != shape[: lambda_.ndim]:
        raise InputError(f"{what} of shape {lambda_.shape} does not fit elements of shape {shape}")
    return lambda_.reshape(lambda_.shape + (1,) * (len(shape) - lambda_.ndim))
