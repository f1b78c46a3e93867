"""What learns costs: ranges, rewards by hand, the gradient through a simulator against JAX's own,
who learns and who guides, and learned costs.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support import small_networks
from support.small_networks import differs

from stegojax import embed, losses, parallel, probabilities
from stegojax.methods import cost_learner
from stegojax.types import ChangeProbabilities, Costs, State

CHANCES = ChangeProbabilities(jnp.full((1, 1, 4), 0.2), jnp.full((1, 1, 4), 0.1))


def on_one_device(function, *arguments):
    """Calls what runs under the devices' axis."""
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], arguments)
    out = jax.jit(jax.vmap(function, axis_name=parallel.AXIS))(*one)
    return jax.tree.map(lambda leaf: leaf[0], out)


def test_one_map_is_both_directions():
    one = cost_learner.both_directions(jnp.asarray([[[0.1], [0.2]]]))
    np.testing.assert_array_equal(one.plus, one.minus)
    two = cost_learner.both_directions(jnp.asarray([[[0.1, 0.3]]]))
    assert (float(two.plus[0, 0]), float(two.minus[0, 0])) == pytest.approx((0.1, 0.3))


def test_rewards_less_their_mean_by_hand():
    rewards = jnp.asarray([[[3.0, 9.0, 5.0, 1.0]], [[7.0, 7.0, 7.0, 7.0]]])
    modifications = jnp.asarray([[[1.0, 0.0, -1.0, 1.0]], [[0.0, 0.0, 0.0, 0.0]]])
    np.testing.assert_array_equal(cost_learner.raw(rewards, modifications), rewards)
    np.testing.assert_allclose(
        cost_learner.centred(rewards, modifications), [[[0, 0, 2, -2]], [[0, 0, 0, 0]]]
    )


def test_standardised_rewards_do_not_depend_on_their_size():
    rewards = jnp.asarray([[[3.0, 9.0, 5.0, 1.0]], [[0.0, 0.0, 0.0, 0.0]]])
    modifications = jnp.asarray([[[1.0, 0.0, -1.0, 1.0]], [[1.0, 1.0, 1.0, 1.0]]])
    side = np.sqrt(3 / 2)
    expected = [[[0, 0, side, -side]], [[0, 0, 0, 0]]]
    for size in (1.0, 1e-25):
        values = cost_learner.standardised(size * rewards, modifications)
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rule", ["raw", "centred"])
def test_a_reward_by_hand(rule):
    """Changes along the gradient gain, the others lose; scale and weight multiply."""
    modifications = jnp.asarray([[[1.0, -1.0, 1.0, 0.0]]])
    gradient = jnp.asarray([[[2.0, 1.0, -3.0, 8.0]]])
    weight = jnp.asarray([[[1.0, 1.0, 2.0, 1.0]]])
    guidance = cost_learner.rewarded(10.0, rule=cost_learner.REWARDS[rule])
    reward = np.asarray([20.0, -10.0, -60.0]) + (50 / 3 if rule == "centred" else 0.0)
    value, slope = jax.value_and_grad(
        lambda chances: guidance(chances, modifications, gradient, weight)[0]
    )(CHANCES)
    floor = losses.LOG_FLOOR
    logs = np.log([0.2 + floor, 0.1 + floor, 0.2 + floor])
    assert float(value) == pytest.approx(-np.sum(reward * logs) / 4, rel=1e-5)
    # Descending moves each drawn change's own probability alone, up where it was rewarded.
    np.testing.assert_allclose(
        slope.plus[0, 0], [-reward[0] / 0.2 / 4, 0, -reward[2] / 0.2 / 4, 0], rtol=1e-3
    )
    np.testing.assert_allclose(slope.minus[0, 0], [0, -reward[1] / 0.1 / 4, 0, 0], rtol=1e-3)


@pytest.mark.parametrize("devices", [1, 2])
def test_the_gradient_through_a_simulator_is_that_of_the_whole(devices):
    """Two covers' stegos through a steganalyzer's loss, by JAX's chain rule and by the guidance."""
    key, covers = jax.random.key(0), jnp.asarray(small_networks.covers(2, (4, 4))[..., 0])
    chances = ChangeProbabilities(jnp.full((2, 4, 4), 0.3), jnp.full((2, 4, 4), 0.25))
    weights = jax.random.normal(key, (1, 4, 4))

    def loss(stego):
        return jnp.mean(jnp.tanh(jnp.sum(stego * weights, axis=(1, 2)) / 300))

    def draw(keys, chances):
        return jax.vmap(lambda key, one: probabilities.double_tanh(key, one, slope=2.0))(
            keys, chances
        )

    keys = jax.random.split(key, 2)
    expected = jax.grad(lambda chances: -loss(covers + draw(keys, chances)))(chances)

    def guided(keys, covers, chances):
        gradient = jax.grad(loss)(covers + draw(keys, chances)) / jax.lax.psum(1, parallel.AXIS)
        slope = jax.grad(
            lambda chances: jnp.mean(
                cost_learner.through(chances, draw(keys, chances), gradient, 1.0)
            )
        )(chances)
        # As an optimiser's step averages them.
        return jax.tree.map(lambda leaf: leaf / jax.lax.psum(1, parallel.AXIS), slope)

    shares = jax.tree.map(
        lambda leaf: leaf.reshape(devices, -1, *leaf.shape[1:]), (keys, covers, chances)
    )
    found = jax.jit(jax.vmap(guided, axis_name=parallel.AXIS))(*shares)
    assert np.abs(expected.plus).max() > 1e-5
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(got.reshape(2, 4, 4), wanted, rtol=1e-4, atol=1e-9)


def test_the_weakest_learns_and_the_strongest_guides():
    losses_ = dict(a=jnp.asarray(0.6), b=jnp.asarray(0.7), c=jnp.asarray(0.2))
    learns = cost_learner.weakest_learns(losses_, 0)
    guides = cost_learner.strongest_guides(losses_, 0, {})
    assert {name: bool(value) for name, value in learns.items()} == dict(a=False, b=True, c=False)
    assert {name: float(value) for name, value in guides.items()} == dict(a=0, b=0, c=1)
    assert cost_learner.all_learn(losses_, 0) == {}
    assert cost_learner.all_guide(losses_, 0, {}) == dict(a=1, b=1, c=1)


class Flat(nn.Module):
    """The same two probabilities for all pixels."""

    @nn.compact
    def __call__(self, maps, *, train):
        logits = self.param("logits", nn.initializers.constant(-1.0), (2,))
        return jnp.broadcast_to(nn.sigmoid(logits) / 2, (*maps.shape[:3], 2))


class Biased(small_networks.Linear):
    """Sure of what it sees, to a degree: its loss on covers and stegos alike is known."""

    sureness: float = 0.0
    broken: bool = False

    @nn.compact
    def __call__(self, planes, *, train):
        logits = small_networks.Linear.__call__(self, planes, train=train)
        bias = self.param("bias", nn.initializers.constant(self.sureness), ())
        both = 0.0 * jnp.sum(planes, axis=(1, 2, 3))
        both = jnp.sqrt(both) if self.broken else both
        return 0.01 * logits + jnp.stack([both, both + bias], axis=-1)


def learner(modules, **options):
    """Flat probabilities against steganalyzers, by reward."""

    def view(state, batch, key):
        covers = batch["cover"][..., 0]
        return cost_learner.View(
            maps=cost_learner.scaled(covers),
            covers=covers,
            before=jnp.zeros_like(covers),
            mask=jnp.ones_like(covers, bool).at[:, :, 0].set(False),
            bits=40.0,
            keys=parallel.example_keys(key, covers.shape[0]),
        )

    options = dict(guidance=cost_learner.rewarded(1e7), terms=lambda chances, view: {}) | options
    return cost_learner.Learner(
        "generator",
        cost_learner.Generator(Flat()),
        {name: cost_learner.Role(name, module) for name, module in modules.items()},
        view,
        **options,
    )


def begin(learner_, batch):
    modules = {name: role.module for name, role in learner_.roles.items()}
    modules = {**modules, "generator": learner_.generator.module}
    params = {
        name: module.init(jax.random.key(0), batch["cover"], train=False)["params"]
        for name, module in modules.items()
    }
    params["bystander"] = {"weight": jnp.ones(3)}
    optimizers = dict.fromkeys(modules, optax.sgd(0.1))
    opt_state = {name: optimizers[name].init(params[name]) for name in learner_.roles}
    opt_state["generator"] = optimizers["generator"].init({"generator": params["generator"]})
    stats = {name: {} for name in modules}
    return State(jnp.int32(0), params, stats, opt_state), optimizers


def step(learner_, batch):
    """A state, and the state and metrics after one step."""
    before, optimizers = begin(learner_, batch)
    train_step = cost_learner.train_step(learner_, optimizers)
    after, metrics = on_one_device(
        lambda batch: train_step(before, batch, jax.random.key(1)), batch
    )
    return before, after, metrics


@pytest.fixture(scope="module")
def batch():
    return {"cover": jnp.asarray(small_networks.covers(4, (8, 8)))}


def changed(before, after):
    return {name for name in before.params if differs(before.params[name], after.params[name])}


def test_one_step_of_three_steganalyzers(batch):
    """The surest of "stego" has the largest loss and learns; the unsure one has the least and
    guides. What no gradient passes through may be broken.
    """
    modules = dict(weak=Biased(sureness=3.0), strong=Biased(), middle=Biased(sureness=1.0))
    roles = dict(guides=cost_learner.strongest_guides, learns=cost_learner.weakest_learns)
    before, after, metrics = step(learner(modules, **roles), batch)
    assert changed(before, after) == {"generator", "weak"}
    assert metrics["weak_loss"] > metrics["middle_loss"] > metrics["strong_loss"]
    alone = step(learner(dict(strong=Biased()), **roles), batch)[1]
    np.testing.assert_allclose(
        after.params["generator"]["logits"], alone.params["generator"]["logits"], rtol=1e-5
    )
    modules["middle"] = Biased(sureness=1.0, broken=True)
    broken = step(learner(modules, **roles), batch)[1]
    np.testing.assert_allclose(
        broken.params["generator"]["logits"], after.params["generator"]["logits"], rtol=1e-5
    )


def test_all_learn_and_guide_and_a_frozen_network_stays_put(batch):
    modules = dict(one=Biased(sureness=1.0), other=Biased())
    before, after, metrics = step(learner(modules), batch)
    assert changed(before, after) == {"generator", "one", "other"}
    assert int(after.step) == 1
    expected = {"loss", "loss_adversarial", "gradient_norm", "change_rate"}
    assert set(metrics) == expected | {
        f"{name}_{what}" for name in modules for what in ("loss", "accuracy")
    }


def test_what_is_masked_is_not_drawn_and_has_no_gradient(batch):
    seen = []

    def spying(chances, modifications, gradient, weight):
        values = jnp.mean(modifications * gradient, axis=(1, 2)) * chances.plus[:, 0, 0]
        jax.debug.callback(lambda *arrays: seen.append(arrays), modifications, chances.plus)
        return values

    step(learner(dict(one=Biased()), guidance=spying), batch)
    jax.effects_barrier()
    modifications = np.asarray(seen[0][0]).reshape(4, 8, 8)
    assert not modifications[:, :, 0].any() and modifications.any()

    slopes = []

    def sloped(chances, modifications, gradient, weight):
        def leaf(chances):
            return losses.rewarded_changes(chances, modifications, 1e6 * gradient)

        slope = jax.grad(lambda chances: jnp.sum(leaf(chances)))(chances)
        jax.debug.callback(lambda *arrays: slopes.append(arrays), *slope)
        return leaf(chances)

    step(learner(dict(one=Biased()), guidance=sloped), batch)
    jax.effects_barrier()
    plus, minus = (np.asarray(slope).reshape(4, 8, 8) for slope in slopes[0])
    assert not plus[:, :, 0].any() and not minus[:, :, 0].any() and plus.any() and minus.any()


def test_steganalyzers_may_learn_from_other_stegos_than_those_that_guide(batch):
    """Smooth stegos guide, whole ones are shown: the steganalyzer's loss is that of the whole."""
    smooth = dict(draw=probabilities.double_tanh, guidance=cost_learner.through)
    whole = dict(draw=probabilities.staircase)
    shown = {}
    for name, options in {
        "smooth": smooth,
        "whole": whole,
        "both": smooth | dict(shown=probabilities.staircase),
    }.items():
        before, after, metrics = step(learner(dict(one=Biased()), **options), batch)
        shown[name] = float(metrics["one_loss"]), after.params["generator"]["logits"]
    assert shown["both"][0] == shown["whole"][0] != shown["smooth"][0]
    np.testing.assert_allclose(shown["both"][1], shown["smooth"][1], rtol=1e-6)
    assert differs(shown["both"][1], before.params["generator"]["logits"])


def test_payload_figures_by_hand():
    half = ChangeProbabilities(jnp.full((1, 2, 2), 0.25), jnp.full((1, 2, 2), 0.25))
    mask = jnp.asarray([[[True, False], [True, False]]])
    view = cost_learner.View(None, None, None, mask, bits=4.0, keys=None)
    figures = cost_learner.payload_figures(half, view)
    # A quarter, a quarter and a half are 1.5 bits, twice.
    assert float(figures["payload_bias"][0]) == pytest.approx(3 / 4 - 1)
    assert float(figures["payload_error"][0]) == pytest.approx(1 / 4)


@pytest.mark.parametrize("payload", [0.2, 1.0])
def test_a_uniform_start_carries_the_payload(payload):
    chance = 1 / (1 + np.exp(-cost_learner.uniform_logit(payload))) / 3
    chances = ChangeProbabilities(jnp.full(1, chance), jnp.full(1, chance))
    assert float(probabilities.ternary_entropy(chances)[0]) == pytest.approx(payload, rel=1e-4)


@pytest.mark.parametrize("formula", ["symmetric", "exact"])
def test_the_two_formulas(formula):
    """p+ = 1/3 and p- = .01 as each has them; equal probabilities are alike; only the exact one
    gives the payload back at lambda = 1.
    """

    class Given(nn.Module):
        @nn.compact
        def __call__(self, maps, *, train):
            return maps

    def costs(chances):
        generator, maps = cost_learner.Generator(Given()), jnp.stack(chances, -1)
        return cost_learner.generated_costs(generator, {}, {}, maps, formula=formula)

    plus, minus = jnp.asarray([[[1 / 3 - 1e-6, 0.05, 0.2]]]), jnp.asarray([[[0.01, 0.05, 0.1]]])
    found = costs(ChangeProbabilities(plus, minus))
    expected = {
        "symmetric": ([0, 2.8904, 1.0986], [4.5850, 2.8904, 2.0794]),
        "exact": ([0.6780, 2.8904, 1.2528], [4.1846, 2.8904, 1.9459]),
    }[formula]
    np.testing.assert_allclose(found.plus[0, 0], expected[0], atol=1e-3)
    np.testing.assert_allclose(found.minus[0, 0], expected[1], atol=1e-3)
    back = cost_learner.implied_probabilities(found, formula=formula)
    np.testing.assert_allclose(back.plus, plus, rtol=1e-4)
    np.testing.assert_allclose(back.minus, minus, rtol=1e-4)
    rng = np.random.default_rng(0)
    chances = ChangeProbabilities(
        *(jnp.asarray(rng.uniform(0.001, 0.3, (1, 40, 40)), jnp.float32) for _ in range(2))
    )
    bits = probabilities.ternary_entropy(chances).sum()
    lambda_ = float(probabilities.lambda_for_payload(costs(chances), bits)[0])
    assert (abs(lambda_ - 1) < 1e-3) == (formula == "exact")


def test_planes_a_few_at_a_time_are_the_planes_together():
    planes, seen = jnp.arange(11 * 6.0).reshape(11, 2, 3), []

    def function(x):
        seen.append(x.shape)
        return Costs(x.cumsum(-1), x * 2)

    found = cost_learner.plane_by_plane(function, planes)
    np.testing.assert_array_equal(found.plus, planes.cumsum(-1))
    np.testing.assert_array_equal(found.minus, planes * 2)
    assert set(seen) == {(1, 2, 3)}


def test_a_learned_cost_is_a_cost_under_any_recipe(batch):
    """It takes planes of any number, is embedded with CMD's rule, and one of the
    same network with other parameters shares what was compiled.
    """
    module = small_networks.Generator(branches=1)
    planes = batch["cover"][..., 0]
    costs = []
    for seed in range(2):
        variables = module.init(jax.random.key(seed), batch["cover"], train=False)
        generator = cost_learner.Generator(module)
        costs.append(
            cost_learner.cost_function(generator, variables["params"], variables["batch_stats"])
        )
    assert jax.tree.structure(costs[0]) == jax.tree.structure(costs[1])
    together, alone = costs[0](planes), costs[0](planes[2])
    np.testing.assert_allclose(together.plus[2], alone.plus, rtol=1e-6)
    assert differs(together.plus, costs[1](planes).plus)
    done = embed.simulate_visits(
        jax.random.key(0), planes, 20.0, scheme=embed.Scheme("", costs[0], embed.RECIPES["cmd"])
    )
    stego = planes + done.modifications
    assert 0 <= float(stego.min()) and float(stego.max()) <= 255 and done.modifications.any()
