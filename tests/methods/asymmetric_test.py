"""The asymmetric-cost GAN's wiring: masks, rewards and payloads, who is trained when, one
sub-image, devices, other runs it begins from, and its costs.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support import small_networks
from support.jpeg_files import by_pillow
from support.small_networks import ROUGH, covers, differs, run_steps

from stegojax import embed, losses, probabilities, recipes, run, secret
from stegojax.coding import ternary
from stegojax.costs import COSTS
from stegojax.domains import JPEG
from stegojax.errors import InputError
from stegojax.hiders import by_costs
from stegojax.methods import adjustment, asymmetric, cost_learner
from stegojax.methods.adjustment import System
from stegojax.methods.asymmetric import (
    InputNoise,
    Leaves,
    Optimizers,
    Rewards,
    Schedule,
    Steganalyzers,
    Weights,
)
from stegojax.types import ChangeProbabilities, Cover

SYSTEM = System(ROUGH, cost_learner.Generator(small_networks.Generator()))
LEARNING = SYSTEM._replace(initial=cost_learner.Generator(small_networks.Generator(branches=1)))
BOTH = Steganalyzers(small_networks.Steganalyzer(), small_networks.Steganalyzer())
INITIAL = {
    "steganalyzer1": small_networks.Steganalyzer(),
    "steganalyzer2": small_networks.Steganalyzer(),
}
WEIGHTS = Weights(entropy=1e-3)
REWARDS = Rewards(scale=1e4)
ADAM = optax.adam(1e-3, b1=0.5)
SECTION = dict(
    generator_optimizer=dict(name="adam", learning_rate=1e-3),
    d1_optimizer=dict(name="adam", learning_rate=1e-3),
    d2_optimizer=dict(name="adam", learning_rate=1e-3),
    network="xunet",
    width=0.125,
    depth=1,
    steganalyzer_width=0.25,
)


def make(system=SYSTEM, steganalyzers=BOTH, *, optimizer=ADAM, **options):
    options = dict(weights=WEIGHTS, rewards=REWARDS) | options
    return asymmetric.make(system, steganalyzers, Optimizers(*[optimizer] * 3), **options)


@pytest.fixture(scope="module")
def batch():
    return {"cover": covers()}


def initial(made, batch):
    return jax.tree.map(np.asarray, jax.jit(made.init)(jax.random.key(0), batch))


def changes(before, after):
    return {name for name in before.params if differs(before.params[name], after.params[name])}


def test_texture_by_hand():
    plane = jnp.asarray([[1.0, 1, 1], [1, 10, 1], [1, 1, 1]])
    np.testing.assert_allclose(adjustment.texture(plane), [[9, 9, 9], [9, 72, 9], [9, 9, 9]])
    assert not adjustment.texture(jnp.full((2, 4, 5), 77.0)).any()


def test_what_the_generator_sees():
    moved = jnp.zeros((1, 3, 4)).at[0, 1, 1].set(1.0).at[0, 2, 2].set(-1.0)
    chances = ChangeProbabilities(jnp.full((1, 3, 4), 0.1), jnp.full((1, 3, 4), 0.05))
    planes = jnp.ones((1, 3, 4))
    pixels = {name: maps for name, maps in adjustment.INPUTS.items() if name != "decompressed"}
    seen = {name: np.asarray(maps(moved, chances, planes)) for name, maps in pixels.items()}
    assert {name: maps.shape[-1] for name, maps in seen.items()} == {
        "concatenated": 2,
        "probabilities": 1,
        "filtered": 2,
        "two_encoders": 2,
    }
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
    expected = 3 / np.sqrt(2 * 5)
    for sign in (1, -1):
        found = float(adjustment.neighbour_correlation(sign * new, before, mask))
        assert found == pytest.approx(sign * expected)
    assert float(adjustment.neighbour_correlation(new * 0, before, mask)) == 0


def test_the_initial_probabilities_carry_the_payload(batch):
    planes = jnp.asarray(batch["cover"][..., 0])
    chances = adjustment.change_probabilities(COSTS["hill"](planes), 0.4 * 1024)
    np.testing.assert_allclose(
        probabilities.ternary_entropy(chances).sum((1, 2)), 0.4 * 1024, rtol=1e-4
    )
    dry = (planes > 0) & (planes < 255)
    np.testing.assert_array_equal(chances.plus[dry], chances.minus[dry])


def test_losses_are_given_the_sub_images(batch):
    """Leaf losses put in place of the paper's say what they get: masks that complement each other,
    new changes in one, rewards of these, and gradients of the leaves' own that stay in the masks.
    """
    seen = {}

    def remember(**arrays):
        def keep(values):
            seen.update({name: np.asarray(value) for name, value in values.items()})

        jax.debug.callback(keep, arrays)

    def slope(leaf, chances):
        plus, minus = jax.grad(lambda chances: jnp.sum(leaf(chances)))(chances)
        return jnp.abs(plus) + jnp.abs(minus)

    def adversarial(chances, drawn, reward):
        def leaf(chances):
            return losses.rewarded_changes(chances, drawn, reward)

        remember(drawn=drawn, reward=reward, rewarded=slope(leaf, chances))
        return jnp.mean(jnp.abs(drawn), axis=(1, 2)) / 6  # eta + 1 of these

    def entropy(chances, bits, mask):
        def leaf(chances):
            return losses.payload_error(chances, bits, mask)

        remember(new=mask, bits=bits, informed=slope(leaf, chances))
        return jnp.mean(mask, axis=(1, 2)) + 0 * chances.plus[:, 0, 0]

    def reconstruction(chances, wanted, mask):
        remember(kept=mask)
        return jnp.mean(mask, axis=(1, 2)) + 0 * chances.plus[:, 0, 0]

    made = make(
        SYSTEM._replace(shares=(3, 7)),
        weights=Weights(entropy=1.0, reconstruction=1.0),
        leaves=Leaves(adversarial, entropy, reconstruction),
    )
    start = initial(made, batch)
    state, (values,) = run_steps(made.train_step, start, batch, 1)
    jax.effects_barrier()
    np.testing.assert_array_equal(seen["new"], ~seen["kept"])
    assert seen["new"].mean() == pytest.approx(0.7, abs=2e-3)
    assert seen["bits"] == pytest.approx(0.7 * 0.4 * 1024)
    for name in ("drawn", "reward", "rewarded", "informed"):
        assert not seen[name][~seen["new"]].any() and seen[name][seen["new"]].any(), name
    assert values["loss_entropy"] == pytest.approx(0.7, abs=2e-3)
    assert values["loss_reconstruction"] == pytest.approx(0.3, abs=2e-3)
    assert values["loss_adversarial"] == pytest.approx(np.abs(seen["drawn"]).mean(), rel=1e-5)
    terms = [values[f"loss_{term}"] for term in ("adversarial", "entropy", "reconstruction")]
    assert values["loss"] == pytest.approx(sum(terms))
    assert values["change_rate"] > values["loss_adversarial"] > 0
    # Rewards and draws are constants: what is made of them alone moves no generator.
    assert values["gradient_norm"] == 0 and changes(start, state) == {"d1", "d2"}


def test_the_payload_converges():
    """From under a third of the payload to within 2 % of it on average; single masks of 512 pixels
    vary by some percent more.
    """
    rng = np.random.default_rng(0)
    batch = {"cover": np.round(rng.normal(128, 9, (4, 32, 32, 1))).astype(np.float32)}
    made = make(
        SYSTEM._replace(generator=cost_learner.Generator(small_networks.Generator(bias=-5.0))),
        weights=WEIGHTS._replace(adversarial=0.0, reconstruction=0.0),
        optimizer=optax.adam(optax.exponential_decay(0.2, 1, 0.95), b1=0.5),
    )
    _, history = run_steps(made.train_step, initial(made, batch), batch, 80)
    assert history[0]["payload_bias"] < -0.7
    assert abs(np.mean([values["payload_bias"] for values in history[-20:]])) < 0.02
    assert np.mean([values["payload_error"] for values in history[-20:]]) < 0.1


def test_four_devices_give_the_step_of_one(batch):
    made = make(optimizer=optax.sgd(1e-2))
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
    "steganalyzers,networks",
    [
        (BOTH, {"d1", "d2"}),
        (BOTH._replace(d2=None), {"d1"}),
        (BOTH._replace(d1=None), {"d2"}),
        (BOTH._replace(shared=True), {"d1"}),
    ],
)
def test_who_has_which_part(steganalyzers, networks):
    roles = steganalyzers.roles()
    assert set(steganalyzers.modules()) == networks
    assert {role.network for role in roles.values()} == networks
    covers_, before = jnp.ones((1, 2, 2)), jnp.full((1, 2, 2), 0.5)
    view = cost_learner.View(None, covers_, before, None, 0.0, None)
    told_from = {"d1": 1.0, "d2": 1.5}
    for name, role in roles.items():
        assert float(role.told_from(view)[0, 0, 0]) == told_from[name]


@pytest.mark.parametrize(
    "steganalyzers,options,trained",
    [
        (
            BOTH._replace(shared=True),
            dict(schedule=Schedule(d1_every_epochs=2)),
            [{"generator2", "d1"}, {"generator2"}],
        ),
        (
            BOTH,
            dict(weights=WEIGHTS._replace(learn_eta=True), rewards=Rewards(unit_texture=True)),
            [{"generator2", "d1", "d2", "eta"}] * 2,
        ),
    ],
)
def test_who_is_trained(batch, steganalyzers, options, trained):
    """In each of two steps, which are epochs."""
    made = make(SYSTEM, steganalyzers, **options)
    start = initial(made, batch)
    assert set(start.opt_state) == {"generator", *steganalyzers.modules()}
    states = [start]
    for _ in trained:
        after, (values,) = run_steps(made.train_step, states[-1], batch, 1)
        assert all(np.isfinite(value) for value in values.values())
        states.append(after)
    assert [changes(*pair) for pair in itertools.pairwise(states)] == trained
    if "eta" in trained[0]:
        assert values["eta"] == pytest.approx(5, abs=0.01)


def test_d1_joins_later(batch):
    """With D1 alone, and nothing but its guidance, there is no gradient in the first epoch."""
    made = make(
        SYSTEM,
        BOTH._replace(d2=None),
        weights=Weights(entropy=0.0, reconstruction=0.0),
        schedule=Schedule(d1_after_epochs=1),
    )
    _, (first, second) = run_steps(made.train_step, initial(made, batch), batch, 2)
    assert first["gradient_norm"] == 0 and second["gradient_norm"] > 0


@pytest.mark.parametrize("learned", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_sub_images_are_trained_one_after_another(batch, learned):
    """Each stage trains its own generator; those of the stages before stay put, and so does a
    learned initial scheme.
    """
    made = make(
        (LEARNING if learned else SYSTEM)._replace(shares=(1, 1, 1)),
        BOTH._replace(initial=INITIAL if learned else {}),
        schedule=Schedule(lengths=(1,) * (3 if learned else 2)),
    )
    names = ["initial", "sub-image 2", "sub-image 3"][0 if learned else 1 :]
    assert [stage.name for stage in made.stages] == names
    state, key, trained = initial(made, batch), jax.random.key(5), []
    for number, stage in enumerate(made.stages):
        state = jax.tree.map(np.asarray, stage.begin(state, key))
        like = run.state_like(made, batch, number)
        assert jax.tree.structure(like) == jax.tree.structure(state)
        before = state
        state, (values,) = run_steps(stage.train_step, state, batch, 1)
        assert all(np.isfinite(value) for value in values.values())
        trained.append(changes(before, state))
    if learned:
        assert "initial" in trained[0] and len(trained.pop(0) & set(INITIAL)) == 1
    assert trained == [{"generator2", "d1", "d2"}, {"generator3", "d1", "d2"}]
    assert set(state.params) - {"initial"} == {"generator2", "generator3", "d1", "d2"}
    assert set(state.opt_state) == {"generator", "d1", "d2"}


def test_a_learned_scheme_alone(batch):
    """One sub-image of learned costs: the generator learns, and of two steganalyzers one; what it
    gives is a scheme of one phase.
    """
    made = make(LEARNING._replace(shares=(1,)), Steganalyzers(None, None, initial=INITIAL))
    assert made.stages == ()
    start = initial(made, batch)
    state, (values,) = run_steps(made.train_step, start, batch, 1)
    trained = changes(start, state)
    assert "initial" in trained and len(trained) == 2
    assert {"steganalyzer1_loss", "steganalyzer2_loss", "payload_error"} <= set(values)
    outputs = jax.jit(made.predict)(state, batch, jax.random.key(0))
    assert set(np.unique(np.asarray(outputs["stego"]) - batch["cover"])) == {-1, 0, 1}


def test_one_sub_image_is_the_initial_scheme(batch):
    """The very changes of plain embedding, simulated and coded; D1 alone is trained."""
    system = SYSTEM._replace(shares=(1,))
    made = make(system, BOTH._replace(d2=None))
    state = initial(made, batch)
    assert set(state.params) == set(state.opt_state) == {"d1"}
    key = jax.random.key(3)
    outputs = jax.jit(made.predict)(state, batch, key)
    plain = embed.RECIPES["plain"]
    simulate = functools.partial(embed.simulate, scheme=ROUGH)
    for i, cover in enumerate(batch["cover"][..., 0]):
        np.testing.assert_array_equal(
            outputs["stego"][i, ..., 0] - cover,
            simulate(jax.random.fold_in(key, i), cover, 0.4 * cover.size),
        )
    rng = np.random.default_rng(0)
    message, order = rng.integers(0, 2, 300), rng.permutation(1024)
    cost, code = adjustment.initial_cost(system, state), ternary.stc_code(constraint_height=7)
    cover = Cover((batch["cover"][0, ..., 0],))
    coded = [
        embed.embed([order], cover, message, scheme=embed.Scheme("", cost, recipe), code=code)
        for recipe in (adjustment.recipe(system, state), plain)
    ]
    np.testing.assert_array_equal(coded[0][0], coded[1][0])
    after, _ = run_steps(made.train_step, state, batch, 1)
    assert changes(state, after) == {"d1"}


def test_predict_embeds_the_payload_and_stays_in_range(batch):
    made = make(SYSTEM._replace(shares=(1, 2)))
    state, predict = initial(made, batch), jax.jit(made.predict)
    outputs = predict(state, batch, jax.random.key(0))
    stego = np.asarray(outputs["stego"])
    assert stego.min() >= 0 and stego.max() <= 255
    assert set(np.unique(stego - batch["cover"])) == {-1, 0, 1}
    changed = np.asarray(outputs["changes"]) / 127.5 - 1
    np.testing.assert_array_equal(changed, stego - batch["cover"])
    figures = made.measure(batch, outputs)
    assert all(value.shape == (4,) and np.isfinite(value).all() for value in figures.values())
    assert set(figures) == {"change_rate", "d1_accuracy", *asymmetric.FIGURES}
    black = {"cover": np.zeros((4, 32, 32, 1), np.float32)}
    assert set(np.unique(predict(state, black, jax.random.key(0))["stego"])) <= {0.0, 1.0}


def test_embedding_compiles_once_for_a_run_and_a_size(batch):
    """Other pictures, other sub-images and other runs of the same networks reuse what was
    compiled.
    """
    system = SYSTEM._replace(shares=(1, 1, 1))
    made = make(system, schedule=Schedule(lengths=(1, 1)))
    before = embed._adjusted._cache_size()
    for seed, picture in enumerate(batch["cover"][:2, ..., 0]):
        state = made.init(jax.random.key(seed), batch)
        state = made.stages[1].begin(state, jax.random.key(seed))
        cost, recipe = adjustment.initial_cost(system, state), adjustment.recipe(system, state)
        embed.embed(
            embed.carriers(np.arange(1024), [picture.shape], recipe=recipe),
            Cover((picture,)),
            np.zeros(60, np.uint8),
            scheme=embed.Scheme("", cost, recipe),
            code=ternary.stc_code(constraint_height=7),
        )
    # The initial costs at most, and the generators' rule.
    assert 1 <= embed._adjusted._cache_size() - before <= 2


def test_networks_begin_from_other_runs(batch):
    """What is given is what training starts from; what does not fit is refused."""
    made = make()
    other = made.init(jax.random.key(9), batch)
    given = {name: (other.params[name], other.batch_stats[name]) for name in ("d1", "d2")}
    fresh, begun = initial(made, batch), initial(make(start=given), batch)
    for name, (params, _) in given.items():
        assert not differs(params, begun.params[name]) and differs(params, fresh.params[name])
    assert not differs(fresh.params["generator2"], begun.params["generator2"])
    learned = Steganalyzers(None, None, initial=INITIAL)
    module = LEARNING.initial.module.init(jax.random.key(4), batch["cover"], train=False)
    initial_given = {"initial": (module["params"], module["batch_stats"])}
    begun = initial(make(LEARNING._replace(shares=(1,)), learned, start=initial_given), batch)
    assert not differs(begun.params["initial"], module["params"])
    with pytest.raises(InputError, match="d2 cannot begin from that run: .* is absent there"):
        initial(make(start={"d2": initial_given["initial"]}), batch)
    with pytest.raises(InputError, match="d2_from is given, and this training has no network"):
        make(SYSTEM, BOTH._replace(shared=True), start=given)


def test_a_learned_base_stays_put(batch):
    """The costs that another run has learned, under this one's generator: they are in the state,
    no step moves them, and the run's own scheme holds them.
    """
    module = small_networks.Generator(branches=1)
    variables = module.init(jax.random.key(2), batch["cover"], train=False)
    cost = cost_learner.cost_function(
        cost_learner.Generator(module), variables["params"], variables["batch_stats"]
    )
    system = SYSTEM._replace(initial=embed.Scheme("other", cost, embed.RECIPES["plain"]))
    made = make(system)
    start = initial(made, batch)
    assert len(start.params["initial"]) == len(jax.tree.leaves(variables))
    state, _ = run_steps(made.train_step, start, batch, 1)
    assert changes(start, state) == {"generator2", "d1", "d2"}
    planes = jnp.asarray(batch["cover"][..., 0])
    np.testing.assert_allclose(
        adjustment.initial_cost(system, state)(planes).plus, cost(planes).plus, rtol=1e-6
    )
    with pytest.raises(InputError, match="starts from a scheme of one phase; 'other' has 4"):
        make(SYSTEM._replace(initial=ROUGH._replace(name="other", recipe=embed.RECIPES["cmd"])))


def test_a_config_names_real_networks(batch):
    """The one case with the paper's generator and a published steganalyzer, thin: a step, and the
    run's scheme.
    """
    made = asymmetric.from_config(SECTION, steps_per_epoch=1)
    start = initial(made, batch)
    state, (values,) = run_steps(made.train_step, start, batch, 1)
    assert changes(start, state) == {"generator2", "d1", "d2"}
    assert all(np.isfinite(value) for value in values.values())
    scheme = asymmetric.scheme(state, SECTION, name="mine")
    assert scheme.name == "mine" and scheme.cost is COSTS["hill"] and scheme.recipe.shares == (1, 1)


def test_noise_on_the_steganalyzers_input_follows_their_lead(batch):
    """It grows while they are right more often than the target says and falls while they are less
    often, within its bounds; the first step, without noise yet, is the one of a training without.
    """
    made = make(noise=InputNoise(largest=2.0, target=0.3, steps=2))
    start = initial(made, batch)
    assert start.batch_stats["input_noise"] == {"d1": 0.0, "d2": 0.0}
    state, values = run_steps(made.train_step, start, batch, 4)
    plain, [without, *_] = run_steps(make().train_step, initial(make(), batch), batch, 4)
    assert values[0]["loss"] == pytest.approx(float(without["loss"]), rel=1e-5)
    at = dict.fromkeys(("d1", "d2"), 0.0)
    for one in values:
        for role in at:
            lead = (one[f"{role}_accuracy"] - 0.3) / 0.7
            at[role] = np.clip(at[role] + lead * 2.0 / 2, 0.0, 2.0)
            assert float(one[f"{role}_noise"]) == pytest.approx(float(at[role]), abs=1e-5)
    assert max(float(one[f"{role}_noise"]) for one in values for role in at) > 0
    assert differs(plain.params["d1"], state.params["d1"])


def test_a_section_becomes_the_factorys_arguments(monkeypatch):
    """Every field arrives where it belongs, and older configs' names are understood."""
    seen = {}
    monkeypatch.setattr(asymmetric, "make", lambda *given, **named: seen.update(a=given, b=named))
    section = SECTION | dict(
        scheme="wow",
        payload=0.2,
        shares=[3, 7],
        inputs="filtered",
        discriminators="shared",
        discriminator_width=0.5,
        eta=2.0,
        learn_eta=True,
        d1_after_epochs=3.0,
        d1_every_epochs=4,
        adversarial_weight=0.1,
        entropy_weight=0.2,
        reconstruction_weight=0.3,
        reward="centred",
        reward_scale=0.4,
        unit_texture=True,
        generator="attention",
        input_noise=3.0,
        input_noise_target=0.7,
        input_noise_steps=50,
        formula="exact",
        stage_lengths=(1.5,),
        stage_unit="epochs",
    )
    del section["steganalyzer_width"]
    asymmetric.from_config(section | dict(start="cmd"), steps_per_epoch=10)
    assert seen["a"][0].imitated is recipes.cluster_directions
    asymmetric.from_config(section, steps_per_epoch=10)
    system, steganalyzers, _ = seen["a"]
    assert system.initial.cost is COSTS["wow"] and system.maps is adjustment.filtered
    assert system[3:-1] == (0.2, (3, 7), "exact", None) and steganalyzers.shared
    assert steganalyzers.d1.width == 0.5 and system.generator.module.attention
    assert seen["b"]["noise"] == InputNoise(3.0, 0.7, 50)
    assert seen["b"]["weights"] == Weights(0.1, 0.2, 0.3, 2.0, True)
    assert seen["b"]["rewards"] == Rewards(0.4, cost_learner.centred, True)
    assert seen["b"]["schedule"] == Schedule(10, 3.0, 4, (15,)) and seen["b"]["start"] == {}


def test_in_jpeg_files_coefficients_of_luminance_are_adjusted(batch, tmp_path):
    """A step on coefficients, and what the run embeds with: a .jpg, revealed by the key alone."""
    section = SECTION | dict(
        scheme="uerd", inputs="decompressed", start="initial", jpeg_quality=75, payload=0.4
    )
    made = asymmetric.from_config(section, steps_per_epoch=1)
    start = initial(made, batch)
    assert start.params["generator2"]["modes"]["scale"].shape == (8, 8, 2)
    state, (values,) = run_steps(made.train_step, start, batch, 1)
    assert changes(start, state) == {"generator2", "d1", "d2"}
    assert all(np.isfinite(value) for value in values.values())
    assert abs(values["payload_bias"]) < 0.5
    outputs = jax.jit(made.predict)(state, batch, jax.random.key(0))
    assert 0 < float(made.measure(batch, outputs)["change_rate"].mean()) < 0.1
    scheme = asymmetric.scheme(state, section, name="mine")
    assert scheme.domain is JPEG and scheme.planes == 1
    (tmp_path / "cover.jpg").write_bytes(by_pillow(96, 120, quality=80))
    cover, _ = JPEG.read(tmp_path / "cover.jpg")
    message, key = bytes(range(60)), secret.key_file(bytes(32))
    choices = by_costs.Choices(scheme, constraint_height=7, domain=JPEG)
    stego = by_costs.hide(key, cover, message, choices=choices)
    assert by_costs.reveal(key, stego, domain=JPEG) == message
    moved = [(p != q).sum() for p, q in zip(cover.planes, stego.planes, strict=True)]
    assert moved[0] > 50 and moved[1:] == [0, 0]


@pytest.mark.parametrize(
    "options,words",
    [
        (dict(inputs="decompressed"), "inputs='decompressed' does not go with"),
        (dict(start="bbc"), "start='bbc' does not go with"),
        (dict(jpeg_quality=75, scheme="uerd"), "start='uniform' does not go with"),
        (dict(jpeg_quality=75, scheme="uerd", start="cmd"), "start='cmd' does not go with"),
        (dict(jpeg_quality=75, start="initial"), "'hill' is unknown"),
        (dict(scheme="hil"), "'hil' is unknown"),
        (dict(generator="inpainting"), "generator 'inpainting' is unknown; there are plain"),
        (dict(input_noise=-1.0), "input_noise=-1.0 must not be negative"),
        (dict(scheme="hill-cmd"), "'hill-cmd' has 4"),
        (dict(scheme="run:elsewhere"), "none can be loaded here"),
        (dict(network="resnet"), "network 'resnet'"),
        (dict(inputs="both"), "inputs 'both'"),
        (dict(start="zero"), "start 'zero'"),
        (dict(formula="none"), "formula 'none'"),
        (dict(reward="none"), "reward 'none'"),
        (dict(payload=2.0), "payload=2.0"),
        (dict(shares=(1, 0)), "shares"),
        (dict(shares=(1,) * 5), "shares"),
        (dict(eta=0.0), "eta=0.0"),
        (dict(steganalyzers="d3"), "'d3'"),
        (dict(stage_lengths=(1,)), "leave it empty"),
        (dict(scheme="learned", initial_networks=()), "needs method.initial_networks"),
        (dict(shares=(1, 1, 1)), "needs 2 numbers, one for each of sub-image 2, sub-image 3"),
        (dict(stage_unit="days"), "'days'"),
        (dict(colour=True), "method.colour is unknown"),
    ],
)
def test_what_cannot_be_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        asymmetric.from_config(SECTION | options, steps_per_epoch=1)


def test_the_log_says_what_is_embedded(batch):
    lines = make(SYSTEM._replace(shares=(3, 7))).describe(batch)
    assert lines == ("2 sub-images of a 32x32 picture carry 123, 287 bits",)
    alone = make(SYSTEM._replace(shares=(1,))).describe(batch)
    assert alone == ("one sub-image: rough at 0.4 bpp, of which D1 alone learns",)


def test_a_generator_first_learns_to_imitate_a_rule(batch):
    """Its probabilities come nearer to the rule's, nothing else moves, and guidance goes on from
    what was learned.
    """
    made = make(
        SYSTEM._replace(imitated=recipes.cluster_directions),
        schedule=Schedule(lengths=(30, 2)),
        optimizer=optax.adam(3e-3),
    )
    assert [stage.name for stage in made.stages] == ["imitation 2", "sub-image 2"]
    state = initial(made, batch)
    after, values = run_steps(made.train_step, state, batch, 30)
    assert changes(state, after) == {"generator2"}
    assert values[-1]["loss"] < 0.9 * values[0]["loss"]
    kept = made.stages[1].begin(after, jax.random.key(1))
    assert not changes(after, kept)
    with pytest.raises(InputError, match="learn_eta"):
        make(
            SYSTEM._replace(imitated=recipes.cluster_directions),
            weights=WEIGHTS._replace(learn_eta=True),
            schedule=Schedule(lengths=(1, 1)),
        )
