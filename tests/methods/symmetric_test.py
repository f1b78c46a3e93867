"""Learned symmetric costs: outputs and their start, weights free of size, who moves in which stage,
figures by hand, messages in files, and what is refused.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support import small_networks
from support.configs import load
from support.jpeg_files import by_pillow
from support.small_networks import differs, run_steps

from stegojax import cli, embed, images, probabilities, run, secret, train
from stegojax.domains import JPEG
from stegojax.errors import InputError
from stegojax.hiders import by_costs
from stegojax.hiders.element_channel import Choices
from stegojax.methods import METHODS, cost_learner, symmetric, trained
from stegojax.types import WET_COST, ChangeProbabilities, Cover

ADAM = dict(name="adam", learning_rate=1e-3)
SECTION = dict(generator_optimizer=ADAM, steganalyzer_optimizer=ADAM, width=0.25, depth=3)
STAIRCASE, TANH = (
    dict(simulator="staircase", guidance="reward"),
    dict(simulator="double_tanh", guidance="through"),
)


def made(**fields):
    return symmetric.from_config(SECTION | fields, steps_per_epoch=1)


@pytest.mark.parametrize("output, most", [("halved", 0.25), ("third", 1 / 3)])
@pytest.mark.parametrize("payload", [0.1, 0.4, 1.0])
def test_a_uniform_start_carries_the_payload(output, most, payload):
    start = symmetric.output_start(output, payload)
    chances = symmetric.OUTPUTS[output](jnp.full((1, 1), start))
    bits = float(probabilities.ternary_entropy(chances)[0])
    assert bits == pytest.approx(payload, rel=1e-3)
    sure = symmetric.OUTPUTS[output](jnp.asarray([[30.0], [-30.0]]))
    np.testing.assert_allclose(sure.plus[0], most, rtol=1e-5)
    assert sure.plus[1] == pytest.approx(1e-5 if output == "halved" else 0, abs=1e-9)
    np.testing.assert_array_equal(sure.plus, sure.minus)


def test_simulators_have_the_probabilities_as_their_expectation():
    """100,000 draws of each: the mean is p+ - p-, and that of the magnitudes p+ + p-."""
    chances = ChangeProbabilities(jnp.full(100_000, 0.2), jnp.full(100_000, 0.05))
    for name in ("staircase", "double_tanh", "straight_through", "simulate"):
        drawn = np.asarray(getattr(probabilities, name)(jax.random.key(3), chances))
        assert drawn.mean() == pytest.approx(0.15, abs=0.006), name
        assert np.abs(drawn).mean() == pytest.approx(0.25, abs=0.006), name


def learner_of(batch_size, size, **options):
    guided = symmetric.Guided(**options)
    method = symmetric.make(
        cost_learner.Generator(small_networks.Generator(branches=1), cost_learner.both_directions),
        {"d1": small_networks.Linear()},
        optax.sgd(1.0),
        optax.sgd(0.0),
        guided=guided,
        weights=symmetric.Weights(2.0, 3.0),
    )
    batch = {"cover": jnp.asarray(small_networks.covers(batch_size, size))}
    state = jax.jit(method.init)(jax.random.key(0), batch)
    return method, state, batch


def test_the_reward_is_a_sum_over_pixels_and_the_payloads_error_in_bits_per_pixel():
    """K sum m dCE/dm log p and L (bpp - q)^2 of one step, by hand from the step's own draws."""
    method, state, batch = learner_of(2, (8, 16))
    _, history = run_steps(method.train_step, state, batch, 1)
    key = jax.random.fold_in(jax.random.key(1), 0)
    covers = batch["cover"][..., 0]
    learner = symmetric._learner(
        symmetric.Training(
            cost_learner.Generator(small_networks.Generator(branches=1)),
            {"d1": small_networks.Linear()},
            None,
            None,
            symmetric.Guided(),
            symmetric.Weights(2.0, 3.0),
            symmetric.Schedule(),
            None,
            {},
        ),
        0.4,
        None,
    )
    view = learner.view(state, batch, key)
    stats = state.batch_stats["generator"]
    chances, _ = cost_learner.generate(
        learner.generator, state.params["generator"], stats, view.maps, covers
    )
    drawn = jax.vmap(probabilities.staircase)(view.keys, chances)
    gain = float(state.params["d1"]["gain"])
    weights = np.tile([1.0, -2.0], 8)[None, None]

    def logit(pictures):
        return gain * np.sum(np.asarray(pictures, np.float64) * weights, axis=(1, 2))

    # Logits 0 and z: softplus(-z) for a stego, whose slope by z is sigmoid(z) - 1, over 2B.
    z = logit(covers + drawn)
    slope = (1 / (1 + np.exp(-z)) - 1)[:, None, None] * gain * weights / 4
    logs = np.where(drawn > 0, np.log(chances.plus + 1e-5), np.log(chances.minus + 1e-5))
    expected = -2.0 * np.sum(np.asarray(drawn) * slope * np.where(drawn != 0, logs, 0))
    assert history[0]["loss_adversarial"] == pytest.approx(expected, rel=1e-3)
    rate = np.asarray(probabilities.ternary_entropy(chances)).mean(axis=(1, 2))
    assert history[0]["loss_payload"] == pytest.approx(3 * np.mean((rate - 0.4) ** 2), rel=1e-3)


@pytest.mark.parametrize("how", [STAIRCASE, TANH], ids=["reward", "through"])
def test_a_run_learns_and_warm_up_leaves_the_generator_alone(how):
    method = made(
        curriculum=((0.4, 5),), warm_up_steps=2, steganalyzer_width=0.25, networks=("xunet",), **how
    )
    assert [(stage.name, stage.steps) for stage in method.stages] == [
        ("warm-up", 2),
        ("0.4 bpp", 5),
    ]
    batch = {"cover": jnp.asarray(small_networks.covers(4, (16, 16)))}
    start = jax.tree.map(np.asarray, jax.jit(method.init)(jax.random.key(0), batch))
    warm, _ = run_steps(method.stages[0].train_step, start, batch, 1)
    assert not differs(warm.params["generator"], start.params["generator"])
    assert not differs(warm.batch_stats["generator"], start.batch_stats["generator"])
    assert differs(warm.params["d1"], start.params["d1"])
    after, history = run_steps(method.stages[1].train_step, warm, batch, 1)
    assert differs(after.params["generator"], warm.params["generator"])
    assert all(np.isfinite(value) for value in history[0].values())


def test_the_share_in_hills_cheapest_pixels():
    covers = jnp.asarray(small_networks.covers(2, (32, 32))[..., 0])
    equal = jnp.full(covers.shape, 0.1)
    hill = embed.bounded(embed.parse_scheme("hill").cost)(covers)
    share = symmetric.share_in_cheapest(hill, ChangeProbabilities(equal, equal))
    np.testing.assert_allclose(share, 0.18, atol=0.01)
    chances = probabilities.gibbs(hill, probabilities.lambda_for_payload(hill, 0.4 * 32 * 32))
    assert (np.asarray(symmetric.share_in_cheapest(hill, chances)) > 0.3).all()


def test_costs_are_those_of_the_probabilities_and_finite_at_the_corners():
    """A flat cover and a saturated one; the range is embed's business."""
    method = made()
    batch = {"cover": jnp.stack([jnp.full((16, 16, 1), 7.0), jnp.full((16, 16, 1), 255.0)])}
    state = jax.jit(method.init)(jax.random.key(0), batch)
    scheme = symmetric.scheme(state, SECTION, name="mine")
    costs = jax.jit(scheme.cost)(batch["cover"][..., 0])
    assert np.isfinite(costs.plus).all() and (np.asarray(costs.plus) < 11.6).all()
    np.testing.assert_array_equal(costs.plus, costs.minus)
    assert (
        np.asarray(embed.bounded(scheme.cost)(batch["cover"][1, ..., 0]).plus) >= WET_COST
    ).all()
    outputs = jax.jit(method.predict)(state, batch, jax.random.key(0))
    assert outputs["stego"].max() <= 255 and np.isfinite(outputs["hill_share"]).all()


def test_of_jpeg_files_the_costs_of_coefficients_are_learned(tmp_path):
    """A step through the inverse DCT moves the modes; what the run embeds with hides in a .jpg."""
    section = (
        SECTION
        | TANH
        | dict(output="third", uniform_start=True, jpeg_quality=75, shown="staircase")
    )
    method = symmetric.from_config(section, steps_per_epoch=1)
    batch = {"cover": jnp.asarray(small_networks.covers(2, (16, 24)))}
    start = jax.tree.map(np.asarray, jax.jit(method.init)(jax.random.key(0), batch))
    state, (values,) = run_steps(method.train_step, start, batch, 1)
    assert all(np.isfinite(value) for value in values.values())
    shift = [each.params["generator"]["modes"]["shift"] for each in (start, state)]
    assert shift[0].shape == (8, 8, 1) and (shift[0] != shift[1]).all()
    figures = method.measure(batch, jax.jit(method.predict)(state, batch, jax.random.key(0)))
    assert {"uerd_share", "payload_error"} <= set(figures) and "hill_share" not in figures
    scheme = symmetric.scheme(state, section, name="mine")
    (tmp_path / "cover.jpg").write_bytes(by_pillow(64, 80, quality=80))
    cover, _ = JPEG.read(tmp_path / "cover.jpg")
    message, key = bytes(range(40)), secret.key_file(bytes(32))
    stego = by_costs.hide(
        key, cover, message, choices=by_costs.Choices(scheme, constraint_height=7, domain=JPEG)
    )
    assert by_costs.reveal(key, stego, domain=JPEG) == message
    moved = [(p != q).sum() for p, q in zip(cover.planes, stego.planes, strict=True)]
    assert moved[0] > 30 and moved[1:] == [0, 0]
    with pytest.raises(InputError, match="tells the modes of coefficients apart"):
        symmetric.from_config(section | dict(generator="full_size"), steps_per_epoch=1)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """A run of one step, as any of the four would leave it."""
    config = load("sparrl").get_config("tiny")
    config.method.curriculum = ((0.4, 1),)
    config.method.warm_up_steps = 0
    config.evaluation.every = config.checkpoint.every = 1
    folder = tmp_path_factory.mktemp("learned")
    assert train.train(config, folder).finished
    return folder


def test_messages_in_files(workdir, tmp_path, capsys):
    """Hidden with the run, revealed with the key alone; a colour picture of an odd size."""
    assert run.use(workdir) == "costs"
    cover = np.random.default_rng(0).integers(0, 256, (67, 80, 3)).astype(np.uint8)
    images.write(tmp_path / "cover.png", cover)
    (tmp_path / "message").write_bytes(b"any file")
    (tmp_path / "key").write_bytes(bytes(range(32)))
    secret = ["--key-file", str(tmp_path / "key")]
    cover, message, stego, out = (
        str(tmp_path / name) for name in ("cover.png", "message", "stego.png", "out")
    )
    given = ["hide", cover, message, "-o", stego, "--run", str(workdir), *secret]
    assert cli.main(given) == 0, capsys.readouterr().err
    assert cli.main(["reveal", stego, "-o", out, *secret]) == 0, capsys.readouterr().err
    assert (tmp_path / "out").read_bytes() == b"any file"


def test_a_cover_smaller_than_the_generator_can_halve_is_refused_in_a_line(
    workdir, tmp_path, capsys
):
    images.write(tmp_path / "cover.png", np.full((200, 6, 1), 100, np.uint8))
    (tmp_path / "message").write_bytes(b"x")
    (tmp_path / "key").write_bytes(bytes(32))
    paths = [str(tmp_path / name) for name in ("cover.png", "message", "stego.png", "key")]
    given = ["hide", *paths[:2], "-o", paths[2], "--run", str(workdir), "--key-file", paths[3]]
    assert cli.main(given) == 1
    error = capsys.readouterr().err.strip()
    assert "needs sides of at least 8 pixels; 6x200 was given" in error and "\n" not in error
    assert not (tmp_path / "stego.png").exists()


@pytest.mark.parametrize(
    "options,words",
    [
        (dict(payload=1.6), "payloads are above 0 and under 1.5"),
        (dict(curriculum=((1.0, 5),)), "a curriculum ends at method.payload=0.4"),
        (dict(warm_up_steps=5), r"set method.curriculum=\(\(0.4, STEPS\),\)"),
        (dict(curriculum=((0.4, 0),)), "at least one step long"),
        (dict(imitated="hill"), "set both or none"),
        (dict(imitated="hull"), "method.imitated 'hull' is unknown; there are hill"),
        (dict(rounds=2, curriculum=((0.4, 5),)), "rounds need method.warm_up_steps"),
        (dict(steadiness=0), "method.steadiness is at least 1"),
        (dict(guidance="through"), "a gradient goes through a smooth simulator"),
        (dict(simulator="double_tanh"), "a gradient goes through a smooth simulator"),
        (dict(simulator="tes", guidance="through"), "the simulator tes is trained first"),
        (dict(networks=()), "names one to three steganalyzers"),
        (dict(networks=("xunet:wide",)), "write NAME or NAME:WIDTH"),
        (dict(networks=("resnet",)), "method.networks 'resnet' is unknown"),
        (dict(generator="gan"), "method.generator 'gan' is unknown; there are unet"),
        (dict(output="whole"), "method.output 'whole' is unknown"),
        (dict(colour=True), "method.colour is unknown"),
    ],
)
def test_what_cannot_be_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        made(**options)


def test_every_paper_is_a_method_of_its_own_name():
    for name in ("sparrl", "utgan", "steggman", "asdlgan"):
        assert METHODS[name].use == "costs"
        assert load(name).get_config().method.name == name


def test_a_simulator_is_learned_first_and_then_frozen():
    tes = dict(simulator="tes", guidance="through", staircase_steps=30, curriculum=((0.4, 2),))
    method = made(generator="full_size", steganalyzer_width=0.25, networks=("xunet",), **tes)
    assert [stage.name for stage in method.stages] == ["staircase", "0.4 bpp"]
    batch = {"cover": jnp.asarray(small_networks.covers(4, (16, 16)))}
    start = jax.tree.map(np.asarray, jax.jit(method.init)(jax.random.key(0), batch))
    taught, history = run_steps(method.stages[0].train_step, start, batch, 30)
    assert not differs(taught.params["generator"], start.params["generator"])
    assert history[0]["loss"] > 0.2 and history[-1]["loss"] < 0.05 and history[-1]["wrong"] < 0.05
    ready = method.stages[1].begin(taught, jax.random.key(0))
    assert "tes" not in ready.opt_state
    after, _ = run_steps(method.stages[1].train_step, ready, batch, 1)
    assert not differs(after.params["tes"], taught.params["tes"])
    assert differs(after.params["generator"], taught.params["generator"])


def test_losses_averaged_over_steps_decide_who_learns():
    """Of two steganalyzers the one learns that was the weaker on average, not in this step."""
    method = made(
        networks=("xunet", "xunet6"), learns="weakest", guides="strongest", steadiness=4,
        steganalyzer_width=0.25,
    )  # fmt: skip
    batch = {"cover": jnp.asarray(small_networks.covers(4, (16, 16)))}
    start = jax.tree.map(np.asarray, jax.jit(method.init)(jax.random.key(0), batch))
    averages = start.batch_stats[cost_learner.AVERAGES]
    assert {name: float(value) for name, value in averages.items()} == pytest.approx(
        dict(d1=np.log(2), d2=np.log(2))
    )
    sure = {cost_learner.AVERAGES: dict(d1=np.float32(0.1), d2=np.float32(9.0))}
    before = start._replace(batch_stats={**start.batch_stats, **sure})
    after, [values] = run_steps(method.train_step, before, batch, 1)
    assert values["d2_learns"] == values["d1_guides"] == 1
    assert values["d1_learns"] == values["d2_guides"] == 0
    assert differs(after.params["d2"], before.params["d2"])
    assert not differs(after.params["d1"], before.params["d1"])
    kept = after.batch_stats[cost_learner.AVERAGES]["d2"]
    assert float(kept) == pytest.approx(9 + (values["d2_loss"] - 9) / 4, rel=1e-5)


def test_generator_and_steganalyzer_learn_in_turn_after_an_imitation():
    """The generator comes to HILL's probabilities; then each waits while the other learns."""
    turns = dict(imitated="hill", imitation_steps=40, warm_up_steps=2, rounds=2, learns="in_turn")
    method = made(
        **turns, curriculum=((0.4, 3),), output="third", uniform_start=True, networks=("xunet",),
        steganalyzer_width=0.25, generator_optimizer=dict(name="adam", learning_rate=1e-2),
    )  # fmt: skip
    names = [stage.name for stage in method.stages]
    assert names == ["imitation", *["warm-up", "0.4 bpp"] * 2]
    batch = {"cover": jnp.asarray(small_networks.covers(4, (32, 32)))}
    start = jax.tree.map(np.asarray, jax.jit(method.init)(jax.random.key(0), batch))
    taught, history = run_steps(method.stages[0].train_step, start, batch, 40)
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
    assert not differs(taught.params["d1"], start.params["d1"])
    warm, _ = run_steps(method.stages[1].train_step, taught, batch, 1)
    assert not differs(warm.params["generator"], taught.params["generator"])
    after, [values] = run_steps(method.stages[2].train_step, warm, batch, 1)
    assert values["d1_learns"] == 0 and not differs(after.params["d1"], warm.params["d1"])
    assert differs(after.params["generator"], warm.params["generator"])


SGD = dict(name="sgd", learning_rate=0.1)
THIN = dict(network="xunet", width=0.25, optimizer=SGD)
ADJUSTERS = {
    "ugs": dict(THIN, candidates=1),
    "advemb": THIN,
    "reload": dict(optimizer=SGD, phased_optimizer=SGD, stage_lengths=(1, 1)),
    "asymmetric": dict(
        generator_optimizer=SGD, d1_optimizer=SGD, d2_optimizer=SGD, network="xunet", width=0.125,
        depth=2, steganalyzer_width=0.125, shares=(1, 2),
    ),
}  # fmt: skip
"""Sections of all that adjusts an initial scheme's costs."""


@pytest.mark.parametrize("name", ["cmd", *ADJUSTERS])
def test_adjusters_of_a_learned_base_are_revealed_with_the_key_alone(name, workdir):
    cover = Cover((small_networks.covers(1, (40, 44))[0, ..., 0].astype(np.int16),))
    if name == "cmd":
        scheme = trained.scheme(f"cmd:run:{workdir}", run.trained)
    else:
        section = dict(ADJUSTERS[name], scheme=f"run:{workdir}")
        method = METHODS[name].from_config(section, steps_per_epoch=1, load=run.trained)
        batch = {"cover": jnp.zeros((1, 32, 32, 1))}
        state = jax.jit(method.init)(jax.random.key(0), batch)
        scheme = METHODS[name].scheme(state, section, name=name, load=run.trained)
    key = secret.key_file(bytes(range(32)))
    choices = Choices(scheme, constraint_height=7)
    stego = by_costs.hide(key, cover, b"any file", choices=choices)
    assert by_costs.reveal(key, stego) == b"any file"
