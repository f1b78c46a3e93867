"""The game of SSGAN and SGAN: its embedding counted, its steps worked out by hand, and what it
refuses.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import toy_covers as toy

from stegojax import parallel
from stegojax.errors import InputError
from stegojax.methods import generation, sgan, ssgan

SGD, SLOW = dict(name="sgd", learning_rate=0.5), dict(name="sgd", learning_rate=0.002)
SECTION = dict(
    steps_per_epoch=1,
    optimizer=SGD,
    steganalyzer_optimizer=SLOW,
    size=toy.SIZE,
    alpha=0.75,
    scheme="lsb-matching",
    payload=0.4,
)


def simulate(scheme, covers, *, payload=0.4, seed=0):
    hide = generation.simulator(scheme, payload=payload)
    compiled = parallel.over_devices(lambda state, covers, key: hide(key, covers))
    return parallel.gather(compiled((), parallel.shard(covers), jax.random.key(seed)))


def test_lsb_matching_changes_a_fifth_of_the_samples_and_no_sample_leaves_the_range():
    covers = np.full((8, 32, 32, 3), 100.0, np.float32)
    covers[:, :8], covers[:, 8:16] = 0.0, 255.0
    found = simulate("lsb-matching", covers)
    assert set(np.unique(found)) == {-1.0, 0.0, 1.0}
    # 24,576 samples and 12,288 of them between: four standard deviations are .010 and .0064 (of
    # half of a fifth).
    assert abs(np.mean(found != 0) - 0.2) < 0.0103
    assert (
        abs(np.mean(found[:, 16:] > 0) - 0.1) < 0.011
        and abs(np.mean(found[:, 16:] < 0) - 0.1) < 0.011
    )
    assert (found[:, :8] >= 0).all() and (found[:, 8:16] <= 0).all()
    assert all((found[0] != found[i]).any() for i in range(1, 8))
    assert (simulate("lsb-matching", covers, seed=1) != found).any()


def test_the_released_code_of_sgan_hides_in_the_first_pixels_of_the_red_channel():
    found = simulate("red-channel", np.full((8, 20, 30, 3), 100.0, np.float32))
    changed = (found != 0).any(axis=0).reshape(600, 3)
    assert not changed[:, 1:].any() and not changed[240:].any() and changed[:240, 0].mean() > 0.95
    assert abs(np.mean(found[..., 0].reshape(8, 600)[:, :240] != 0) - 0.5) < 0.046


def test_an_adaptive_sender_changes_texture_and_less_than_lsb_matching():
    rng = np.random.default_rng(0)
    covers = np.full((4, 32, 32, 3), 100.0, np.float32)
    covers[:, :, 16:] = rng.integers(40, 200, (4, 32, 16, 3))
    found = simulate("hugo", covers)
    assert np.mean(found != 0) < 0.15
    assert np.mean(found[:, :, 18:] != 0) > 4 * np.mean(found[:, :, :14] != 0)
    assert all((found[..., i] != 0).any() for i in range(3))


def step(made, state, batch, key, devices=None):
    if devices is None:
        return parallel.train_step(made.train_step)(
            parallel.replicate(state), parallel.shard(batch), key
        )
    batch = jax.tree.map(lambda leaf: leaf.reshape((devices, -1) + leaf.shape[1:]), batch)
    return jax.pmap(
        made.train_step,
        axis_name=parallel.AXIS,
        in_axes=(None, 0, None),
        out_axes=(None, None),
        devices=jax.local_devices()[:devices],
    )(state, batch, key)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def slope_penalty_gradient(gain):
    """Of (|127.5 x gradient| - 1)^2 by the gain, where the gradient of every one of n samples is
    gain / 255 n.
    """
    per_gain = 127.5 / 255.0 / np.sqrt(3 * toy.SIZE**2)
    return 2 * (gain * per_gain - 1) * per_gain


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"deceit": "both"},
        {"clip": 0.19},
        {"penalty": 5.0},
        {"alpha": 1.0},
        {"generator_updates": 1, "discriminator_updates": 3},
        {"contest": generation.CROSS_ENTROPY},
    ],
)
def test_a_step_is_what_comes_out_by_hand(changes, monkeypatch):
    """The noise is always .5 and every sample of a stego is 1 higher: all pictures of a kind are
    one number. The critic's parameter
    is within its bound from the beginning."""
    drawn = []
    monkeypatch.setattr(
        generation, "noise", lambda key, count: drawn.append(key) or jnp.full((count, 100), 0.5)
    )
    monkeypatch.setattr(
        generation,
        "simulator",
        lambda scheme, *, payload: lambda key, covers: jnp.ones_like(covers),
    )
    section = {**SECTION, **changes}
    made = toy.make(**section)
    real = np.full((4, toy.SIZE, toy.SIZE, 3), 90.0, np.float32)
    state = made.init(jax.random.key(0), {"cover": real[:1]})
    after, values = step(made, state, {"cover": real}, jax.random.key(1))

    def picture(gain):
        return 127.5 + 40.0 * gain * 0.5

    entropy = section.get("contest") is generation.CROSS_ENTROPY
    g, d, s = 1.0, min(0.2, section.get("clip") or 1.0), 0.1
    for _ in range(section.get("discriminator_updates", 1)):
        gradient = (picture(g) - 90.0) / 255.0
        if entropy:
            gradient = (
                -sigmoid(-d * 90 / 255) * 90 + sigmoid(d * picture(g) / 255) * picture(g)
            ) / 255
        gradient += section.get("penalty", 0.0) * slope_penalty_gradient(d)
        d -= 0.5 * gradient
        d = np.clip(d, -section["clip"], section["clip"]) if section.get("clip") else d
    cover, stego = (np.round(picture(g)) + more - 120.0 for more in (0, 1))
    s -= 0.002 * (sigmoid(s * cover) * cover - sigmoid(-s * stego) * stego) / 2
    alpha, both = section["alpha"], section.get("deceit") == "both"
    for _ in range(section.get("generator_updates", 2)):
        cover, stego = (np.round(picture(g)) + more - 120.0 for more in (0, 1))
        realism = -d / 255 * (sigmoid(-d * picture(g) / 255) if entropy else 1.0)
        safety = -s * sigmoid(-s * cover) + (s * sigmoid(s * stego) if both else 0.0)
        g -= 0.5 * 20.0 * (alpha * realism + (1 - alpha) * safety)
    found = [float(after.params[name]["gain"]) for name in generation.NAMES]
    np.testing.assert_allclose(found, [g, d, s], rtol=1e-4)
    assert int(after.step) == 1 and all(np.isfinite(value) for value in values.values())
    updates = section.get("discriminator_updates", 1) + section.get("generator_updates", 2)
    assert len(drawn) == updates  # the steganalyzer is trained on the discriminator's pictures


def test_every_update_has_noise_of_its_own(monkeypatch):
    keys, real = [], generation.noise
    monkeypatch.setattr(
        generation, "noise", lambda key, count: keys.append(key) or real(key, count)
    )
    made = toy.make(**SECTION, discriminator_updates=2)
    cover = np.asarray(toy.pictures(4))
    state = made.init(jax.random.key(0), {"cover": cover[:1]})

    def record(state, batch, key):
        keys.clear()
        made.train_step(state, batch, key)
        return jnp.stack([jax.random.key_data(key) for key in keys])[None]

    found = np.asarray(
        parallel.over_devices(record)(state, parallel.shard({"cover": cover}), jax.random.key(1))
    )[0, 0]
    assert len({tuple(key) for key in found}) == len(found) == 4


def test_four_devices_do_what_one_does():
    made = toy.make(**{**SECTION, "penalty": 1.0})
    batch = {"cover": np.asarray(toy.pictures(8))}
    state = made.init(jax.random.key(0), {"cover": batch["cover"][:1]})
    one, four = (step(made, state, batch, jax.random.key(3), devices)[0] for devices in (1, 4))
    for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(four.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert float(one.params["generator"]["gain"]) != 1.0


def test_pictures_are_whole_numbers_and_follow_from_the_noise_alone():
    made = toy.make(**SECTION)
    cover = np.asarray(toy.pictures(8))
    state = made.init(jax.random.key(0), {"cover": cover[:1]})
    outputs = parallel.gather(
        parallel.over_devices(made.predict)(
            state, parallel.shard({"cover": cover}), jax.random.key(2)
        )
    )
    made_pictures, stegos = outputs["generated"], outputs["generated_stego"]
    for pictures in (made_pictures, stegos):
        assert pictures.shape == cover.shape and (pictures == np.round(pictures)).all()
        assert pictures.min() >= 0 and pictures.max() <= 255
    assert len(np.unique(made_pictures[:, 0, 0], axis=0)) == 8
    assert (
        np.abs(stegos - made_pictures).max() == 1 and 0.1 < np.mean(stegos != made_pictures) < 0.3
    )
    noise = np.linspace(-1, 1, 200, dtype=np.float32).reshape(2, 100)
    found = jax.jit(made.predict)(state, {"noise": noise}, jax.random.key(9))["generated"]
    expected = np.round(127.5 + 40.0 * noise[:, :99].reshape(2, 3, 33).mean(axis=-1))
    np.testing.assert_array_equal(np.asarray(found)[:, 3, 5], expected)
    figures = made.measure({}, outputs)
    score = np.mean(cover, axis=(1, 2, 3)) - np.mean(made_pictures, axis=(1, 2, 3))
    np.testing.assert_allclose(figures["discriminator_gap"], 0.2 * score / 255, rtol=1e-4)
    right = [
        (made_pictures.mean(axis=(1, 2, 3)) < 120) * 0.5
        + (stegos.mean(axis=(1, 2, 3)) >= 120) * 0.5
    ]
    np.testing.assert_allclose(figures["steganalyzer_accuracy"], right[0])


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"alpha": 0.0}, "alpha=0.0 must be above 0"),
        ({"deceit": "none"}, "deceit 'none' is unknown; there are cover, both"),
        ({"clip": 0.0}, "by clipping or by a penalty"),
        ({"penalty": 10.0}, "by clipping or by a penalty"),
        ({"clip": 0.0, "penalty": 10.0}, "set method.normalise=none"),
        ({"normalise": "some"}, "normalise 'some' is unknown"),
        ({"scheme": "huge"}, "scheme 'huge' is unknown"),
        ({"payload": 1.5}, "payload=1.5"),
        ({"generator_updates": 0}, "must be at least 1"),
        ({"clip": -1.0, "penalty": 1.0, "normalise": "none"}, "not be negative"),
    ],
)
def test_what_cannot_be_played_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        ssgan.make(steps_per_epoch=1, optimizer=SGD, steganalyzer_optimizer=SGD, **changes)


@pytest.mark.parametrize("method", [ssgan, sgan])
def test_data_of_another_size_are_refused(method):
    made = method.make(steps_per_epoch=1, optimizer=SGD, steganalyzer_optimizer=SGD, size=32)
    with pytest.raises(
        InputError, match="makes 32x32 colour pictures and the data are 48x48 with 3 channels"
    ):
        made.init(jax.random.key(0), {"cover": np.zeros((1, 48, 48, 3), np.float32)})
