"""The zero of a falling function of one variable: what every payload's Lagrange multiplier is.

Newton's method with a net: the zero stays bracketed, and a step that would leave the bracket
becomes a halving. Under `jax.vmap` many zeros are sought at once, until the last is found.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from stegojax.types import Array

_MOST_STEPS = 80


def falling_zero(
    function: Callable[[Array], tuple[Array, Array]],
    start: Array,
    low: float | Array,
    high: float | Array,
    *,
    tolerance: float | Array,
) -> tuple[Array, Array]:
    """Finds where a decreasing function crosses zero.

    Args:
      function: `u -> (value, slope)`, both scalars, the value falling with u.
      start: first guess, a floating-point scalar; its type is the type of everything here.
      low: a point left of the zero.
      high: a point right of it.
      tolerance: the search ends when the value is within this of zero, when the point has no more
        digits to change, or after 80 steps.

    Returns:
      The last point and the value there, scalars. The point tends to an end of the bracket where
      the function does not change its sign in between.
    """

    def unfinished(state):
        u, _, _, last, value, steps = state
        return (jnp.abs(value) > tolerance) & (u != last) & (steps < _MOST_STEPS)

    def step(state):
        u, low, high, _, _, steps = state
        value, slope = function(u)
        low, high = jnp.where(value > 0, u, low), jnp.where(value > 0, high, u)
        newton = u - value / jnp.where(slope < 0, slope, -1)
        inside = (slope < 0) & (newton > low) & (newton < high)
        done = jnp.abs(value) <= tolerance
        return (
            jnp.where(done, u, jnp.where(inside, newton, (low + high) / 2)),
            low,
            high,
            u,
            value,
            steps + 1,
        )

    start, low, high = (jnp.asarray(point, jnp.result_type(start)) for point in (start, low, high))
    unknown = jnp.full_like(start, jnp.inf)
    point, _, _, _, value, _ = lax.while_loop(
        unfinished, step, (start, low, high, unknown, unknown, jnp.int32(0))
    )
    return point, value
