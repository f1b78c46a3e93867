"""ReLOAD: the reward against a naive loop over the 30 filters, distances by the autocorrelation,
actions and agents by hand, the rule, learning, and messages through the phased use.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import correlate2d
from support import small_networks
from support.configs import load
from support.small_networks import differs, run_steps

from stegojax import embed, probabilities, run, secret
from stegojax.data import pipeline
from stegojax.errors import InputError
from stegojax.hiders import by_costs
from stegojax.hiders.element_channel import Choices
from stegojax.methods import METHODS, reload
from stegojax.models import high_pass
from stegojax.models import reload as models
from stegojax.types import WET_COST, Costs, Cover

ADAM = dict(name="adam", learning_rate=0.1)
SECTION = dict(optimizer=ADAM, phased_optimizer=ADAM, stage_lengths=(2, 2))


@pytest.fixture(scope="module")
def covers():
    """Middles of bundled photographs, `[B, 96, 96]`."""
    section = dict(kind="pictures", source="embedded", crop=96, held_out_crop="centre")
    with pipeline.make(section, split="held_out", batch_size=1, seed=0) as loader:
        return jnp.concatenate([jnp.asarray(batch["cover"][..., 0]) for batch in loader])[:4]


def changes(shape, seed=0):
    return np.random.default_rng(seed).integers(-1, 2, shape).astype(np.float32)


def test_the_reward_against_a_naive_loop():
    """30 kernels with their whole coefficients, zeros around, squares, and the 3x3 smoothing."""
    cover = small_networks.covers(1, (12, 15))[0, ..., 0].astype(np.float64)
    before, after = changes(cover.shape, 1), changes(cover.shape, 2)
    total = 0.0
    for kernel in high_pass.SRM:
        original, old, new = (
            correlate2d(picture, kernel, "same")
            for picture in (cover, cover + before, cover + after)
        )
        total += (original - old) ** 2 - (original - new) ** 2
    smoothing = np.full((3, 3), 0.0625)
    smoothing[1, 1] = 0.5
    expected = correlate2d(total / 30, smoothing, "same")
    found = reload.rewards(jnp.asarray(before), jnp.asarray(after))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
    fall = reload.distance(jnp.asarray(before)) - reload.distance(jnp.asarray(after))
    assert float(fall) == pytest.approx(np.mean(total / 30), rel=1e-4)


def test_the_distance_is_a_quadratic_form():
    """The authors' autocorrelation: 90.13 in the middle, -60.4 beside it, 40.8 at the corner."""
    around = models.AUTOCORRELATION[3:7, 3:7]
    assert around[1, 1] == pytest.approx(90.13, abs=0.01)
    assert around[1, 2] == pytest.approx(-60.4, abs=0.05)
    assert around[2, 2] == pytest.approx(40.8, abs=0.05)
    assert models.AUTOCORRELATION[4, 6] == pytest.approx(26.3, abs=0.05)
    # Away from the border, where zeros cut the residuals off.
    d = np.zeros((20, 20), np.float32)
    d[5:15, 5:15] = changes((10, 10))
    form = np.sum(d * np.asarray(models.correlated(jnp.asarray(d), models.AUTOCORRELATION))) / 400
    assert float(reload.distance(jnp.asarray(d))) == pytest.approx(form, rel=1e-4)


def test_the_rule_turns_a_change_the_way_of_its_sides():
    d = np.zeros((9, 20), np.float32)
    d[4, 4], d[4, 5], d[0, 15] = -1, 1, 1
    way = np.asarray(models.preferred(jnp.asarray(d)))
    assert way[4, 4] == 1 and way[4, 5] == -1 and way[3, 5] == 1
    actions = np.asarray(reload.by_rule(jnp.asarray(d)))
    assert actions[4, 4] == models.RAISE and actions[4, 5] == models.LOWER
    assert actions[3, 5] == models.NOTHING and actions[0, 15] == models.NOTHING


def test_actions_and_agents_by_hand():
    costs = Costs(jnp.asarray([[5.0, 5.0, 5.0, WET_COST]]), jnp.asarray([[5.0, 5.0, 5.0, 5.0]]))
    found = reload.acted(costs, jnp.asarray([[0, 1, 2, 2]]), factor=1.25)
    np.testing.assert_array_equal(found.plus, [[5, 5, 4, WET_COST]])
    np.testing.assert_array_equal(found.minus, [[4, 5, 5, 5]])
    rho = jnp.arange(10.0).reshape(1, 2, 5)
    chosen = reload.agents(Costs(rho, rho + 1), 0.35)
    np.testing.assert_array_equal(chosen[0], [[1, 1, 1, 0, 0], [0, 0, 0, 0, 0]])


def test_the_six_numbers_by_hand():
    d = jnp.zeros((1, 5, 5)).at[0, 2, 2].set(1.0).at[0, 2, 3].set(-1.0).at[0, 3, 3].set(1.0)
    maps = jnp.stack([d, -d, d], axis=-1)
    params = {"numbers": jnp.asarray([0.5, 2.0, 0.1, 0.3, 0.7, 0.9])}
    values, logits = models.SixNumbers().apply({"params": params}, maps, train=False)
    # Own 1, one side -1, one corner 1.
    towards = 0.1 * 1 + 0.3 * -1 + 0.7 * 1
    np.testing.assert_allclose(logits[0, 2, 2], [2.5 - towards, 0, 2.5 + towards], rtol=1e-5)
    assert not values.any()


@pytest.mark.parametrize("sight, count", [(False, 7_505_828), (True, 7_505_828 + 5 * 3 + 3)])
def test_the_networks_parameters_are_the_authors(sight, count):
    module = models.ActorCritic(sight=sight)
    params = jax.eval_shape(
        lambda key: module.init(key, jnp.zeros((1, 256, 256, 3)), train=False), jax.random.key(0)
    )["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


@pytest.fixture(scope="module")
def begun(covers):
    made = reload.from_config(SECTION, steps_per_epoch=1)
    batch = {"cover": covers[..., None]}
    return made, jax.tree.map(np.asarray, jax.jit(made.init)(jax.random.key(0), batch)), batch


def test_six_numbers_learn_in_both_uses(begun):
    """A few updates: agents act where something is changed, and the way of the rule; phased ones
    the way of their neighbours. Each stage moves its own numbers alone.
    """
    made, state, batch = begun
    names = [stage.name for stage in made.stages]
    assert names == ["same noise", "phased"]
    alone, history = run_steps(made.stages[0].train_step, state, batch, 12)
    assert not differs(alone.params["phased"], state.params["phased"])
    _, a1, _, b1, b2, _ = alone.params["policy"]["numbers"]
    assert a1 > 0 and b1 > 0 and b2 < 0
    assert history[-1]["mean_return"] > history[0]["mean_return"]
    both, _ = run_steps(made.stages[1].train_step, alone, batch, 12)
    assert not differs(both.params["policy"], alone.params["policy"])
    assert both.params["phased"]["numbers"][3] > 0
    outputs = jax.jit(made.predict)(both, batch, jax.random.key(5))
    ratios = {name: float(jnp.mean(outputs[name])) for name in reload.FIGURES}
    assert ratios["distance_ratio"] < 0.9 < ratios["distance_ratio_other_noise"]
    assert ratios["distance_ratio_phased"] < 1 and 0.4 < ratios["distance_ratio_cmd"] < 1


def test_the_rule_pays_with_one_noise_alone(covers):
    """Ten steps where a change is: the distance falls by a third, and rises with another noise."""
    costs = embed.bounded(embed.parse_scheme("hill").cost)(covers)
    mask, bits = reload.agents(costs, 0.18), 0.4 * 96 * 96
    keys, others = (jax.random.split(jax.random.key(seed), len(covers)) for seed in (0, 1))

    @jax.jit
    def drawn(keys, costs):
        chances = probabilities.gibbs(costs, probabilities.lambda_for_payload(costs, bits))
        return jax.vmap(probabilities.simulate)(keys, chances)

    first, now = drawn(keys, costs), costs
    d = first
    for _ in range(10):
        actions = jnp.where(mask, reload.by_rule(d), models.NOTHING)
        now = reload.acted(now, actions, factor=1.25)
        d = drawn(keys, now)
    ratio = float(jnp.mean(reload.distance(d)) / jnp.mean(reload.distance(first)))
    other = float(
        jnp.mean(reload.distance(drawn(others, now)))
        / jnp.mean(reload.distance(drawn(others, costs)))
    )
    assert ratio < 0.75 and other > 1


def test_messages_through_the_phased_use(begun):
    made, state, _ = begun
    numbers = jnp.asarray([0.0, 0.0, 0.0, 2.0, -1.0, 0.0])
    trained = state._replace(params={**state.params, "phased": {"numbers": numbers}})
    scheme = reload.scheme(trained, SECTION, name="mine")
    cover = Cover((small_networks.covers(1, (64, 64))[0, ..., 0].astype(np.int16),))
    key = secret.key_file(bytes(range(32)))
    stego = by_costs.hide(key, cover, b"any file", choices=Choices(scheme, constraint_height=7))
    assert by_costs.reveal(key, stego) == b"any file"


@pytest.mark.parametrize(
    "options,words",
    [
        (dict(scheme="hill-cmd"), "ReLOAD starts from a scheme of one phase"),
        (dict(stage_lengths=(2,)), "needs 2 numbers above 0, for same noise, phased"),
        (dict(policy="network"), "needs 3 numbers above 0, for rule, same noise, phased"),
        (dict(policy="table"), "method.policy 'table' is unknown"),
        (dict(amplitude=1.0), "amplitude=1.0"),
        (dict(agents=0.0), "agents=0.0 a share"),
        (dict(episode=0), "method.episode=0"),
    ],
)
def test_what_cannot_be_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        reload.from_config(SECTION | options, steps_per_epoch=1)


def test_it_is_a_method_that_hides():
    assert METHODS["reload"].use == "costs"
    config = load("reload").get_config("tiny")
    assert [stage.steps for stage in run.method(config).stages] == [4, 4]
