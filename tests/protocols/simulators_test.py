"""Figures of simulators: the staircase against itself, and the others beside it."""

import jax.numpy as jnp
import numpy as np
import pytest

from stegojax import probabilities
from stegojax.protocols import simulators
from stegojax.types import ChangeProbabilities

CHANCES = ChangeProbabilities(*[jnp.asarray(np.linspace(0.001, 0.3, 20_000), jnp.float32)] * 2)


def test_the_staircase_is_itself_and_lets_nothing_through():
    own = simulators.figures(probabilities.staircase, CHANCES)
    assert own == dict.fromkeys(own, 0.0)


def test_straight_through_has_no_slope_where_both_directions_are_alike():
    """The derivative of p+ - p- by P."""
    figures = simulators.figures(probabilities.straight_through, CHANCES)
    assert figures["mse"] < 1e-12 and figures["slope"] == 0


def test_the_double_tanh_is_near_and_steep_at_few_pixels():
    figures = simulators.figures(probabilities.double_tanh, CHANCES)
    assert figures["mse"] == pytest.approx(0.02, abs=0.02) and figures["wrong"] < 1
    assert 0 < figures["steep"] < 20 and figures["largest_slope"] == pytest.approx(30, rel=0.05)
    # The mean over the noise is a half: the change of either tail.
    assert figures["slope"] == pytest.approx(0.5, abs=0.05) or figures["slope"] > 0.2
