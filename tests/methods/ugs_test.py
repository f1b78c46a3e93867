"""UGS: filters, distance and candidates by hand, the chosen one against trying all by brute force,
and files through it.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.tree_util import Partial
from scipy.signal import convolve2d
from support import small_networks
from support.configs import load
from support.small_networks import differs, run_steps

from stegojax import embed, probabilities, run
from stegojax.coding import ternary
from stegojax.errors import InputError
from stegojax.methods import steganalyzer, trained, ugs
from stegojax.types import WET_COST, Costs, Cover

SEARCH = ugs.Search(payload=0.4, candidates=7)
SECTION = dict(
    network="xunet", width=0.25, candidates=7, optimizer=dict(name="sgd", learning_rate=0.1)
)
HILL = trained.scheme("hill")
MODULE = small_networks.Steganalyzer(axis_name=None)


@pytest.fixture(scope="module")
def plane():
    rng = np.random.default_rng(0)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(40, 36)), 0), 1)
    return np.round(np.clip(128 + 3 * smooth / smooth.std() * 20, 0, 255)).astype(np.float32)


@pytest.fixture(scope="module")
def network(plane):
    """An untrained steganalyzer, parameters and statistics."""
    made = ugs.make(HILL, MODULE, optax.sgd(0.1), search=SEARCH)
    state = jax.jit(made.init)(jax.random.key(1), {"cover": jnp.asarray(plane)[None, ..., None]})
    return state.params[steganalyzer.NAME], state.batch_stats[steganalyzer.NAME]


def test_a_plane_of_a_linear_law_leaves_no_residual():
    """In a ramp every pixel is the mean of its neighbours: the predictor finds that, and the
    residual is nothing.
    """
    y, x = np.mgrid[:20, :24].astype(np.float32)
    ramp = 3 * x + 2 * y + 40
    taps = np.asarray(ugs.residual_filter(jnp.asarray(ramp)))
    assert taps.shape == (7,) and taps[3] == -1 and abs(taps.sum()) < 1e-2
    assert np.abs(convolve2d(ramp - ramp.mean(), taps[None, ::-1], "valid")).max() < 0.05


def test_the_predictor_is_least_squares(plane):
    windows = np.concatenate(
        [
            np.lib.stride_tricks.sliding_window_view(plane - plane.mean(), 7, axis=axis).reshape(
                -1, 7
            )
            for axis in (0, 1)
        ]
    ).astype(np.float64)
    expected = np.linalg.lstsq(np.delete(windows, 3, 1), windows[:, 3], rcond=None)[0]
    found = np.delete(np.asarray(ugs.residual_filter(jnp.asarray(plane))), 3)
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_the_distance_is_that_of_three_plain_correlations(plane):
    """Along rows, along columns, and the product of both, whose sign does not matter."""
    taps = np.asarray(ugs.residual_filter(jnp.asarray(plane)))
    changes = np.random.default_rng(1).integers(-1, 2, plane.shape).astype(np.float32)
    kernels = [taps[None], taps[:, None], -np.outer(taps, taps)]
    expected = sum(
        np.abs(convolve2d(changes, kernel[::-1, ::-1], "same")).sum() for kernel in kernels
    )
    np.testing.assert_allclose(
        ugs.residual_distance(jnp.asarray(changes), jnp.asarray(taps)), expected, rtol=1e-5
    )


def test_a_candidate_by_hand():
    """Of six pixels those with the two largest gradients: dearer in the gradient's direction where
    that direction's own cost is among the four cheapest.
    """
    gradient = jnp.asarray([[1.0, -6.0, 5.0, -2.0, 3.0, 0.5]])
    plus = jnp.asarray([[1.0, 2.0, 3.0, 4.0, 5.0, WET_COST]])
    minus = jnp.asarray([[1.0, 2.0, WET_COST, 4.0, 5.0, 6.0]])
    found = ugs.adjusted(Costs(plus, minus), gradient, (0.6, 0.6), factor=2.0)
    np.testing.assert_array_equal(found.plus, [[1, 2, 6, 4, 5, WET_COST]])
    np.testing.assert_array_equal(found.minus, [[1, 4, WET_COST, 4, 5, 6]])
    # -1 is dear at the second pixel, whatever +1 costs there.
    dear = Costs(plus, minus.at[0, 1].set(9.0))
    np.testing.assert_array_equal(ugs.adjusted(dear, gradient, (0.6, 0.6), factor=2.0)[1], dear[1])
    dear = jnp.full((1, 2), 0.9 * WET_COST)
    high = ugs.adjusted(Costs(dear, dear), jnp.asarray([[1.0, 2.0]]), (-1.0, 2.0), factor=2.0)
    assert (np.asarray(high.plus) < WET_COST).all()


@pytest.mark.parametrize("passing", ["some", "none", "all"])
def test_the_chosen_candidate_is_the_best_that_passes(plane, network, passing):
    """All candidates by a plain loop, judged by the network's own logits; its last bias decides how
    many pass.
    """
    params, stats = network

    @jax.jit
    def logits(plane):
        variables = {"params": params, "batch_stats": stats}
        return MODULE.apply(variables, jnp.asarray(plane)[None, :, :, None], train=False)[0]

    gradient = jax.grad(lambda plane: -jax.nn.log_softmax(logits(plane))[0])(jnp.asarray(plane))
    base, taps = (
        embed.bounded(HILL.cost)(jnp.asarray(plane)),
        ugs.residual_filter(jnp.asarray(plane)),
    )
    noise_key, threshold_key = jax.random.split(jax.random.key(0))
    noise = np.asarray(jax.random.uniform(noise_key, plane.shape))
    tried, margins, distances = [], [], []
    for thresholds in [(1.0, 0.0), *np.asarray(jax.random.uniform(threshold_key, (7, 2)))]:
        costs = ugs.adjusted(base, gradient, thresholds, factor=2.0)
        chances = probabilities.gibbs(
            costs, probabilities.lambda_for_payload(costs, 0.4 * plane.size)
        )
        changes = np.where(
            noise < chances.minus, -1, np.where(noise > 1 - np.asarray(chances.plus), 1, 0)
        ).astype(np.float32)
        tried.append(costs)
        margins.append(float(logits(plane + changes) @ jnp.asarray([1.0, -1.0])))
        distances.append(float(ugs.residual_distance(jnp.asarray(changes), taps)))
    shift = {"all": 1e3, "none": -1e3, "some": -float(np.median(margins))}[passing]
    allowed = [i for i, margin in enumerate(margins) if margin + shift > 0]
    assert len(allowed) in {"all": [8], "none": [0], "some": [4]}[passing]
    expected = tried[min(allowed, key=distances.__getitem__) if allowed else 0]
    last = {**params["full"], "bias": params["full"]["bias"] + jnp.asarray([shift, 0.0])}
    cost = ugs.cost_function(HILL.cost, MODULE, {**params, "full": last}, stats, search=SEARCH)
    found = jax.jit(lambda cost, plane: cost(plane))(cost, jnp.asarray(plane))
    np.testing.assert_allclose(found.plus, expected.plus, rtol=1e-5)
    np.testing.assert_allclose(found.minus, expected.minus, rtol=1e-5)


def test_planes_are_adjusted_one_by_one_and_carry_messages(plane, network):
    cost = ugs.cost_function(HILL.cost, MODULE, *network, search=SEARCH)
    planes = np.stack([plane, plane[::-1], plane[:, ::-1]])
    together, alone = jax.jit(cost)(jnp.asarray(planes)), jax.jit(cost)(jnp.asarray(planes[1]))
    np.testing.assert_allclose(together.plus[1], alone.plus, rtol=1e-4)
    rng = np.random.default_rng(2)
    message, order = rng.integers(0, 2, 300), rng.permutation(plane.size)
    code, scheme = ternary.stc_code(constraint_height=7), HILL._replace(cost=cost)
    changes, lengths = embed.embed([order], Cover((plane,)), message, scheme=scheme, code=code)
    found = embed.reveal([order], plane.ravel() + changes, lengths, code=code)
    np.testing.assert_array_equal(found, message)


def halves(scale, plane):
    """A cost that holds an array."""
    return Costs(*[scale * (1 + jnp.abs(plane - 128))] * 2)


def test_a_learned_base_is_trained_on_and_stays_put(plane):
    """The arrays of what another run has learned are in the state, and no step moves them."""
    base = embed.Scheme("other", Partial(halves, jnp.float32(2.0)), embed.RECIPES["plain"])
    made = ugs.make(base, small_networks.Steganalyzer(), optax.sgd(0.1), search=SEARCH)
    batch = {"cover": jnp.asarray(plane)[None, ..., None]}
    start = jax.tree.map(np.asarray, made.init(jax.random.key(0), batch))
    state, _ = run_steps(made.train_step, start, batch, 1)
    assert [float(array) for array in state.params[steganalyzer.FROZEN]] == [2.0]
    assert differs(start.params[steganalyzer.NAME], state.params[steganalyzer.NAME])


def test_a_learned_base_is_adjusted_as_it_was(plane):
    """A run's scheme doubles the costs that its base had when it was trained, whatever the base's
    run has become.
    """

    def load(scale):
        cost = Partial(halves, jnp.float32(scale))
        base = embed.Scheme("other", cost, embed.RECIPES["plain"])
        return lambda place: trained.Trained({}, None, base)

    section = SECTION | dict(scheme="run:there", candidates=1)
    made = ugs.from_config(section, steps_per_epoch=1, load=load(2.0))
    state = jax.jit(made.init)(jax.random.key(0), {"cover": jnp.asarray(plane)[None, ..., None]})
    scheme = ugs.scheme(state, section, name="mine", load=load(50.0))
    assert scheme.name == "mine" and scheme.recipe == embed.RECIPES["plain"]
    plus, rho = np.asarray(jax.jit(scheme.cost)(plane).plus), 2 * (1 + np.abs(plane - 128))
    assert ((plus == rho) | (plus == 2 * rho) | (plus >= WET_COST)).all()


@pytest.mark.parametrize(
    "options,words",
    [
        (dict(scheme="hill-cmd"), "UGS starts from a scheme of one phase; 'hill-cmd' has 4"),
        (dict(candidates=0), "candidates=0"),
        (dict(factor=1.0), "factor=1.0"),
        (dict(network="resnet"), "'resnet' is unknown"),
        (dict(colour=True), "method.colour is unknown"),
    ],
)
def test_what_cannot_be_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        ugs.from_config(SECTION | options, steps_per_epoch=1)


def test_a_run_is_for_costs():
    config = load("ugs").get_config("tiny")
    state = jax.jit(run.method(config).init)(jax.random.key(0), run.example(config))
    scheme = ugs.scheme(state, config.method.to_dict(), name="mine")
    assert scheme.recipe == embed.RECIPES["plain"]
