"""The asymmetric-cost GAN's wiring: masks, rewards and payloads, who is trained when, one
sub-image, devices, and its costs.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stegojax import embed, parallel, probabilities, run
from stegojax.coding import ternary
from stegojax.costs import COSTS, forbid_saturated
from stegojax.errors import InputError
from stegojax.methods import asymmetric
from stegojax.models import layers
from stegojax.types import ChangeProbabilities, Costs, State

ADAM = dict(name="adam", learning_rate=1e-3, b1=0.5)
SGD = dict(name="sgd", learning_rate=1e-2)
OPTIONS = dict(
    steps_per_epoch=1,
    generator_optimizer=ADAM,
    d1_optimizer=ADAM,
    d2_optimizer=ADAM,
    network="small",
    scheme="rough",
    width=0.125,
    depth=1,
    entropy_weight=1e-3,
    reward_scale=1e4,
    initial_networks=("small",),
)


class Small(nn.Module):
    """A steganalyzer that compiles in a second: differences of neighbours, normalised, squared and
    averaged.
    """

    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, planes, *, train):
        x = layers.conv(4, 3, name="conv")(planes - jnp.roll(planes, 1, axis=2))
        x = layers.batch_norm(train=train, axis_name=self.axis_name, name="norm")(x)
        return nn.Dense(2, name="full")(jnp.mean(jnp.tanh(x) * x, axis=(1, 2)))


def rough(plane):
    """A cost by the horizontal difference."""
    rho = 100 / (1 + jnp.abs(plane - jnp.roll(plane, 1, axis=-1)))
    return forbid_saturated(plane, rho, rho)


@pytest.fixture(autouse=True, scope="module")
def small():
    """Puts the small steganalyzer and cost among the real ones for the tests of this module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(asymmetric.NETWORKS, "small", Small)
        patch.setitem(asymmetric.NETWORKS, "second", Small)
        patch.setitem(COSTS, "rough", rough)
        yield


def make(**options):
    return asymmetric.make(**{**OPTIONS, **options})


def covers(count=4, size=(32, 32), seed=0):
    """Rough pictures with some saturated pixels."""
    rng = np.random.default_rng(seed)
    smooth = (
        rng.uniform(-30, 285, (count, size[0] // 4 + 1, size[1] // 4 + 1)).repeat(4, 1).repeat(4, 2)
    )
    return np.clip(
        np.round(smooth[:, : size[0], : size[1]] + rng.normal(0, 6, (count, *size))), 0, 255
    ).astype(np.float32)[..., None]


@pytest.fixture(scope="module")
def batch():
    return {"cover": covers()}


def initial(made, batch):
    return jax.jit(made.init)(jax.random.key(0), batch)


def run_steps(train_step, state, batch, count, devices=1):
    step = jax.pmap(
        train_step,
        axis_name=parallel.AXIS,
        in_axes=(None, 0, None),
        out_axes=(None, None),
        devices=jax.local_devices()[:devices],
    )
    share = jax.tree.map(lambda leaf: leaf.reshape((devices, -1) + leaf.shape[1:]), batch)
    history = []
    for index in range(count):
        state, values = step(
            jax.tree.map(np.asarray, state), share, jax.random.fold_in(jax.random.key(1), index)
        )
        history.append({name: float(value) for name, value in values.items()})
    return jax.tree.map(np.asarray, state), history


def differs(a, b):
    return any(
        not np.array_equal(x, y)
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


def test_texture_by_hand():
    plane = jnp.asarray([[1.0, 1, 1], [1, 10, 1], [1, 1, 1]])
    np.testing.assert_allclose(asymmetric.texture(plane), [[9, 9, 9], [9, 72, 9], [9, 9, 9]])
    assert not asymmetric.texture(jnp.full((2, 4, 5), 77.0)).any()


def test_what_the_generator_sees():
    moved = jnp.zeros((1, 3, 4)).at[0, 1, 1].set(1.0).at[0, 2, 2].set(-1.0)
    chances = ChangeProbabilities(jnp.full((1, 3, 4), 0.1), jnp.full((1, 3, 4), 0.05))
    seen = {
        name: np.asarray(asymmetric.network_input(name, moved, chances))
        for name in asymmetric.INPUTS
    }
    assert {name: maps.shape[-1] for name, maps in seen.items()} == asymmetric.INPUTS
    for maps in seen.values():
        np.testing.assert_allclose(maps[..., -1], 0.15, rtol=1e-6)
    np.testing.assert_array_equal(seen["concatenated"][..., 0], moved)
    np.testing.assert_array_equal(
        seen["filtered"][0, ..., 0], [[1, 1, 1, 0], [1, -1, 0, -1], [1, 0, 1, -1]]
    )


def test_the_correlation_with_neighbours_by_hand():
    before = jnp.asarray([[0.0, 1, 0, 0], [1, 0, 0, -1]])
    new = jnp.asarray([[1.0, 0, 0, -1], [0, 0, 0, 0]])
    mask = new != 0
    # Neighbours' sums at the two new changes: 2 and -1.
    assert float(asymmetric.neighbour_correlation(new, before, mask)) == pytest.approx(
        3 / np.sqrt(2 * 5)
    )
    assert float(asymmetric.neighbour_correlation(-new, before, mask)) == pytest.approx(
        -3 / np.sqrt(2 * 5)
    )
    assert float(asymmetric.neighbour_correlation(new * 0, before, mask)) == 0


def test_the_initial_probabilities_carry_the_payload(batch):
    planes = jnp.asarray(batch["cover"][..., 0])
    chances = asymmetric.change_probabilities(COSTS["hill"](planes), 0.4)
    np.testing.assert_allclose(
        probabilities.ternary_entropy(chances).sum((1, 2)), 0.4 * 1024, rtol=1e-4
    )
    dry = (planes > 0) & (planes < 255)
    np.testing.assert_array_equal(chances.plus[dry], chances.minus[dry])


@pytest.mark.parametrize("shares", [(3, 7)])
def test_losses_are_given_the_sub_images(batch, shares):
    """Leaf losses put in place of the paper's say what they get: masks that complement each other,
    and new changes in one.
    """
    made = make(
        shares=shares,
        adversarial_weight=1.0,
        entropy_weight=1.0,
        reconstruction_weight=1.0,
        adversarial_loss=lambda chances, drawn, reward: (
            jnp.mean(jnp.abs(drawn), axis=(1, 2)) / 6
        ),  # eta + 1 of these
        entropy_loss=lambda chances, bits, mask: jnp.mean(mask, axis=(1, 2)) + 0 * bits,
        reconstruction_loss=lambda chances, wanted, mask: jnp.mean(mask, axis=(1, 2)),
    )
    _, (values,) = run_steps(made.train_step, initial(made, batch), batch, 1)
    second = shares[1] / sum(shares)
    assert values["loss_entropy"] == pytest.approx(second, abs=2e-3)
    assert values["loss_reconstruction"] == pytest.approx(1 - second, abs=2e-3)
    # At the start the same probabilities everywhere: at 0.4 bits about 6 % of the pixels of the
    # second sub-image change.
    assert values["loss_adversarial"] == pytest.approx(0.06 * second, rel=0.4)
    assert values["loss"] == pytest.approx(
        sum(values[f"loss_{term}"] for term in ("adversarial", "entropy", "reconstruction"))
    )
    assert values["change_rate"] > values["loss_adversarial"] > 0


def test_the_reward_is_a_constant_and_the_draw_has_no_gradient(batch):
    """A loss made of reward and draw alone moves nothing, though its value follows the generator's
    probabilities.
    """
    made = make(
        entropy_weight=0.0,
        reconstruction_weight=0.0,
        adversarial_loss=lambda chances, drawn, reward: jnp.sum(reward + drawn, axis=(1, 2)),
    )
    start = initial(made, batch)
    state, (values,) = run_steps(made.train_step, start, batch, 1)
    assert values["gradient_norm"] == 0 and values["loss_adversarial"] != 0
    assert not differs(start.params["generator2"], state.params["generator2"])
    assert differs(start.params["d1"], state.params["d1"]) and differs(
        start.params["d2"], state.params["d2"]
    )


def test_no_gradient_reaches_the_first_sub_image(batch):
    """The gradients of the adversarial and the entropy loss by the probabilities, in and outside of
    the second sub-image.
    """
    seen = []

    def spying(leaf):
        def loss(chances, *rest):
            gradient = jax.grad(lambda chances: jnp.sum(leaf(chances, *rest)))(chances)
            jax.debug.callback(
                lambda *arrays: seen.append([np.asarray(array) for array in arrays]), *gradient
            )
            return leaf(chances, *rest)

        return loss

    masks = []

    def remember(chances, bits, mask):
        jax.debug.callback(lambda mask: masks.append(np.asarray(mask)), mask)
        return asymmetric.losses.payload_error(chances, bits, mask)

    made = make(
        adversarial_loss=spying(asymmetric.losses.rewarded_changes), entropy_loss=spying(remember)
    )
    run_steps(made.train_step, initial(made, batch), batch, 1)
    jax.effects_barrier()
    assert (
        len(seen) == 3 and masks
    )  # D1's and D2's part of the adversarial loss, and the entropy loss
    for plus, minus in seen:
        assert not plus[~masks[0]].any() and not minus[~masks[0]].any()
        assert plus[masks[0]].any() and minus[masks[0]].any()


def test_the_payload_converges(monkeypatch):
    """From under a third of the payload to within 2 % of it on average; single masks of 512 pixels
    vary by some percent more.
    """
    batch = {
        "cover": np.round(np.random.default_rng(0).normal(128, 9, (4, 32, 32, 1))).astype(
            np.float32
        )
    }
    monkeypatch.setattr(asymmetric, "_output_bias", lambda payload: -5.0)
    made = make(
        adversarial_weight=0.0,
        reconstruction_weight=0.0,
        generator_optimizer=dict(ADAM, learning_rate=2e-2, factor=0.95),
    )
    _, history = run_steps(made.train_step, initial(made, batch), batch, 80)
    assert history[0]["payload_bias"] < -0.7
    assert abs(np.mean([values["payload_bias"] for values in history[-20:]])) < 0.02
    assert np.mean([values["payload_error"] for values in history[-20:]]) < 0.1


def test_four_devices_give_the_step_of_one(batch):
    made = make(generator_optimizer=SGD, d1_optimizer=SGD, d2_optimizer=SGD)
    start = initial(made, batch)
    one, (values_one,) = run_steps(made.train_step, start, batch, 1)
    four, (values_four,) = run_steps(made.train_step, start, batch, 1, devices=4)
    for name in values_one:
        assert values_four[name] == pytest.approx(values_one[name], rel=5e-3, abs=1e-4), name
    for (path, a), b in zip(
        jax.tree.flatten_with_path(one.params)[0], jax.tree.leaves(four.params), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4, err_msg=jax.tree_util.keystr(path))


@pytest.mark.parametrize(
    "options,networks,changes",
    [
        pytest.param(
            dict(discriminators="d1"),
            {"generator2", "d1"},
            {"generator2", "d1"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            dict(discriminators="d2"),
            {"generator2", "d2"},
            {"generator2", "d2"},
            marks=pytest.mark.slow,
        ),
        (dict(discriminators="shared"), {"generator2", "d1"}, {"generator2", "d1"}),
        (
            dict(inputs="two_encoders", learn_eta=True, unit_texture=True),
            {"generator2", "d1", "d2", "eta"},
            {"generator2", "d1", "d2", "eta"},
        ),
        (dict(shares=(1,)), {"d1"}, {"d1"}),
        (
            dict(inputs="probabilities", d1_every_epochs=2, scheme="lsbm"),
            {"generator2", "d1", "d2"},
            {"generator2", "d2"},
        ),
    ],
)
def test_who_is_trained(batch, options, networks, changes):
    """In the second step, which is the second epoch."""
    made = make(**options)
    start = initial(made, batch)
    assert set(start.params) == networks and set(start.opt_state) == {
        name.replace("generator2", "generator") for name in networks - {"eta"}
    }
    first, _ = run_steps(made.train_step, start, batch, 1)
    second, (values,) = run_steps(made.train_step, first, batch, 1)
    assert all(np.isfinite(value) for value in values.values())
    assert {
        name for name in networks if differs(first.params[name], second.params[name])
    } == changes
    if "eta" in networks:
        assert values["eta"] == pytest.approx(5, abs=0.01)


def test_d1_may_join_later(batch):
    made = make(
        discriminators="d1", d1_after_epochs=1, entropy_weight=0.0, reconstruction_weight=0.0
    )
    _, (first, second) = run_steps(made.train_step, initial(made, batch), batch, 2)
    assert first["gradient_norm"] == 0 and second["gradient_norm"] > 0


def test_eta_weighs_d1(batch):
    """With D1 alone the adversarial loss of the first step is in proportion to eta."""
    values = [
        run_steps(made.train_step, initial(made, batch), batch, 1)[1][0]["loss_adversarial"]
        for made in (make(discriminators="d1", eta=eta) for eta in (1.0, 5.0))
    ]
    assert values[1] == pytest.approx(5 * values[0], rel=1e-4) and values[0] != 0


@pytest.mark.parametrize("scheme", ["rough", pytest.param("learned", marks=pytest.mark.slow)])
def test_sub_images_are_trained_one_after_another(batch, scheme):
    made = make(
        scheme=scheme, shares=(1, 1, 1), stage_lengths=(1,) * (3 if scheme == "learned" else 2)
    )
    sizes = run.Lengths(1, len(made.stages))
    assert [stage.name for stage in made.stages] == ["initial", "sub-image 2", "sub-image 3"][
        3 - len(made.stages) :
    ]
    state, key, states = initial(made, batch), jax.random.key(5), []
    for number, stage in enumerate(made.stages):
        state = jax.tree.map(np.asarray, stage.begin(state, key))
        like = run.state_like(made, sizes, batch, number)
        assert jax.tree.structure(like) == jax.tree.structure(state)
        before = state
        state, (values,) = run_steps(stage.train_step, state, batch, 1)
        assert all(np.isfinite(value) for value in values.values())
        states.append((before, state))
    trained = [
        {name for name in after.params if differs(before.params[name], after.params[name])}
        for before, after in states
    ]
    assert (
        trained
        == [{"initial", "judge1"}, {"generator2", "d1", "d2"}, {"generator3", "d1", "d2"}][
            3 - len(made.stages) :
        ]
    )
    assert set(states[-1][1].params) - {"initial"} == {"generator2", "generator3", "d1", "d2"}
    assert set(states[-1][1].opt_state) == {"generator", "d1", "d2"}


@pytest.mark.slow
def test_only_the_weakest_judge_learns(batch):
    made = make(scheme="learned", initial_networks=("small", "second"), stage_lengths=(1, 1))
    start = initial(made, batch)
    state, _ = run_steps(made.train_step, start, batch, 1)
    assert (
        sum(differs(start.params[name], state.params[name]) for name in ("judge1", "judge2")) == 1
    )


def test_one_sub_image_is_the_initial_scheme(batch):
    """The very changes of plain embedding, simulated and coded."""
    made = make(shares=(1,))
    state = initial(made, batch)
    key = jax.random.key(3)
    outputs = jax.jit(made.predict)(state, batch, key)
    for i, cover in enumerate(batch["cover"][..., 0]):
        plain = embed.simulate(
            jax.random.fold_in(key, i),
            cover,
            0.4 * cover.size,
            cost=COSTS["rough"],
            recipe=embed.RECIPES["plain"],
        )
        np.testing.assert_array_equal(outputs["stego"][i, ..., 0] - cover, plain)
    _, cost, recipe = asymmetric.trained_scheme(
        state, shares=(1,), scheme="rough", width=0.125, depth=1
    )
    message, order = (
        np.random.default_rng(0).integers(0, 2, 300),
        np.random.default_rng(1).permutation(1024),
    )
    code = ternary.stc_code(constraint_height=7)
    found = [
        embed.embed(order, batch["cover"][0, ..., 0], message, cost=cost, recipe=scheme, code=code)[
            0
        ]
        for scheme in (recipe, embed.RECIPES["plain"])
    ]
    np.testing.assert_array_equal(*found)


def test_predict_embeds_the_payload_and_stays_in_range(batch):
    made = make(shares=(1, 2))
    state = initial(made, batch)
    outputs = jax.jit(made.predict)(state, batch, jax.random.key(0))
    stego = np.asarray(outputs["stego"])
    assert (
        stego.min() >= 0
        and stego.max() <= 255
        and set(np.unique(stego - batch["cover"])) == {-1, 0, 1}
    )
    np.testing.assert_array_equal(
        np.asarray(outputs["changes"]) / 127.5 - 1, stego - batch["cover"]
    )
    figures = made.measure(batch, outputs)
    assert all(value.shape == (4,) and np.isfinite(value).all() for value in figures.values())
    assert set(figures) == {"change_rate", "d1_accuracy", *asymmetric.FIGURES}
    black = {"cover": np.zeros((2, 32, 32, 1), np.float32)}
    stego = np.asarray(jax.jit(made.predict)(state, black, jax.random.key(0))["stego"])
    assert set(np.unique(stego)) <= {0.0, 1.0}


@pytest.mark.parametrize("formula", ["symmetric", "exact"])
def test_the_two_formulas(formula):
    """p+ = 1/3 and p- = .01 as each has them; equal probabilities are alike; only the exact one
    gives the payload back at
    lambda = 1."""
    plus, minus = jnp.asarray([[[1 / 3 - 1e-6, 0.05, 0.2]]]), jnp.asarray([[[0.01, 0.05, 0.1]]])
    found = asymmetric._costs(jnp.full((1, 1, 3), 100.0), jnp.stack([plus, minus], -1), formula)
    expected = {
        "symmetric": ([0, 2.8904, 1.0986], [4.5850, 2.8904, 2.0794]),
        "exact": ([0.6780, 2.8904, 1.2528], [4.1846, 2.8904, 1.9459]),
    }[formula]
    np.testing.assert_allclose(found.plus[0, 0], expected[0], atol=1e-3)
    np.testing.assert_allclose(found.minus[0, 0], expected[1], atol=1e-3)
    for name, (a, b) in {"plus": (found.plus, plus), "minus": (found.minus, minus)}.items():
        back = getattr(asymmetric._allowed_costs(jnp.full((1, 1, 3), 100.0), found, formula), name)
        np.testing.assert_allclose(back, b, rtol=1e-4)
    rng = np.random.default_rng(0)
    chances = ChangeProbabilities(
        *(jnp.asarray(rng.uniform(0.001, 0.3, (1, 40, 40)), jnp.float32) for _ in range(2))
    )
    costs = asymmetric._costs(jnp.full((1, 40, 40), 100.0), jnp.stack(chances, -1), formula)
    lambda_ = float(
        probabilities.lambda_for_payload(costs, probabilities.ternary_entropy(chances).sum())[0]
    )
    assert (abs(lambda_ - 1) < 1e-3) == (formula == "exact")


def test_saturated_pixels_are_wet():
    costs = asymmetric._costs(
        jnp.asarray([[[0.0, 255.0, 9.0]]]), jnp.full((1, 1, 3, 2), 0.1), "symmetric"
    )
    assert [
        (float(a) >= 1e10, float(b) >= 1e10) for a, b in zip(costs.plus[0, 0], costs.minus[0, 0])
    ] == [(False, True), (True, False), (False, False)]


def test_embedding_compiles_once_for_a_run_and_a_size(batch):
    """Another picture, and another run of the same networks, reuse what was compiled where they
    hold the same function.
    """
    made = make(shares=(1, 1, 1), stage_lengths=(1, 1))
    _, cost, recipe = asymmetric.trained_scheme(
        initial(made, batch), shares=(1, 1, 1), scheme="rough", width=0.125, depth=1
    )
    before = embed._adjusted._cache_size()
    for picture in batch["cover"][:3, ..., 0]:
        embed.embed(
            np.arange(1024),
            picture,
            np.zeros(60, np.uint8),
            cost=cost,
            recipe=recipe,
            code=ternary.stc_code(constraint_height=7),
        )
    assert (
        embed._adjusted._cache_size() - before <= 3
    )  # the initial costs, and both sub-images' rules at most


def test_planes_a_few_at_a_time_are_the_planes_together():
    planes = jnp.arange(11 * 6.0).reshape(11, 2, 3)
    found = asymmetric._plane_by_plane(lambda x: Costs(x.cumsum(-1), x * 2), planes)
    np.testing.assert_array_equal(found.plus, planes.cumsum(-1))
    np.testing.assert_array_equal(found.minus, planes * 2)


@pytest.mark.parametrize(
    "options,words",
    [
        (dict(scheme="hil"), "'hil' is unknown; there are hill"),
        (dict(network="resnet"), "network 'resnet'"),
        (dict(inputs="both"), "inputs 'both'"),
        (dict(start="zero"), "start 'zero'"),
        (dict(formula="none"), "formula 'none'"),
        (dict(payload=2.0), "payload=2.0"),
        (dict(shares=(1, 0)), "shares"),
        (dict(shares=(1,) * 5), "shares"),
        (dict(eta=0.0), "eta=0.0"),
        (dict(discriminators="d3"), "'d3'"),
        (dict(stage_lengths=(1,)), "leave it empty"),
        (dict(initial_networks=()), "not empty"),
        (dict(shares=(1, 1, 1)), "needs 2 numbers, one for each of sub-image 2, sub-image 3"),
        (dict(stage_unit="days"), "'days'"),
    ],
)
def test_what_cannot_be_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        make(**options)


def test_the_log_says_what_is_embedded(batch):
    assert make(shares=(3, 7)).describe(batch) == (
        "2 sub-images of a 32x32 picture carry 123, 287 bits",
    )
    assert "D1 alone" in make(shares=(1,)).describe(batch)[0]
    assert isinstance(initial(make(shares=(1,)), batch), State)
