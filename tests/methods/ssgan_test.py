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

SECTION = dict(
    optimizer=dict(name="sgd", learning_rate=0.5),
    steganalyzer_optimizer=dict(name="sgd", learning_rate=0.002),
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


def begun(method, cover):
    return jax.tree.map(np.asarray, method.init(jax.random.key(0), {"cover": cover[:1]}))


def step(method, state, batch, key, devices=None):
    if devices is None:
        return parallel.train_step(method.train_step)(
            parallel.replicate(state), parallel.shard(batch), key
        )
    batch = jax.tree.map(lambda leaf: leaf.reshape((devices, -1) + leaf.shape[1:]), batch)
    return jax.pmap(
        method.train_step,
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
        {"deceit": generation.deceit_by_both},
        {"clip": 0.19},
        {"penalty": 5.0},
        {"alpha": 1.0},
        {"generator_updates": 1, "discriminator_updates": 3},
        {"contest": generation.CROSS_ENTROPY},
    ],
)
def test_a_step_is_what_comes_out_by_hand(changes):
    """The noise is always .5 and every sample of a stego is 1 higher: all pictures of a kind are
    one number. The discriminator's parameter is within its bound from the beginning.
    """
    drawn, rules = [], dict(changes)
    contest = rules.pop("contest", generation.WASSERSTEIN)
    contest = contest._replace(deceit=rules.pop("deceit", contest.deceit))
    method = toy.game(
        contest=contest,
        hide=lambda key, covers: jnp.ones_like(covers),
        noise=lambda key, count: drawn.append(key) or jnp.full((count, 100), 0.5),
        **rules,
    )
    real = np.full((4, toy.SIZE, toy.SIZE, 3), 90.0, np.float32)
    state = begun(method, real)
    after, values = step(method, state, {"cover": real}, jax.random.key(1))
    d, s, g = by_hand(changes, real=90.0)
    gains = [float(after.params[name]["gain"]) for name in generation.NAMES]
    np.testing.assert_allclose(gains, [g, d, s], rtol=1e-4)
    assert int(after.step) == 1 and all(np.isfinite(value) for value in values.values())
    updates = changes.get("discriminator_updates", 1) + changes.get("generator_updates", 2)
    assert len(drawn) == updates  # the steganalyzer is trained on the discriminator's pictures


def by_hand(changes, *, real):
    """The gains of discriminator, steganalyzer and generator after a step."""

    def picture(gain):
        return 127.5 + 40.0 * gain * 0.5

    entropy = changes.get("contest") is generation.CROSS_ENTROPY
    clip = changes.get("clip", np.inf)
    g, d, s = 1.0, min(0.2, clip), 0.1
    for _ in range(changes.get("discriminator_updates", 1)):
        gradient = (picture(g) - real) / 255.0
        if entropy:
            gradient = (
                -sigmoid(-d * real / 255) * real + sigmoid(d * picture(g) / 255) * picture(g)
            ) / 255
        gradient += changes.get("penalty", 0.0) * slope_penalty_gradient(d)
        d = np.clip(d - 0.5 * gradient, -clip, clip)
    cover, stego = (np.round(picture(g)) + more - 120.0 for more in (0, 1))
    s -= 0.002 * (sigmoid(s * cover) * cover - sigmoid(-s * stego) * stego) / 2
    alpha, both = changes.get("alpha", 0.75), "deceit" in changes
    for _ in range(changes.get("generator_updates", 2)):
        cover, stego = (np.round(picture(g)) + more - 120.0 for more in (0, 1))
        realism = -d / 255 * (sigmoid(-d * picture(g) / 255) if entropy else 1.0)
        safety = -s * sigmoid(-s * cover) + (s * sigmoid(s * stego) if both else 0.0)
        g -= 0.5 * 20.0 * (alpha * realism + (1 - alpha) * safety)
    return d, s, g


@pytest.mark.parametrize("alpha,is_moved", [(1.0, False), (0.5, True)])
def test_at_alpha_1_the_steganalyzer_does_not_reach_the_generator(alpha, is_moved):
    """Whatever the steganalyzer has learned, the generator takes the same step."""
    method = toy.game(alpha=alpha)
    batch = {"cover": np.asarray(toy.pictures(4))}
    state = begun(method, batch["cover"])
    gains = []
    for start in (0.1, 3.0):
        params = {**state.params, "steganalyzer": {"gain": jnp.float32(start)}}
        after, _ = step(method, state._replace(params=params), batch, jax.random.key(1))
        gains.append(float(after.params["generator"]["gain"]))
    assert (gains[0] != gains[1]) is is_moved and gains[0] != 1.0


@pytest.mark.parametrize("player", ["discriminator", "steganalyzer", "deceit"])
def test_a_leaf_can_be_another_function(player):
    """The player whose loss is a constant stands still; a constant deceit adds nothing."""
    constant = {player: lambda first, second: 7.0 + 0.0 * first.reshape(len(first), -1)[:, 0]}
    method = toy.game(contest=generation.WASSERSTEIN._replace(**constant), alpha=0.75)
    batch = {"cover": np.asarray(toy.pictures(4))}
    state = begun(method, batch["cover"])
    after, values = step(method, state, batch, jax.random.key(1))
    still = {
        name
        for name in generation.NAMES
        if float(after.params[name]["gain"]) == float(state.params[name]["gain"])
    }
    assert still == {player} - {"deceit"}
    if player == "deceit":
        assert float(values["loss_safety"]) == 7.0


def test_every_update_has_noise_of_its_own():
    keys = []
    method = toy.game(
        noise=lambda key, count: keys.append(key) or generation.noise(key, count),
        discriminator_updates=2,
    )
    cover = np.asarray(toy.pictures(4))
    state = begun(method, cover)

    def record(state, batch, key):
        keys.clear()
        method.train_step(state, batch, key)
        return jnp.stack([jax.random.key_data(key) for key in keys])[None]

    drawn = np.asarray(
        parallel.over_devices(record)(state, parallel.shard({"cover": cover}), jax.random.key(1))
    )[0, 0]
    assert len({tuple(key) for key in drawn}) == len(drawn) == 4


def test_four_devices_do_what_one_does():
    method = toy.game(penalty=1.0)
    batch = {"cover": np.asarray(toy.pictures(8))}
    state = begun(method, batch["cover"])
    one, four = (step(method, state, batch, jax.random.key(3), devices)[0] for devices in (1, 4))
    for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(four.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert float(one.params["generator"]["gain"]) != 1.0


def test_pictures_are_whole_numbers_and_follow_from_the_noise_alone():
    method = toy.game()
    cover = np.asarray(toy.pictures(8))
    state = begun(method, cover)
    outputs = parallel.gather(
        parallel.over_devices(method.predict)(
            state, parallel.shard({"cover": cover}), jax.random.key(2)
        )
    )
    generated, stegos = outputs["generated"], outputs["generated_stego"]
    for pictures in (generated, stegos):
        assert pictures.shape == cover.shape and (pictures == np.round(pictures)).all()
        assert pictures.min() >= 0 and pictures.max() <= 255
    assert len(np.unique(generated[:, 0, 0], axis=0)) == 8
    assert np.abs(stegos - generated).max() == 1 and 0.1 < np.mean(stegos != generated) < 0.3
    noise = np.linspace(-1, 1, 200, dtype=np.float32).reshape(2, 100)
    found = jax.jit(method.predict)(state, {"noise": noise}, jax.random.key(9))["generated"]
    expected = np.round(127.5 + 40.0 * noise[:, :99].reshape(2, 3, 33).mean(axis=-1))
    np.testing.assert_array_equal(np.asarray(found)[:, 3, 5], expected)
    figures = method.measure({}, outputs)
    score = np.mean(cover, axis=(1, 2, 3)) - np.mean(generated, axis=(1, 2, 3))
    np.testing.assert_allclose(figures["discriminator_gap"], 0.2 * score / 255, rtol=1e-4)
    right = [
        (generated.mean(axis=(1, 2, 3)) < 120) * 0.5 + (stegos.mean(axis=(1, 2, 3)) >= 120) * 0.5
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
        ssgan.from_config({**SECTION, **changes}, steps_per_epoch=1)


@pytest.mark.parametrize("module", [ssgan, sgan])
def test_data_of_another_size_are_refused(module):
    method = module.from_config({**SECTION, "size": 32}, steps_per_epoch=1)
    with pytest.raises(
        InputError, match="makes 32x32 colour pictures and the data are 48x48 with 3 channels"
    ):
        jax.eval_shape(
            method.init, jax.random.key(0), {"cover": np.zeros((1, 48, 48, 3), np.float32)}
        )
