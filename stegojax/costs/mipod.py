"""MiPOD: minimising the power of the optimal steganalyzer (Sedighi, Cogranne and Fridrich, TIFS
2016).

A pixel is modelled as a Gaussian whose variance is estimated from its surroundings; the change
probabilities are those that make the likelihood-ratio test of a steganalyzer who knows everything
weakest, at the wanted payload. So they, and the costs read from them, belong to one payload. Planes
are `[..., H, W]` of any size from 1 x 1.

Everything here is computed in float64 whatever JAX is set to, and only results are float32: the
released implementation reads change probabilities from a table in steps, and a pixel takes the
right step only if its Fisher information has ten digits.
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from numpy.polynomial import chebyshev

from stegojax.costs import filters, roots
from stegojax.costs.filters import COLUMNS, ROWS
from stegojax.costs.plane import check_plane, finite
from stegojax.errors import InputError
from stegojax.types import Array, ChangeProbabilities, Costs

DEFAULT_RATE = 0.4
"""Bits per pixel that costs are made for when no payload is given."""

_BLOCK = 9
_LEAST_VARIANCE = 0.01

_TABLE_STEP = 0.01
_TABLE_END = 1000.0
_RELEASED_HALVINGS = 60
_TAIL_END = 32.0

_SAMPLE = 8192
_LOG_LAMBDA_RANGE = (-40.0, 80.0)


def mipod(
    plane: Array, *, payload: float | Array | None = None, inverse: str = "released"
) -> Costs:
    """MiPOD's change probabilities in the form of costs: ln(1/beta - 2), for which lambda is 1 at
    the given payload.

    Sedighi, Cogranne and Fridrich, "Content-adaptive steganography by minimizing statistical
    detectability", IEEE TIFS 11(2), 2016.

    Args:
      plane: the cover, `[..., H, W]`, float32 whole numbers.
      payload: bits per plane, a number or an array of the leading shape `[...]`; None takes
        `DEFAULT_RATE` bits per pixel.
      inverse: as in `mipod_probabilities`.

    Returns:
      Costs, equal for +1 and -1; no surroundings are wet.

    Raises:
      InputError: the plane holds no whole numbers, or the payload is not between 0 and log2(3) bits
        per pixel.
    """
    payload = _checked(
        plane,
        DEFAULT_RATE * math.prod(jnp.shape(plane)[-2:]) if payload is None else payload,
        inverse,
    )
    return _mipod(plane, payload, inverse=inverse)


def mipod_probabilities(
    plane: Array, payload: float | Array, *, inverse: str = "released"
) -> ChangeProbabilities:
    """MiPOD's change probabilities at a payload.

    They minimise sum beta^2 I, I being the Fisher information, while the ternary entropies add up
    to the payload: beta = 1/x with x ln(x - 2) = lambda I (the paper's I has a factor 2, which
    lambda absorbs). Saturated pixels take part in this, as in the released code, which rules out
    the changes that leave the range only then; so does `embed.rule_out`.

    Args:
      plane: the cover, `[..., H, W]`, float32 whole numbers.
      payload: bits per plane, a number or an array of the leading shape `[...]`.
      inverse: "released" inverts x ln(x - 2) as the authors' MATLAB code does, in steps of 0.01
        below 1000, and repeats its bisection to the stopping rule: their maps to every digit of
        float32. "exact" solves both equations, which moves a probability by up to 0.1 percent.

    Returns:
      ChangeProbabilities, equal for +1 and -1.

    Raises:
      InputError: the plane holds no whole numbers, or the payload is not between 0 and log2(3) bits
        per pixel.
    """
    return _probabilities(plane, _checked(plane, payload, inverse), inverse=inverse)


def fisher_information(plane: Array) -> Array:
    """The smoothed Fisher information of every pixel, 1 / variance^2 averaged over 7 x 7.

    Sedighi, Cogranne and Fridrich 2016, eq. (24) to (27): the residual of a 2 x 2 Wiener filter is
    fitted in blocks of 9 x 9 by the 45 lowest cosines; what is left, per degree of freedom, is the
    variance of the centre pixel, at least 0.01.

    Args:
      plane: the cover, `[..., H, W]`, float32 whole numbers.

    Returns:
      `[..., H, W]`, float32.

    Raises:
      InputError: the plane holds no whole numbers.
    """
    check_plane(plane)
    with jax.enable_x64(True):
        return _fisher_information(plane).astype(jnp.float32)


def _checked(plane, payload, inverse):
    """The payload as float64 where it can be, after checking the arguments."""
    check_plane(plane)
    if inverse not in ("released", "exact"):
        raise InputError(f'MiPOD\'s inverse is "released" or "exact"; got {inverse!r}')
    if jnp.shape(payload) not in ((), jnp.shape(plane)[:-2]):
        raise InputError(
            f"the payload is one number of bits or one for every plane {jnp.shape(plane)[:-2]}; "
            f"got shape {jnp.shape(payload)}"
        )
    if not isinstance(payload, Tracer):
        payload = np.asarray(payload, np.float64)
        most = math.prod(jnp.shape(plane)[-2:]) * math.log2(3)
        if not (np.all(payload > 0) and np.all(payload < most)):
            raise InputError(
                f"MiPOD needs a payload above 0 and below the capacity of {most:.0f} bits; got "
                f"{payload}"
            )
    with jax.enable_x64(True):
        return jnp.broadcast_to(jnp.asarray(payload, jnp.float64), jnp.shape(plane)[:-2])


@functools.partial(jax.jit, static_argnames="inverse")
def _mipod(plane, payload, *, inverse):
    with jax.enable_x64(True):
        rho = jnp.log(_inverse_probabilities(plane, payload, inverse) - 2)
        return finite(rho, rho)


@functools.partial(jax.jit, static_argnames="inverse")
def _probabilities(plane, payload, *, inverse):
    with jax.enable_x64(True):
        beta = (1 / _inverse_probabilities(plane, payload, inverse)).astype(jnp.float32)
        return ChangeProbabilities(plus=beta, minus=beta)


def _inverse_probabilities(plane, payload, inverse):
    """1 / beta of every pixel, `[..., H, W]`, float64."""
    information = _fisher_information(lax.stop_gradient(plane))
    solve = _solve_released if inverse == "released" else inverse_probabilities
    flat = jax.vmap(solve)(
        information.reshape(-1, *plane.shape[-2:]), payload.reshape(-1) * math.log(2)
    )
    return flat.reshape(plane.shape)


@jax.jit
def _fisher_information(plane):
    with jax.enable_x64(True):
        variance = jnp.maximum(
            _variance(wiener_residual(plane.astype(jnp.float64))), _LEAST_VARIANCE
        )
        return filters.box_sum(filters.mirror(1 / jnp.square(variance), 3), 7) / 49


def wiener_residual(plane):
    """A picture minus its 2 x 2 Wiener filtering (MATLAB's wiener2: zeros beyond the border, noise
    = mean local variance).

    Args:
      plane: `[..., H, W]`, float64.

    Returns:
      `[..., H, W]`.
    """
    padded = jnp.pad(plane, [(0, 0)] * (plane.ndim - 2) + [(0, 1)] * 2)
    total, squares = filters.box_sum(padded, 2), filters.box_sum(jnp.square(padded), 2)
    # Sums of integers: exact, so a flat window has a variance of 0 and not of rounding errors.
    variance = (4 * squares - jnp.square(total)) / 16
    noise = jnp.mean(variance, axis=(-2, -1), keepdims=True)
    # Only an all-black picture has no noise; it has no residual either.
    return (plane - total / 4) * jnp.where(
        noise > 0, noise / jnp.maximum(variance, jnp.where(noise > 0, noise, 1)), 1
    )


def _cosines():
    """The nine cosines of the block's side, orthonormal, by rising frequency."""
    grid = np.cos(np.pi / (2 * _BLOCK) * np.outer(np.arange(_BLOCK), 2 * np.arange(_BLOCK) + 1))
    return grid * np.sqrt(np.where(np.arange(_BLOCK) == 0, 1, 2) / _BLOCK)[:, None]


def _variance(residual):
    """The energy of every 9 x 9 block in the 36 cosines of index sum 9 and above, over 36."""
    cosines = _cosines()[1:]
    padded = filters.mirror(residual, _BLOCK // 2)
    # Loops store what they make. Unrolled, XLA fuses these sums of shifts and computes each anew
    # for every shift of the next.
    along_rows = lax.map(lambda taps: filters.correlate(padded, taps, ROWS), jnp.asarray(cosines))
    counted = np.add.outer(np.arange(1, _BLOCK), np.arange(1, _BLOCK)) >= _BLOCK

    def add(energy, frequency):
        rows, weights = frequency
        coefficients = (filters.correlate(rows, taps, COLUMNS) for taps in cosines.tolist())
        return energy + sum(
            weight * jnp.square(c) for weight, c in zip(weights, coefficients)
        ), None

    energy, _ = lax.scan(
        add, jnp.zeros_like(residual), (along_rows, jnp.asarray(counted, residual.dtype))
    )
    return energy / counted.sum()


def _exact_entropy(x, y):
    """Ternary entropy in nats of changing with probability 1/x in either direction, where x ln(x -
    2) = y.
    """
    beta = 1 / x
    return 2 * y * jnp.square(beta) - jnp.log1p(-2 * beta)


def _exact_inverse(y, log=jnp.log):
    """x of x ln(x - 2) = y, for y >= 0: Newton's method from a start that is right to 6 percent
    everywhere.
    """
    x = 3 + y / log(14 + y / log(math.e + y))
    for _ in range(3):
        log_x = log(x - 2)
        x = x - (x * log_x - y) * (x - 2) / (log_x * (x - 2) + x)
    return x


@functools.lru_cache(maxsize=1)
def _table():
    """The released table: x for y = 0, 0.01, ..., 1000, each the middle of [3 + 1e-6, 1e6] after 39
    halvings.
    """
    y = np.arange(round(_TABLE_END / _TABLE_STEP) + 1) * _TABLE_STEP
    low, high = np.full_like(y, 3 + 1e-6), np.full_like(y, 1e6)
    for _ in range(39):
        middle = (low + high) / 2
        below = middle * np.log(middle - 2) < y
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


@functools.lru_cache(maxsize=1)
def _entropy_table():
    """Ternary entropy in nats at the two ends of every step of the table; the last is where
    `_tail_entropy` goes on.
    """
    x = _table()
    rise = np.append(np.diff(x), 0)

    def entropy(x):
        return 2 / x * np.log(x) - (1 - 2 / x) * np.log1p(-2 / x)

    begin, end = entropy(x), entropy(x + _TABLE_STEP * rise)
    begin[-1] = end[-1] = math.fsum(_tail()) * math.log(_TABLE_END) ** 2 / _TABLE_END
    return begin, end


@functools.lru_cache(maxsize=1)
def _tail():
    """Powers of 1/ln(y), scaled to -1..1 from `_TAIL_END` to y = 1000, for y / ln(y)^2 times the
    ternary entropy in nats.
    """
    low, high = 1 / _TAIL_END, 1 / math.log(_TABLE_END)

    def scaled_entropy(u):
        log_y = 2 / (low + high + u * (high - low))
        y = np.exp(log_y)
        x = _exact_inverse(y, np.log)
        return (2 * np.square(y / x) - y * np.log1p(-2 / x)) / np.square(log_y)

    return tuple(
        float(c) for c in chebyshev.cheb2poly(chebyshev.chebinterpolate(scaled_entropy, 18))
    )


def _tail_entropy(y):
    """Ternary entropy in nats for y from 1000 on, right to 1e-11 of itself: one logarithm instead
    of six.
    """
    low, high = 1 / _TAIL_END, 1 / math.log(_TABLE_END)
    log_y = jnp.log(y)
    u = jnp.maximum((2 / log_y - low - high) / (high - low), -1)
    series = jnp.zeros_like(y)
    for coefficient in reversed(_tail()):
        series = series * u + coefficient
    return series * jnp.square(log_y) / y


def _step(y):
    """Which step of the table y falls on, and how far along it in units of y; 1000 stands for all
    that is beyond.
    """
    y = jnp.minimum(y, _TABLE_END)
    index = jnp.floor(y / _TABLE_STEP).astype(jnp.int32)
    return index, y - index * _TABLE_STEP


def _tabulated_inverse(y):
    """x of x ln(x - 2) = y as released, up to y = 1000: a step of the table, and a hundredth of the
    way to the next.
    """
    table = jnp.asarray(_table())
    index, along = _step(y)
    return table[index] + along * (table[jnp.minimum(index + 1, len(_table()) - 1)] - table[index])


def _tabulated_entropy(y):
    """Ternary entropy in nats at that x, straight along each step (a hundredth of a step is short:
    right to 1e-11).
    """
    begin, end = map(jnp.asarray, _entropy_table())
    index, along = _step(y)
    return begin[index] + along / _TABLE_STEP * (end[index] - begin[index])


def _excess(information, nats):
    """The exact solution's entropy above a number of nats, and its slope, as a function of
    ln(lambda).
    """

    def at(u):
        y = jnp.exp(u) * information
        x = _exact_inverse(y)
        log = jnp.log(x - 2)
        slope = -2 * log * y * (x - 2) / (jnp.square(x) * (log * (x - 2) + x))
        return jnp.sum(_exact_entropy(x, y)) - nats, jnp.sum(slope)

    return at


def _guess(information, nats):
    """ln(lambda) to about one percent, from a sample of the pixels."""
    pixels = information.reshape(-1)
    sample = pixels[:: -(-pixels.size // _SAMPLE)]
    wanted = nats * (sample.size / pixels.size)
    low, high = _LOG_LAMBDA_RANGE
    return roots.falling_zero(
        _excess(sample, wanted), jnp.float64(10), low, high, tolerance=1e-4 * wanted
    )[0]


def inverse_probabilities(information, nats):
    """1 / beta of every element of one plane: x of x ln(x - 2) = lambda I, with the lambda at which
    the ternary entropies add up to the payload.

    Args:
      information: the elements' Fisher information I, any shape, float64.
      nats: the payload, above 0.

    Returns:
      x of that shape.
    """
    low, high = _LOG_LAMBDA_RANGE
    guess = _guess(information, nats)
    u, _ = roots.falling_zero(_excess(information, nats), guess, low, high, tolerance=1e-10 * nats)
    return _exact_inverse(jnp.exp(u) * information)


def _solve_released(information, nats):
    """1 / beta of every pixel of one plane, from the released table and the lambda at which the
    released bisection stops.

    That bisection ends at an entropy within 1e-4 nat, where single pixels on the brink of a table
    step still matter, so its very midpoints are repeated. Those far from the zero need no
    evaluation: a bracket found faster says which way they go.
    """
    end = jnp.float64(_TABLE_END)

    def excess(lambda_):
        y = lambda_ * information
        # Both formulas for every pixel, held at the table's end where they do not apply: a
        # selection between them would keep XLA from vectorising the logarithm. The border then
        # counts once too often for every pixel.
        many = jnp.sum(_tabulated_entropy(y)) + jnp.sum(_tail_entropy(jnp.maximum(y, end)))
        return many - y.size * _tail_entropy(end) - nats

    low, high = _bracket(excess, jnp.exp(_guess(information, nats)))
    zero = jnp.sqrt(low * high)
    right = lax.while_loop(lambda r: r < zero, lambda r: 2 * r, jnp.float64(1e6))
    left = lax.while_loop(lambda r: r > zero, lambda r: r / 2, jnp.float64(1e3))

    def clear(state):
        left, right, halvings = state
        middle = (left + right) / 2
        return ((middle <= low) | (middle >= high)) & (halvings < _RELEASED_HALVINGS)

    def follow(state):
        left, right, halvings = state
        middle = (left + right) / 2
        return (
            jnp.where(middle < zero, middle, left),
            jnp.where(middle < zero, right, middle),
            halvings + 1,
        )

    def unfinished(state):
        _, _, _, value, halvings = state
        return (jnp.abs(value) > 1e-4) & (halvings < _RELEASED_HALVINGS)

    def halve(state):
        left, right, _, _, halvings = state
        middle = (left + right) / 2
        value = excess(middle)
        return (
            jnp.where(value < 0, left, middle),
            jnp.where(value < 0, middle, right),
            middle,
            value,
            halvings + 1,
        )

    left, right, halvings = lax.while_loop(clear, follow, (left, right, jnp.int32(0)))
    state = (left, right, (left + right) / 2, jnp.float64(jnp.inf), halvings)
    y = lax.while_loop(unfinished, halve, state)[2] * information
    border = jnp.where(y > end, _tabulated_inverse(end), _exact_inverse(end))
    return _tabulated_inverse(y) + _exact_inverse(jnp.maximum(y, end)) - border


def _bracket(excess, guess):
    """Narrows the zero of a falling function of a positive variable to about one part in ten
    millions.

    Points close by the secant's zero, in turn left and right of it, replace the ends: with every
    two of them the relative width squares. At both ends the function stays some 0.002 away from
    zero.
    """

    def wide(state):
        low, high, at_low, at_high, steps = state
        return (high > low * (1 + 1e-7)) & (at_low - at_high > 0.02) & (steps < 60)

    def narrow(state):
        low, high, at_low, at_high, steps = state
        width = high / low - 1
        secant = low + (high - low) * at_low / (at_low - at_high)
        margin = jnp.maximum(
            jnp.maximum(jnp.square(width) / 8, 1e-8), 0.002 * width / (at_low - at_high)
        )
        point = jnp.clip(secant * (1 + jnp.where(steps % 2 == 0, -margin, margin)), low, high)
        value = excess(point)
        left = value > 0
        return (
            jnp.where(left, point, low),
            jnp.where(left, high, point),
            jnp.where(left, value, at_low),
            jnp.where(left, at_high, value),
            steps + 1,
        )

    def end(factor, sign):
        def short(state):
            _, value, steps = state
            return (sign * value <= 0.002) & (steps < 200)

        def further(state):
            point, _, steps = state
            point = point * factor ** (2.0 ** jnp.minimum(steps, 8))
            return point, excess(point), steps + 1

        return lax.while_loop(short, further, (guess, jnp.float64(0), jnp.int32(0)))[:2]

    low, at_low = end(1 - 1e-2, 1)
    high, at_high = end(1 + 1e-2, -1)
    return lax.while_loop(wide, narrow, (low, high, at_low, at_high, jnp.int32(0)))[:2]
