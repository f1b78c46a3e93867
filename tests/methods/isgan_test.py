"""ISGAN's wiring: who is trained by which loss, the loss's value, the shape of what comes out, and
devices that do not matter.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.shallow import shallow  # noqa: F401

from stegojax import losses, parallel
from stegojax.errors import InputError
from stegojax.images import rgb_to_ycbcr
from stegojax.methods import isgan
from stegojax.models import isgan as models

ADAM = dict(name="adam", learning_rate=1e-3)
SGD = dict(name="sgd", learning_rate=1e-2, momentum=0.9)


def make(**options):
    return isgan.make(
        **{
            **dict(steps_per_epoch=10, optimizer=ADAM, steganalyzer_optimizer=SGD, width=0.125),
            **options,
        }
    )


@pytest.fixture(scope="module")
def batch():
    generator = np.random.default_rng(0)
    smooth = generator.uniform(40, 215, (4, 8, 8, 4)).repeat(4, 1).repeat(4, 2)
    noisy = np.clip(smooth + generator.normal(0, 4, smooth.shape), 0, 255).astype(np.float32)
    return {"cover": noisy[..., :3], "secret": noisy[..., 3:]}


def run_steps(made, batch, count, devices=1):
    state = jax.jit(made.init)(jax.random.key(0), jax.tree.map(lambda leaf: leaf[:1], batch))
    step = jax.pmap(
        made.train_step,
        axis_name=parallel.AXIS,
        in_axes=(None, 0, None),
        out_axes=(None, None),
        devices=jax.local_devices()[:devices],
    )
    share = jax.tree.map(lambda leaf: leaf.reshape((devices, -1) + leaf.shape[1:]), batch)
    for index in range(count):
        state, values = step(
            jax.tree.map(np.asarray, state), share, jax.random.fold_in(jax.random.key(1), index)
        )
    return jax.tree.map(np.asarray, state), values


def test_four_devices_give_the_step_of_one(batch):
    """With plain gradient descent: Adam divides by the gradient's size, and a bias before BatchNorm
    has none but rounding.
    """
    made = make(optimizer=dict(name="sgd", learning_rate=0.1))
    one, values_one = run_steps(made, batch, 2, devices=1)
    four, values_four = run_steps(made, batch, 2, devices=4)
    for name in values_one:
        assert float(values_four[name]) == pytest.approx(
            float(values_one[name]), rel=2e-3, abs=1e-5
        ), name
    for tree in ("batch_stats", "params"):
        left, right = getattr(one, tree), getattr(four, tree)
        for (path, a), b in zip(
            jax.tree.flatten_with_path(left)[0], jax.tree.leaves(right), strict=True
        ):
            np.testing.assert_allclose(
                a, b, rtol=1e-3, atol=2e-5, err_msg=jax.tree_util.keystr(path)
            )


def test_the_loss_is_the_papers(batch):
    made = make(adversarial=False)
    state, values = run_steps(made, batch, 1)
    start = jax.jit(made.init)(jax.random.key(0), batch)
    luma = rgb_to_ycbcr(batch["cover"])[..., :1]
    options = dict(train=True, mutable=["batch_stats"])
    encoder, decoder = models.Encoder(width=0.125), models.Decoder(width=0.125)

    def eq10(x, y):
        return (
            0.5 * losses.ssim_loss(x, y) + 0.5 * losses.ms_ssim_loss(x, y) + 0.3 * losses.mse(x, y)
        )

    @jax.jit
    def eq12(params, stats):
        stego, _ = encoder.apply(
            {"params": params["encoder"], "batch_stats": stats["encoder"]},
            luma,
            batch["secret"],
            **options,
        )
        revealed, _ = decoder.apply(
            {"params": params["decoder"], "batch_stats": stats["decoder"]}, stego, **options
        )
        return jnp.mean(eq10(luma, stego) + 0.85 * eq10(batch["secret"], revealed))

    assert float(values["loss"]) == pytest.approx(
        float(eq12(start.params, start.batch_stats)), rel=1e-4
    )


def test_the_basic_model_has_no_steganalyzer(batch):
    state, values = run_steps(make(adversarial=False), batch, 1)
    assert set(state.params) == {"encoder", "decoder"} and "loss_adversarial" not in values


def test_the_adversarial_term_reaches_the_encoder_alone(batch):
    """With no weight on the pictures, the decoder stands still and the encoder moves."""
    made = make(gamma=0.0, delta=1.0, picture_loss=lambda x, y: jnp.zeros(x.shape[0]))
    start = jax.jit(made.init)(jax.random.key(0), batch)
    state, values = run_steps(made, batch, 1)
    for a, b in zip(
        jax.tree.leaves(start.params["decoder"]),
        jax.tree.leaves(state.params["decoder"]),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    assert any(
        not np.array_equal(a, b)
        for a, b in zip(
            jax.tree.leaves(start.params["encoder"]),
            jax.tree.leaves(state.params["encoder"]),
            strict=True,
        )
    )
    assert float(values["loss"]) == pytest.approx(float(values["loss_adversarial"]))


def test_the_steganalyzer_learns_from_its_own_loss(batch):
    """Without an adversarial weight its training goes on, and it tells the untrained encoder's
    stegos from covers.
    """
    _, values = run_steps(make(delta=0.0, flip=0.0), batch, 8)
    assert float(values["steganalyzer_accuracy"]) == 1.0
    assert float(values["steganalyzer_loss"]) < 0.5


def test_flipped_labels_are_flipped(batch):
    """At a rate close to one half, the steganalyzer's loss on its first step differs from the one
    without flips.
    """
    _, straight = run_steps(make(flip=0.0), batch, 1)
    _, flipped = run_steps(make(flip=0.49), batch, 1)
    assert float(straight["steganalyzer_loss"]) != float(flipped["steganalyzer_loss"])
    assert float(straight["loss"]) == pytest.approx(float(flipped["loss"]), rel=1e-6)


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


def test_predict_hides_rounds_and_reveals(batch):
    made = make()
    state = jax.jit(made.init)(jax.random.key(0), batch)
    outputs = jax.jit(made.predict)(state, batch, jax.random.key(0))
    stego = np.asarray(outputs["stego"])
    assert stego.shape == batch["cover"].shape and stego.min() >= 0 and stego.max() <= 255
    np.testing.assert_array_equal(stego, np.round(stego))
    again = jax.jit(made.predict)(state, {"stego": outputs["stego"]}, jax.random.key(0))
    np.testing.assert_array_equal(again["revealed"], outputs["revealed"])
    figures = made.measure(batch, outputs)
    assert set(figures) == {"stego_psnr", "stego_ssim", "revealed_psnr", "revealed_ssim"}
    assert all(value.shape == (4,) for value in figures.values())


def test_only_the_luma_of_the_stego_differs(batch):
    made = make()
    state = jax.jit(made.init)(jax.random.key(0), batch)
    cover = {**batch, "cover": jnp.full_like(batch["cover"], 128.0)}
    stego = jax.jit(made.predict)(state, cover, jax.random.key(0))["stego"]
    chroma = rgb_to_ycbcr(stego)[..., 1:]
    np.testing.assert_allclose(chroma, 128.0, atol=0.51)


def test_the_log_says_how_many_scales_fit(batch):
    assert make().describe(batch) == (
        "MS-SSIM is taken over 2 of its 5 scales, those that fit 32x32",
    )
    assert make().describe({"cover": np.zeros((1, 256, 256, 3), np.float32)}) == ()


@pytest.mark.parametrize(
    "options",
    [
        dict(flip=0.5),
        dict(flip=-0.1),
        dict(mse_weight=-1.0),
        dict(ssim_weight=0.0, ms_ssim_weight=0.0, mse_weight=0.0),
    ],
)
def test_weights_out_of_range_are_refused(options):
    with pytest.raises(InputError):
        make(**options)
