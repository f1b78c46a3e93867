"""Probabilities, entropies and payloads against golden values, float64 arithmetic in NumPy, and
what simulators must do.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from stegojax import embed
from stegojax import probabilities as P
from stegojax.costs import COSTS
from stegojax.errors import InputError
from stegojax.types import WET_COST, ChangeProbabilities, Costs


def golden_cover():
    i, j = np.mgrid[:32, :32]
    return jnp.asarray((37 * i * i + 59 * j * j + 83 * i * j + 101 * i + 7 * j) % 251, jnp.float32)


def random_costs(shape, seed=0, wet=0.1):
    """Asymmetric costs over three decades, some wet."""
    generator = np.random.default_rng(seed)
    parts = np.exp(generator.uniform(-4, 3, (2, *shape)))
    parts[generator.random(parts.shape) < wet] = WET_COST
    return Costs(*jnp.asarray(parts, jnp.float32))


def naive_probabilities(costs, lambda_):
    """p+, p-, p0 in float64."""
    weights = [
        np.where(np.asarray(rho) < WET_COST, np.exp(-lambda_ * np.asarray(rho, np.float64)), 0)
        for rho in costs
    ]
    total = 1 + weights[0] + weights[1]
    return weights[0] / total, weights[1] / total, 1 / total


def naive_bits(costs, lambda_):
    parts = np.stack(naive_probabilities(costs, lambda_))
    return -np.sum(parts[parts > 0] * np.log2(parts[parts > 0]))


@pytest.mark.parametrize(
    ("name", "rate", "lambda_", "rate_of_change", "distortion"),
    [
        ("hill", 0.2, 1279.02, 0.026584, 0.0893653),
        ("hill", 0.4, 1001.42, 0.063639, 0.216031),
        ("wow", 0.2, 368.676, 0.027245, 0.307899),
        ("wow", 0.4, 286.546, 0.064884, 0.749143),
        ("suniward", 0.2, 7.16514, 0.028848, 15.5712),
        ("suniward", 0.4, 5.46192, 0.067981, 38.5231),
    ],
)
def test_golden_simulator(name, rate, lambda_, rate_of_change, distortion):
    costs = embed.bounded(COSTS[name])(golden_cover())  # one pixel is 0
    found = P.lambda_for_payload(costs, rate * 1024)
    chances = P.gibbs(costs, found)
    np.testing.assert_allclose(found, lambda_, rtol=1e-5)
    np.testing.assert_allclose(P.change_rate(chances), rate_of_change, rtol=2e-5)
    np.testing.assert_allclose(P.expected_distortion(costs, chances), distortion, rtol=1e-5)
    np.testing.assert_allclose(jnp.sum(P.ternary_entropy(chances)), rate * 1024, rtol=1e-5)


def test_gibbs_matches_float64():
    costs = random_costs((5, 7))
    for lambda_ in (0.0, 0.3, 20.0, 1e9):
        found, (plus, minus, _) = P.gibbs(costs, lambda_), naive_probabilities(costs, lambda_)
        np.testing.assert_allclose(found.plus, plus, rtol=1e-5, atol=1e-30)
        np.testing.assert_allclose(found.minus, minus, rtol=1e-5, atol=1e-30)


def test_wet_changes_have_probability_zero_even_at_lambda_zero():
    chances = P.gibbs(
        Costs(plus=jnp.array([WET_COST, 1.0, WET_COST]), minus=jnp.array([1.0, 1.0, WET_COST])), 0.0
    )
    np.testing.assert_allclose(chances.plus, [0, 1 / 3, 0])
    np.testing.assert_allclose(chances.minus, [1 / 2, 1 / 3, 0])


def test_gibbs_takes_one_lambda_per_cover():
    costs = random_costs((3, 4, 5))
    chances = P.gibbs(costs, jnp.array([0.5, 1.0, 2.0]))
    for index, lambda_ in enumerate((0.5, 1.0, 2.0)):
        alone = P.gibbs(Costs(costs.plus[index], costs.minus[index]), lambda_)
        np.testing.assert_allclose(chances.plus[index], alone.plus, rtol=1e-6)
    with pytest.raises(InputError, match=r"\(4,\)"):
        P.gibbs(costs, jnp.ones(4))


def test_gibbs_has_finite_gradients_at_wet_and_huge_costs():
    costs = Costs(
        plus=jnp.array([WET_COST, 1e9, 0.0, 2.0]), minus=jnp.array([WET_COST, WET_COST, 0.0, 3.0])
    )

    def bits(costs, lambda_):
        return jnp.sum(P.ternary_entropy(P.gibbs(costs, lambda_)))

    by_costs, by_lambda = jax.grad(bits, (0, 1))(costs, 2.0)
    assert all(np.all(np.isfinite(part)) for part in (*by_costs, by_lambda))
    step = 1e-6
    expected = (naive_bits(costs, 2 + step) - naive_bits(costs, 2 - step)) / (2 * step)
    np.testing.assert_allclose(by_lambda, expected, rtol=1e-4)


def test_binary_gibbs_is_ternary_with_one_direction_wet():
    rho = jnp.array([0.0, 0.5, 4.0, WET_COST])
    found = P.binary_gibbs(rho, 1.5)
    np.testing.assert_allclose(
        found, [0.5, 1 / (1 + math.exp(0.75)), 1 / (1 + math.exp(6)), 0], rtol=1e-6
    )
    np.testing.assert_allclose(
        found, P.gibbs(Costs(rho, jnp.full(4, WET_COST)), 1.5).plus, rtol=1e-6
    )


def test_exact_costs_invert_gibbs():
    costs = random_costs((200,), wet=0.2)
    again = P.costs_from_probabilities(P.gibbs(costs, 1.0))
    for rho, back in zip(costs, again):
        np.testing.assert_allclose(back, rho, rtol=2e-5, atol=2e-5)
    pair = P.costs_from_probabilities(
        ChangeProbabilities(plus=jnp.array(1 / 3), minus=jnp.array(0.01))
    )
    np.testing.assert_allclose(
        pair, [math.log(0.65667 / 0.33333), math.log(0.65667 / 0.01)], rtol=1e-4
    )


def test_symmetric_costs_are_the_papers_formula():
    p = jnp.array([0.0, 1e-7, 0.01, 0.2, 1 / 3, 0.5])
    found = P.costs_from_probabilities(ChangeProbabilities(p, p[::-1]), formula="symmetric")
    lowest = math.log(1e7 - 2)
    np.testing.assert_allclose(
        found.plus, [lowest, lowest, math.log(98), math.log(3), 0, 0], rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(found.minus, found.plus[::-1])
    with pytest.raises(InputError, match="paper"):
        P.costs_from_probabilities(ChangeProbabilities(p, p), formula="paper")


def test_costs_from_probabilities_have_finite_gradients_at_zero():
    p = jnp.array([0.0, 0.2, 1.0])
    for formula in ("exact", "symmetric"):
        chances = ChangeProbabilities(plus=p, minus=jnp.zeros(3))
        gradient = jax.grad(
            lambda c, formula=formula: sum(
                map(jnp.sum, P.costs_from_probabilities(c, formula=formula))
            )
        )(chances)
        assert all(np.all(np.isfinite(part)) for part in gradient)


def test_entropies_at_known_points():
    third = jnp.full((), 1 / 3)
    np.testing.assert_allclose(
        P.ternary_entropy(ChangeProbabilities(third, third)), math.log2(3), rtol=1e-6
    )
    zero, half, quarter = jnp.zeros(()), jnp.full((), 0.5), jnp.full((), 0.25)
    np.testing.assert_allclose(P.ternary_entropy(ChangeProbabilities(quarter, quarter)), 1.5)
    np.testing.assert_allclose(P.ternary_entropy(ChangeProbabilities(half, zero)), 1.0)
    np.testing.assert_allclose(P.ternary_entropy(ChangeProbabilities(zero, zero)), 0.0)
    np.testing.assert_allclose(
        P.binary_entropy(jnp.array([0, 0.5, 1, 0.11])), [0, 1, 0, 0.499916], atol=1e-6
    )


def test_entropies_have_finite_and_right_gradients():
    corners = jnp.array([0.0, 1.0, 0.5, 0.2])
    gradient = jax.vmap(jax.grad(P.binary_entropy))(corners)
    assert np.all(np.isfinite(gradient))
    np.testing.assert_allclose(gradient[2:], [0, math.log2(0.8 / 0.2)], atol=1e-5)
    plus, minus = jnp.array([0.0, 0.0, 0.5, 1.0, 0.3]), jnp.array([0.0, 0.4, 0.5, 0.0, 0.1])
    gradient = jax.grad(lambda c: jnp.sum(P.ternary_entropy(c)))(ChangeProbabilities(plus, minus))
    assert all(np.all(np.isfinite(part)) for part in gradient)
    np.testing.assert_allclose(
        [part[-1] for part in gradient], [math.log2(0.6 / 0.3), math.log2(0.6 / 0.1)], rtol=1e-4
    )


def test_capacity_counts_allowed_values():
    wet = WET_COST
    costs = Costs(
        plus=jnp.array([[1.0, wet, wet], [0.0, 1.0, 1.0]]),
        minus=jnp.array([[1.0, 1.0, wet], [wet, 1.0, 1.0]]),
    )
    np.testing.assert_allclose(P.capacity(costs), 3 * math.log2(3) + 2, rtol=1e-6)
    np.testing.assert_allclose(
        P.capacity(costs, axes=1), [math.log2(3) + 1, 2 * math.log2(3) + 1], rtol=1e-6
    )


def test_distortion_leaves_out_wet_changes():
    costs = Costs(plus=jnp.array([[WET_COST, 2.0]]), minus=jnp.array([[3.0, WET_COST]]))
    # Probabilities from elsewhere may allow what the costs forbid.
    chances = ChangeProbabilities(plus=jnp.array([[0.2, 0.25]]), minus=jnp.array([[0.1, 0.0]]))
    np.testing.assert_allclose(P.expected_distortion(costs, chances), 0.8, rtol=1e-6)
    np.testing.assert_allclose(P.change_rate(chances), 0.275, rtol=1e-6)


def test_gibbs_has_least_distortion_among_equal_entropies():
    costs = random_costs((30, 30), wet=0)
    chances = P.gibbs(costs, P.lambda_for_payload(costs, 400.0))
    least = P.expected_distortion(costs, chances)
    generator = np.random.default_rng(1)
    for _ in range(5):
        # Exchanging the probabilities of a few elements keeps the entropy.
        order, few = np.arange(900), generator.permutation(900)[:20]
        order[few] = np.roll(few, 1)
        moved = ChangeProbabilities(*(p.ravel()[order].reshape(30, 30) for p in chances))
        assert P.expected_distortion(costs, moved) > least
    swapped = ChangeProbabilities(plus=chances.minus, minus=chances.plus)
    assert P.expected_distortion(costs, swapped) > least


@pytest.mark.parametrize("rate", [1e-4, 0.05, 0.4, 1.0, 1.3])
def test_payload_is_met(rate):
    for costs in (
        random_costs((64, 48)),
        random_costs((64, 48), wet=0),
        random_costs((2000, 1), seed=2),
    ):
        payload = rate * costs.plus.size
        if payload < float(P.capacity(costs)):
            bits = naive_bits(costs, float(P.lambda_for_payload(costs, payload)))
            assert abs(bits - payload) < 1e-5 * costs.plus.size


@pytest.mark.parametrize("name", COSTS)
def test_payload_is_met_for_every_cost(name):
    generator = np.random.default_rng(5)
    picture = np.clip(np.cumsum(generator.normal(size=(96, 96)), 1) * 4 + 100, 0, 255).round()
    picture[:40, :40] = 255
    costs = embed.bounded(COSTS[name])(jnp.asarray(picture, jnp.float32))
    for rate in (0.01, 0.2, 0.8):
        bits = naive_bits(costs, float(P.lambda_for_payload(costs, rate * 96 * 96)))
        assert abs(bits / 96**2 - rate) < 1e-5


def test_lambda_is_the_root_that_another_solver_finds():
    costs = random_costs((20, 30))
    found = float(P.lambda_for_payload(costs, 250.0))
    expected = scipy.optimize.brentq(
        lambda lambda_: naive_bits(costs, lambda_) - 250.0, 1e-3, 1e3, xtol=1e-10
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_lambda_for_constant_costs_by_hand():
    # Every element changes with probability 1/10 each way: h = -0.2 log2 0.1 - 0.8 log2 0.8, lambda
    # = ln(0.8 / 0.1).
    costs = Costs(jnp.ones((50, 50)), jnp.ones((50, 50)))
    bits = 2500 * (-0.2 * math.log2(0.1) - 0.8 * math.log2(0.8))
    np.testing.assert_allclose(P.lambda_for_payload(costs, bits), math.log(8), rtol=1e-5)


def test_covers_of_a_batch_do_not_touch_each_other():
    costs = random_costs((4, 16, 20))
    costs = Costs(costs.plus * jnp.array([1.0, 100.0, 0.01, 1.0])[:, None, None], costs.minus)
    payloads = np.array([10.0, 80.0, 150.0, 320.0])
    batch = P.lambda_for_payload(costs, payloads)
    assert batch.shape == (4,)
    mapped = jax.vmap(P.lambda_for_payload)(costs, jnp.asarray(payloads, jnp.float32))
    compiled = jax.jit(P.lambda_for_payload)(costs, payloads)
    for index, payload in enumerate(payloads):
        alone = P.lambda_for_payload(Costs(costs.plus[index], costs.minus[index]), payload)
        np.testing.assert_allclose([batch[index], mapped[index], compiled[index]], alone, rtol=1e-5)
    two_axes = P.lambda_for_payload(Costs(*(rho[None] for rho in costs)), 40.0)
    assert two_axes.shape == (1, 4)


def test_vectors_of_elements():
    costs = random_costs((3, 500))
    found = P.lambda_for_payload(costs, 100.0, axes=1)
    for index in range(3):
        assert (
            abs(naive_bits(Costs(costs.plus[index], costs.minus[index]), float(found[index])) - 100)
            < 0.01
        )


def test_sums_stay_exact_over_millions_of_elements():
    costs = Costs(*(jnp.full((3_000_001,), 0.7),) * 2)
    assert abs(float(P.capacity(costs, axes=1)) / (3_000_001 * math.log2(3)) - 1) < 2e-6
    found = float(P.lambda_for_payload(costs, 0.3 * 3_000_001, axes=1))
    assert abs(naive_bits(costs, found) / 3_000_001 - 0.3) < 1e-5


def test_nothing_and_everything_can_be_asked_for():
    costs = random_costs((30, 30))
    most = float(P.capacity(costs))
    assert naive_bits(costs, float(P.lambda_for_payload(costs, 0.0))) < 1e-3
    assert abs(naive_bits(costs, float(P.lambda_for_payload(costs, most))) - most) < 1e-4 * 900


def test_more_than_the_capacity_is_refused_with_the_capacity():
    costs = Costs(plus=jnp.array([[1.0, WET_COST]] * 50), minus=jnp.full((50, 2), WET_COST))
    with pytest.raises(InputError, match="between 0 and 50 bits.* 50.1 were asked for"):
        P.lambda_for_payload(costs, 50.1)
    with pytest.raises(InputError, match="50 bits"):
        P.check_payload(costs, -1.0)
    with pytest.raises(InputError, match="50 bits"):
        P.check_payload(costs, math.nan)
    assert float(jax.jit(P.lambda_for_payload)(costs, 50.1)) == 0


def test_changes_that_cost_nothing_cannot_be_silenced():
    costs = Costs(plus=jnp.zeros((10, 10)), minus=jnp.full((10, 10), WET_COST))
    with pytest.raises(InputError, match="alone carry 100.0 bits"):
        P.lambda_for_payload(costs, 20.0)


def test_wrong_shapes_are_refused():
    costs = random_costs((4, 5, 6))
    with pytest.raises(InputError, match=r"\(4,\)"):
        P.lambda_for_payload(costs, np.ones(3))
    with pytest.raises(InputError, match="no 4 axes"):
        P.capacity(costs, axes=4)
    with pytest.raises(InputError, match=r"\(4, 5, 6\) and \(4, 5\)"):
        P.gibbs(Costs(costs.plus, costs.minus[..., 0]), 1.0)


def test_lambda_matches_conseal():
    ternary = pytest.importorskip("conseal.simulate._ternary")
    costs = random_costs((64, 64))
    parts = tuple(np.asarray(rho, np.float64) for rho in costs)
    (plus, minus), lambda_ = ternary.probability(rhos=parts, alpha=0.4, n=64 * 64)
    # conseal stops at a thousandth of the payload.
    np.testing.assert_allclose(
        P.lambda_for_payload(costs, np.round(0.4 * 4096)), lambda_, rtol=2e-3
    )
    np.testing.assert_allclose(P.gibbs(costs, lambda_).plus, plus, rtol=1e-4, atol=1e-12)


SIMULATORS = {
    "simulate": P.simulate,
    "staircase": P.staircase,
    "straight_through": P.straight_through,
}


@pytest.mark.parametrize("name", SIMULATORS)
def test_simulators_draw_with_the_given_probabilities(name):
    elements = 200_000
    chances = ChangeProbabilities(plus=jnp.full(elements, 0.13), minus=jnp.full(elements, 0.05))
    drawn = np.asarray(SIMULATORS[name](jax.random.key(3), chances))
    assert drawn.dtype == np.float32
    assert set(np.unique(drawn)) == {-1, 0, 1}
    for value, p in ((1, 0.13), (-1, 0.05)):
        assert abs(np.mean(drawn == value) - p) < 5 * math.sqrt(p * (1 - p) / elements)
    np.testing.assert_array_equal(drawn, SIMULATORS[name](jax.random.key(3), chances))
    assert np.any(drawn != np.asarray(SIMULATORS[name](jax.random.key(4), chances)))


@pytest.mark.parametrize("name", SIMULATORS)
def test_simulators_never_draw_the_impossible(name):
    chances = ChangeProbabilities(plus=jnp.zeros(50_000).at[::2].set(1.0), minus=jnp.zeros(50_000))
    drawn = SIMULATORS[name](jax.random.key(0), chances)
    np.testing.assert_array_equal(drawn, chances.plus)


def test_simulated_changes_convey_their_bits():
    costs = random_costs((128, 128))
    chances = P.gibbs(costs, P.lambda_for_payload(costs, 5000.0))
    drawn = np.asarray(P.simulate(jax.random.key(1), chances))
    p = np.select(
        [drawn > 0, drawn < 0], [chances.plus, chances.minus], 1 - chances.plus - chances.minus
    )
    # The surprise of what was drawn has the entropy as its mean.
    assert abs(-np.log2(p).sum() - 5000) < 5 * math.sqrt(128 * 128)


def test_hard_simulators_pass_no_gradient():
    chances = ChangeProbabilities(plus=jnp.full(100, 0.2), minus=jnp.full(100, 0.1))
    for draw in (P.simulate, P.staircase):
        gradient = jax.grad(lambda c, draw=draw: jnp.sum(draw(jax.random.key(0), c)))(chances)
        assert not np.any(gradient.plus) and not np.any(gradient.minus)


def test_straight_through_passes_the_gradient_of_the_mean():
    chances = ChangeProbabilities(plus=jnp.full(100, 0.2), minus=jnp.full(100, 0.1))
    weights = jnp.arange(100.0)
    gradient = jax.grad(lambda c: jnp.sum(weights * P.straight_through(jax.random.key(0), c)))(
        chances
    )
    np.testing.assert_allclose(gradient.plus, weights)
    np.testing.assert_allclose(gradient.minus, -weights)


def test_double_tanh_is_the_papers_formula_and_tends_to_the_staircase():
    key = jax.random.key(9)
    noise = np.asarray(jax.random.uniform(key, (1000,)), np.float64)
    p = np.linspace(0, 0.66, 1000)
    half = jnp.asarray(p / 2, jnp.float32)
    expected = -0.5 * np.tanh(60 * (p - 2 * noise)) + 0.5 * np.tanh(60 * (p - 2 * (1 - noise)))
    np.testing.assert_allclose(
        P.double_tanh(key, ChangeProbabilities(half, half)), expected, atol=1e-4
    )
    chances = ChangeProbabilities(plus=half, minus=half[::-1])
    steep = np.asarray(P.double_tanh(key, chances, slope=1e6))
    assert np.mean(steep == P.staircase(key, chances)) > 0.999


def test_double_tanh_gradient_matches_differences():
    key, chances = (
        jax.random.key(2),
        ChangeProbabilities(plus=jnp.linspace(0, 0.4, 64), minus=jnp.linspace(0.3, 0, 64)),
    )

    def total(plus, minus):
        return jnp.sum(
            jnp.cos(jnp.arange(64))
            * P.double_tanh(key, ChangeProbabilities(plus, minus), slope=5.0)
        )

    for argument in (0, 1):
        gradient = jax.grad(total, argument)(*chances)
        assert np.all(np.isfinite(gradient)) and np.any(gradient)
        direction = jnp.sin(jnp.arange(64.0))
        ahead, behind = (
            total(
                *(
                    part + step * direction * (index == argument)
                    for index, part in enumerate(chances)
                )
            )
            for step in (1e-3, -1e-3)
        )
        difference = (ahead - behind) / 2e-3
        np.testing.assert_allclose(jnp.vdot(gradient, direction), difference, rtol=2e-3, atol=2e-3)
