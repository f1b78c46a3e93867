"""ISGAN's wiring: who is trained by which loss, the loss's value, the shape of what comes out, and
devices that do not matter.
"""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support import hiding_bits as steps
from support.shallow import Picture, networks

from stegojax import losses
from stegojax.errors import InputError
from stegojax.images import rgb_to_ycbcr
from stegojax.methods import isgan

SECTION = dict(
    optimizer=dict(name="adam", learning_rate=1e-3),
    steganalyzer_optimizer=dict(name="sgd", learning_rate=1e-2, momentum=0.9),
)


def make(adversarial=True, **options):
    given = dict(
        optimizer=optax.sgd(0.1), steganalyzer_optimizer=optax.sgd(0.1), picture_loss=losses.mse
    )
    return isgan.make(networks(adversarial=adversarial), **{**given, **options})


@pytest.fixture(scope="module")
def batch():
    generator = np.random.default_rng(0)
    smooth = generator.uniform(40, 215, (4, 8, 8, 4)).repeat(4, 1).repeat(4, 2)
    noisy = np.clip(smooth + generator.normal(0, 4, smooth.shape), 0, 255).astype(np.float32)
    return {"cover": noisy[..., :3], "secret": noisy[..., 3:]}


@pytest.fixture(scope="module")
def trained(batch):
    """The method, its first state, and what a step makes of it."""
    method = make()
    start = steps.begin(method, batch)
    return method, start, *steps.run_steps(method, batch, 1, state=start)


def test_four_devices_give_the_step_of_one(trained, batch):
    method, start, one, values_one = trained
    four, values_four = steps.run_steps(method, batch, 1, state=start, devices=4)
    for name in values_one:
        assert float(values_four[name]) == pytest.approx(
            float(values_one[name]), rel=2e-3, abs=1e-5
        ), name
    steps.assert_near(
        (one.batch_stats, one.params), (four.batch_stats, four.params), rtol=1e-3, atol=2e-5
    )


def test_a_step_moves_every_network(trained):
    _, start, state, _ = trained
    for name in ("encoder", "decoder", "steganalyzer"):
        assert not steps.same(start.params[name], state.params[name]), name


def test_the_loss_is_the_papers(batch):
    """Eq. (10) and (12), written down anew."""
    method = make(False, picture_loss=isgan.weighted_loss)
    start = steps.begin(method, batch)
    _, values = steps.run_steps(method, batch, 1, state=start)
    luma = rgb_to_ycbcr(batch["cover"])[..., :1]

    def eq10(x, y):
        return (
            0.5 * losses.ssim_loss(x, y) + 0.5 * losses.ms_ssim_loss(x, y) + 0.3 * losses.mse(x, y)
        )

    def eq12(state, batch, key):
        def apply(name, *planes):
            variables = {"params": state.params[name], "batch_stats": state.batch_stats[name]}
            return Picture().apply(variables, *planes, train=True, mutable=["batch_stats"])[0]

        stego = apply("encoder", luma, batch["secret"])
        revealed = apply("decoder", stego)
        return jnp.mean(eq10(luma, stego) + 0.85 * eq10(batch["secret"], revealed))

    expected = steps.over(eq12)(start, batch, jax.random.key(0))
    assert float(values["loss"]) == pytest.approx(float(expected), rel=1e-4)


def test_the_decoder_reads_what_noise_leaves(batch):
    """Where nothing arrives, no gradient of the revealed picture reaches the encoder."""

    def nothing(key, stego, cover, read):
        assert stego.shape == cover.shape == (4, 32, 32, 1)
        return read(jnp.full_like(stego, 128.0))

    first, moved = {}, {}
    for gamma in (0.0, 1.0):
        method = make(adversarial=False, gamma=gamma, noise=nothing)
        start = steps.begin(method, batch)
        state, _ = steps.run_steps(method, batch, 1, state=start)
        moved[gamma], first = state.params, start.params
    assert steps.same(moved[0.0]["encoder"], moved[1.0]["encoder"])
    assert not steps.same(moved[1.0]["decoder"], first["decoder"])


def test_the_basic_model_has_no_steganalyzer(batch):
    state, values = steps.run_steps(make(False), batch, 1)
    assert set(state.params) == {"encoder", "decoder"} and "loss_adversarial" not in values


def test_the_adversarial_term_reaches_the_encoder_alone(batch):
    """With no weight on the pictures, the decoder stands still and the encoder moves."""
    method = make(gamma=0.0, delta=1.0, picture_loss=lambda x, y: jnp.zeros(x.shape[0]))
    start = steps.begin(method, batch)
    state, values = steps.run_steps(method, batch, 1, state=start)
    assert steps.same(start.params["decoder"], state.params["decoder"])
    assert not steps.same(start.params["encoder"], state.params["encoder"])
    assert float(values["loss"]) == pytest.approx(float(values["loss_adversarial"]))


def test_without_weight_the_steganalyzer_has_no_influence(batch):
    """At delta = 0 encoder and decoder move as in the basic model, and the steganalyzer still
    learns to tell the untrained encoder's stegos from covers.
    """
    method = make(delta=0.0, flip=0.0, steganalyzer_optimizer=optax.adam(0.3))
    start = steps.begin(method, batch)
    basic = start._replace(
        params={name: start.params[name] for name in ("encoder", "decoder")},
        batch_stats={name: start.batch_stats[name] for name in ("encoder", "decoder")},
        opt_state={"generator": start.opt_state["generator"]},
    )
    alone, _ = steps.run_steps(make(False), batch, 14, state=basic)
    state, values = steps.run_steps(method, batch, 14, state=start)
    steps.assert_near(
        {name: state.params[name] for name in alone.params}, alone.params, rtol=1e-3, atol=1e-6
    )
    assert float(values["steganalyzer_accuracy"]) == 1.0
    assert float(values["steganalyzer_loss"]) < 0.5


def test_flipped_labels_are_flipped(trained, batch):
    """At a rate close to one half, the steganalyzer's loss on its first step differs from the one
    with hardly any flips, and the generator's does not.
    """
    _, start, _, straight = trained
    _, flipped = steps.run_steps(make(flip=0.49), batch, 1, state=start)
    assert float(straight["steganalyzer_loss"]) != float(flipped["steganalyzer_loss"])
    assert float(straight["loss"]) == pytest.approx(float(flipped["loss"]), rel=1e-6)


def test_the_steganalyzers_loss_can_be_another_function(trained, batch):
    _, start, _, _ = trained
    method = make(steganalyzer_loss=lambda logits, labels: 7.0 + 0.0 * logits[:, 0])
    state, values = steps.run_steps(method, batch, 1, state=start)
    assert float(values["loss_adversarial"]) == float(values["steganalyzer_loss"]) == 7.0
    assert steps.same(start.params["steganalyzer"], state.params["steganalyzer"])


def test_the_readings_of_the_squared_error():
    x, y = np.full((1, 4, 4, 1), 51.0, np.float32), np.zeros((1, 4, 4, 1), np.float32)
    alone = dict(ssim_weight=0.0, ms_ssim_weight=0.0, mse_weight=1.0)
    for options, wanted in (
        (dict(), 0.04),
        (dict(mse_scale=127.5), 0.16),
        (dict(mse_scale=1.0), 2601.0),
        (dict(mse_norm="sum"), 0.64),
        (dict(mse_norm="root"), 0.8),
    ):
        found = isgan.weighted_loss(x, y, **alone, **options)
        np.testing.assert_allclose(found, [wanted], rtol=1e-5)


def test_a_zero_weight_leaves_the_term_out():
    x = jnp.asarray(np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 1)), jnp.float32)
    y = x[:, ::-1]
    terms = {
        "ssim_weight": losses.ssim_loss,
        "ms_ssim_weight": losses.ms_ssim_loss,
        "mse_weight": losses.mse,
    }
    for name, leaf in terms.items():
        weights = {**dict.fromkeys(terms, 0.0), name: 2.0}
        np.testing.assert_allclose(isgan.weighted_loss(x, y, **weights), 2 * leaf(x, y), rtol=1e-5)


def test_predict_hides_rounds_and_reveals(trained, batch):
    method, state, *_ = trained
    predict = jax.jit(method.predict)
    outputs = predict(state, batch, jax.random.key(0))
    stego = np.asarray(outputs["stego"])
    assert stego.shape == batch["cover"].shape and stego.min() >= 0 and stego.max() <= 255
    np.testing.assert_array_equal(stego, np.round(stego))
    again = predict(state, {"stego": outputs["stego"]}, jax.random.key(0))
    np.testing.assert_array_equal(again["revealed"], outputs["revealed"])
    figures = method.measure(batch, outputs)
    assert set(figures) == {"stego_psnr", "stego_ssim", "revealed_psnr", "revealed_ssim"}
    assert all(value.shape == (4,) for value in figures.values())


def test_only_the_luma_of_the_stego_differs(trained, batch):
    method, state, *_ = trained
    cover = {**batch, "cover": jnp.full_like(batch["cover"], 128.0)}
    stego = jax.jit(method.predict)(state, cover, jax.random.key(0))["stego"]
    chroma = rgb_to_ycbcr(stego)[..., 1:]
    np.testing.assert_allclose(chroma, 128.0, atol=0.51)


def test_the_log_says_how_many_scales_fit(batch):
    assert make().describe(batch) == (
        "MS-SSIM is taken over 2 of its 5 scales, those that fit 32x32",
    )
    assert make().describe({"cover": np.zeros((1, 256, 256, 3), np.float32)}) == ()


def test_a_config_gives_the_papers_networks_or_the_basic_model():
    like = {}
    for adversarial in (True, False):
        section = {**SECTION, "adversarial": adversarial, "width": 0.125, "dtype": "bfloat16"}
        method = isgan.from_config(section, steps_per_epoch=10)
        pictures = {
            "cover": np.zeros((1, 32, 32, 3), np.float32),
            "secret": np.zeros((1, 32, 32, 1), np.float32),
        }
        like[adversarial] = jax.eval_shape(method.init, jax.random.key(0), pictures)
        assert method.receptive_radius == 16
    assert set(like[True].params) - set(like[False].params) == {"steganalyzer"}
    assert like[True].params["encoder"]["layer5"]["shortcut"]["kernel"].shape[-1] == 32


def test_the_readmes_own_loss_makes_a_method(batch):
    readme = (pathlib.Path(__file__).resolve().parents[2] / "README.md").read_text()
    code = next(part for part in readme.split("```python\n") if "isgan.make(" in part)
    names = {}
    exec(code.split("```")[0], names)
    start = jax.eval_shape(names["method"].init, jax.random.key(0), batch)
    assert set(start.params) == {"encoder", "decoder", "steganalyzer"}


@pytest.mark.parametrize(
    "options",
    [
        dict(flip=0.5),
        dict(flip=-0.1),
        dict(mse_weight=-1.0),
        dict(mse_scale=0.0),
        dict(mse_norm="max"),
        dict(ssim_weight=0.0, ms_ssim_weight=0.0, mse_weight=0.0),
    ],
)
def test_weights_out_of_range_are_refused(options):
    with pytest.raises(InputError):
        isgan.from_config({**SECTION, **options}, steps_per_epoch=1)
