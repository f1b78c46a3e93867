"""Training in pairs: which stegos a step sees, in which order, what learns from them, and devices
that do not matter.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.tree_util import Partial
from support import small_networks, toy
from support.small_networks import differs

from stegojax import embed, losses, parallel, run
from stegojax.costs import dct
from stegojax.domains import JPEG
from stegojax.errors import InputError
from stegojax.methods import steganalyzer, trained
from stegojax.methods.medium import Medium
from stegojax.types import Costs

SGD = optax.sgd(0.05)
MEDIUM = Medium(75)
HILL_RUN = embed.parse_scheme("hill")
SECTION = dict(network="xunet", optimizer=dict(name="sgd", learning_rate=0.05), payload=0.5)


class Probe(nn.Module):
    """Shows its input as logits, times one learned number."""

    @nn.compact
    def __call__(self, planes, *, train):
        return self.param("gain", nn.initializers.ones, ()) * planes.reshape(planes.shape[0], -1)


def make(module=None, *, scheme="hill", optimizer=SGD, **options):
    """A small network against HILL's stegos at .5 bits per pixel."""
    module = small_networks.Steganalyzer() if module is None else module
    scheme = trained.scheme(scheme) if isinstance(scheme, str) else scheme
    options = dict(payload=0.5) | options
    return steganalyzer.make(module, optimizer, steganalyzer.simulator(scheme), **options)


@pytest.fixture(scope="module")
def covers():
    """Four pictures, smooth and noisy, far from 0 and 255."""
    generator = np.random.default_rng(0)
    smooth = generator.uniform(60, 190, (4, 8, 8, 1)).repeat(4, 1).repeat(4, 2)
    return np.round(smooth + generator.normal(0, 4, smooth.shape)).astype(np.float32)


def start(made, batch):
    return jax.tree.map(
        np.asarray,
        jax.jit(made.init)(jax.random.key(0), jax.tree.map(lambda leaf: leaf[:1], batch)),
    )


def over(function, devices=1):
    """A function of state, batch and key, over some devices."""
    compiled = jax.pmap(
        function,
        axis_name=parallel.AXIS,
        in_axes=(None, 0, None),
        out_axes=None,
        devices=jax.local_devices()[:devices],
    )

    def call(state, batch, key):
        share = jax.tree.map(lambda leaf: leaf.reshape((devices, -1) + leaf.shape[1:]), batch)
        return jax.tree.map(np.asarray, compiled(state, share, key))

    return call


@pytest.fixture
def seen():
    """Runs a step of a probe; gives what the step shows it, and the labels."""
    kept = []

    def loss(logits, labels):
        jax.debug.callback(
            lambda *values: kept.append([np.asarray(value) for value in values]), logits, labels
        )
        return 0.0 * logits.mean(axis=-1)

    def step(made, batch, key=1, train_step=None):
        kept.clear()
        over(train_step or made.train_step)(start(made, batch), batch, jax.random.key(key))
        jax.effects_barrier()
        [(planes, labels)] = kept
        return planes.reshape(-1, 2, *batch["cover"].shape[1:]), labels.reshape(-1, 2)

    step.loss = loss
    return step


def lsbm_rate(bpp):
    """The share of pixels that +-1 embedding with equal costs changes: entropy(rate) + rate = bpp,
    by bisection.
    """
    low, high = 0.0, 2 / 3
    for _ in range(60):
        rate = (low + high) / 2
        bits = rate - rate * np.log2(rate) - (1 - rate) * np.log2(1 - rate)
        low, high = (rate, high) if bits < bpp else (low, rate)
    return low


def test_a_step_sees_every_cover_beside_its_stego(seen, covers):
    pairs, labels = seen(make(Probe(), loss=seen.loss), {"cover": covers})
    np.testing.assert_array_equal(pairs[:, 0], covers)
    np.testing.assert_array_equal(labels, [[steganalyzer.COVER, steganalyzer.STEGO]] * 4)
    assert set(np.unique(pairs[:, 1] - pairs[:, 0])) == {-1, 0, 1}


@pytest.mark.parametrize("payload", [0.2, 1.0])
def test_stegos_carry_the_payload(seen, covers, payload):
    """LSB matching changes a share of the pixels that follows from the payload alone, here over
    4096 pixels.
    """
    pairs, _ = seen(
        make(Probe(), loss=seen.loss, scheme="lsbm", payload=payload), {"cover": covers}
    )
    changed = np.mean(pairs[:, 1] != pairs[:, 0])
    rate = lsbm_rate(payload)
    assert changed == pytest.approx(rate, abs=4 * np.sqrt(rate / covers.size))


def test_stegos_are_drawn_anew_in_every_step_and_for_every_picture(seen, covers):
    made = make(Probe(), loss=seen.loss, scheme="lsbm")
    batch = {"cover": np.repeat(covers[:1], 2, axis=0)}
    (one, _), (again, _), (other, _) = (
        seen(made, batch, 1),
        seen(made, batch, 1),
        seen(made, batch, 2),
    )
    np.testing.assert_array_equal(one, again)
    assert (one[:, 1] != other[:, 1]).any() and (one[0, 1] != one[1, 1]).any()


def test_an_adaptive_scheme_changes_what_is_noisy(seen):
    cover = np.full((1, 32, 32, 1), 128, np.float32)
    cover[:, :, 16:] += np.random.default_rng(0).integers(-20, 20, (1, 32, 16, 1))
    pairs, _ = seen(make(Probe(), loss=seen.loss, scheme="hill", payload=0.2), {"cover": cover})
    changed = pairs[:, 1] != pairs[:, 0]
    assert changed[:, :, 20:].sum() > 20 * max(1, changed[:, :, :12].sum())


def test_saturated_pixels_stay_in_range(seen):
    """Of 0 and 255 one change is wet; of a flat saturated picture less can be hidden than asked
    for.
    """
    cover = np.repeat(np.float32([0, 255]), 512).reshape(1, 32, 32, 1)
    for payload in (0.5, 1.5):
        pairs, _ = seen(
            make(Probe(), loss=seen.loss, scheme="lsbm", payload=payload), {"cover": cover}
        )
        assert pairs.min() == 0 and pairs.max() == 255 and np.isfinite(pairs).all()
        assert np.mean(pairs[:, 1] != pairs[:, 0]) > 0.05


def test_ready_made_stegos_are_taken_as_they_are(seen, covers):
    stegos = covers[:, ::-1] + 7.0
    pairs, _ = seen(make(Probe(), loss=seen.loss), {"cover": covers, "stego": stegos})
    np.testing.assert_array_equal(pairs[:, 0], covers)
    np.testing.assert_array_equal(pairs[:, 1], stegos)


def test_of_jpeg_files_networks_see_decompressed_pairs(seen, covers):
    """Of both covers and stegos the picture unrounded; they differ by whole coefficients."""
    scheme = trained.scheme("nsf5", domain=JPEG)
    made = steganalyzer.make(
        Probe(), SGD, steganalyzer.simulator(scheme, MEDIUM), payload=0.4, loss=seen.loss
    )
    pairs, _ = seen(made, {"cover": covers})
    planes = MEDIUM.elements(jnp.asarray(covers))
    np.testing.assert_allclose(pairs[:, 0, ..., 0], MEDIUM.pictures(planes), atol=1e-4)
    difference = pairs[:, 1, ..., 0] - pairs[:, 0, ..., 0]
    moved = dct.along(dct.along(jnp.asarray(difference), dct.BASIS, -2), dct.BASIS, -1)
    moved = np.asarray(moved / dct.repeated(MEDIUM.side[0], planes))
    np.testing.assert_allclose(moved, np.round(moved), atol=1e-3)
    share = abs(np.round(moved)).sum() / np.asarray(MEDIUM.bits(planes, 1.0)).sum()
    assert share == pytest.approx(0.0794, abs=0.03)
    assert (abs(np.asarray(planes) + np.round(moved)) <= abs(np.asarray(planes))).all()
    with pytest.raises(InputError, match="embeds into samples, and coefficients"):
        trained.scheme("run:x", lambda place: trained.Trained({}, None, HILL_RUN), domain=JPEG)


def test_every_stage_of_a_curriculum_has_its_payload(seen, covers):
    made = make(
        Probe(),
        loss=seen.loss,
        scheme="lsbm",
        payload=0.1,
        curriculum=((1.2, 3), (0.5, 2), (0.1, 5)),
    )
    assert [(stage.name, stage.steps) for stage in made.stages] == [
        ("1.2 bpp", 3),
        ("0.5 bpp", 2),
        ("0.1 bpp", 5),
    ]
    for stage, payload in zip(made.stages, (1.2, 0.5, 0.1), strict=True):
        pairs, _ = seen(made, {"cover": covers}, train_step=stage.train_step)
        rate = lsbm_rate(payload)
        assert np.mean(pairs[:, 1] != pairs[:, 0]) == pytest.approx(
            rate, abs=4 * np.sqrt(rate / covers.size)
        )
    state = start(made, {"cover": covers})
    stego = parallel.over_devices(made.predict)(
        state, parallel.shard({"cover": covers}), jax.random.key(0)
    )["stego"]
    assert 0 < np.mean(parallel.gather(stego) != covers) < 0.05  # evaluated at the last


def test_a_curriculum_that_is_not_as_long_as_the_run_is_refused():
    made = make(payload=0.5, curriculum=((1.0, 3), (0.5, 4)))
    with pytest.raises(InputError, match="the stages say how long the run is, and so do steps=8"):
        run.lengths(toy.config(steps=8), made)
    assert run.lengths(toy.config(steps=0), made).steps == 7


def test_every_parameter_learns_and_nothing_else_is_trained(covers):
    made = make()
    before = start(made, {"cover": covers})
    after, values = over(made.train_step)(before, {"cover": covers}, jax.random.key(1))
    assert set(before.params) == {steganalyzer.NAME} and int(after.step) == 1
    for (path, a), b in zip(
        jax.tree.flatten_with_path(before.params)[0], jax.tree.leaves(after.params), strict=True
    ):
        assert (a != b).any(), jax.tree_util.keystr(path)
    assert set(values) == {"loss", "accuracy", "gradient_norm"} and values["gradient_norm"] > 0


def test_the_loss_and_the_accuracy_are_those_of_the_pairs(covers):
    """Written out with the network itself: the mean cross-entropy of covers as 0 and stegos as 1,
    normalised together.
    """
    made, stegos = make(), covers[:, ::-1] + np.float32(3)
    state = start(made, {"cover": covers})
    _, values = over(made.train_step)(state, {"cover": covers, "stego": stegos}, jax.random.key(1))
    network = small_networks.Steganalyzer(axis_name=None)
    variables = {
        "params": state.params[steganalyzer.NAME],
        "batch_stats": state.batch_stats[steganalyzer.NAME],
    }
    logits, _ = jax.jit(lambda x: network.apply(variables, x, train=True, mutable=["batch_stats"]))(
        np.concatenate([covers, stegos])
    )
    logits, labels = np.float64(logits), np.repeat([0, 1], 4)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert float(values["loss"]) == pytest.approx(
        -np.log(chances[np.arange(8), labels]).mean(), rel=1e-5
    )
    assert float(values["accuracy"]) == pytest.approx(np.mean(logits.argmax(axis=1) == labels))


def test_four_devices_give_the_step_of_one(covers):
    made = make()
    batch, results = {"cover": covers}, []
    for devices in (1, 4):
        step, state = over(made.train_step, devices), start(made, batch)
        for index in range(2):
            state, values = step(state, batch, jax.random.key(index))
        results.append((state, values))
    (one, values_one), (four, values_four) = results
    for name in values_one:
        assert float(values_four[name]) == pytest.approx(
            float(values_one[name]), rel=1e-3, abs=1e-5
        ), name
    for (path, a), b in zip(jax.tree.flatten_with_path(one)[0], jax.tree.leaves(four), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5, err_msg=jax.tree_util.keystr(path))


def test_it_learns_what_is_plain_to_see(covers):
    """Stegos that are the covers with checkerboards added: told apart after a few steps, also with
    refreshed statistics.
    """
    made = make(optimizer=optax.adam(3e-2))
    board = 4.0 * ((np.indices((32, 32)).sum(axis=0) % 2) * 2 - 1)
    batch = {"cover": covers, "stego": covers + np.float32(board[None, ..., None])}
    state, step, refresh = start(made, batch), over(made.train_step), over(made.refresh)
    for index in range(25):
        state, values = step(state, batch, jax.random.key(index))
    assert values["accuracy"] == 1.0
    for index in range(40):
        state = refresh(state, batch, jax.random.key(index))
    outputs = made.predict(state, batch, jax.random.key(0))
    np.testing.assert_array_equal(made.measure(batch, outputs)["accuracy"], np.ones(4))


def test_refreshing_changes_the_statistics_alone(covers):
    made = make()
    before = start(made, {"cover": covers})
    after = over(made.refresh)(before, {"cover": covers}, jax.random.key(1))
    for field in ("step", "params", "opt_state"):
        for a, b in zip(
            jax.tree.leaves(getattr(before, field)),
            jax.tree.leaves(getattr(after, field)),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)
    for (path, a), b in zip(
        jax.tree.flatten_with_path(before.batch_stats)[0],
        jax.tree.leaves(after.batch_stats),
        strict=True,
    ):
        assert (a != b).any(), jax.tree_util.keystr(path)
    trained, _ = over(made.train_step)(before, {"cover": covers}, jax.random.key(1))
    for a, b in zip(
        jax.tree.leaves(trained.batch_stats), jax.tree.leaves(after.batch_stats), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_predict_scores_pairs_covers_and_stegos_alone(covers):
    made = make(scheme="lsbm")
    state = start(made, {"cover": covers})

    def predict(state, batch, key):
        return parallel.gather(
            parallel.over_devices(made.predict)(state, parallel.shard(batch), key)
        )

    pair = predict(state, {"cover": covers}, jax.random.key(0))
    assert {name: value.shape for name, value in pair.items()} == {
        "stego": covers.shape,
        "cover_score": (4,),
        "stego_score": (4,),
    }
    assert (
        (0 < pair["stego_score"]).all()
        and (pair["stego_score"] < 1).all()
        and (pair["stego"] != covers).any()
    )
    # As the command does it: without devices' axis.
    alone = jax.jit(made.predict)(state, {"stego": pair["stego"]}, jax.random.key(0))
    assert set(alone) == {"stego_score"}
    np.testing.assert_allclose(alone["stego_score"], pair["stego_score"], rtol=1e-5)
    ready = predict(state, {"cover": covers, "stego": covers}, jax.random.key(0))
    np.testing.assert_array_equal(ready["stego"], covers)
    np.testing.assert_allclose(ready["stego_score"], ready["cover_score"], rtol=1e-5)
    scored = predict(state, {"stego": covers}, jax.random.key(0))
    np.testing.assert_allclose(scored["stego_score"], pair["cover_score"], rtol=1e-5)


def test_accuracy_counts_both_sides():
    scores = {
        "cover_score": jnp.asarray([0.1, 0.1, 0.9, 0.5]),
        "stego_score": jnp.asarray([0.9, 0.1, 0.1, 0.5]),
    }
    np.testing.assert_array_equal(make().measure({}, scores)["accuracy"], [1.0, 0.5, 0.0, 0.5])


def test_the_first_state_may_come_from_stegos_alone(covers):
    left, right = start(make(), {"cover": covers}), start(make(), {"stego": covers})
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "options,message",
    [
        (dict(network="resnet"), "'resnet' is unknown; there are xunet"),
        (dict(scheme="hill-xyz"), "'hill-xyz' is unknown"),
        (dict(colour=True), "method.colour is unknown"),
        (dict(payload=0.0), "payloads are above 0"),
        (dict(payload=1.6), "payloads are above 0"),
        (dict(curriculum=((-0.4, 10), (0.5, 10))), "payloads are above 0"),
        (dict(curriculum=((0.5, 0),)), "at least one step"),
        (dict(curriculum=((0.5, 10), (0.4, 10))), "ends at 0.4 bpp and method.payload is 0.5"),
    ],
)
def test_what_cannot_be_trained_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        steganalyzer.from_config(SECTION | options, steps_per_epoch=1)


def test_a_config_names_a_real_network(covers):
    """The one case with a published network, thin: a step, and a picture too small for it."""
    made = steganalyzer.from_config(SECTION | dict(width=0.25), steps_per_epoch=10)
    before = start(made, {"cover": covers})
    after, values = over(made.train_step)(before, {"cover": covers}, jax.random.key(1))
    assert np.isfinite(values["loss"]) and differs(before.params, after.params)
    with pytest.raises(InputError, match="16x16"):
        start(made, {"cover": np.zeros((1, 8, 8, 1), np.float32)})


def test_what_a_simulator_holds_is_in_the_state_and_stays_put(covers):
    """Stegos of a scheme that another run has learned: its arrays make them, and no step moves
    them.
    """

    def cost(scale, plane):
        return Costs(*[scale * (1 + jnp.abs(plane - 128))] * 2)

    scheme = embed.Scheme("learned", Partial(cost, jnp.float32(2.0)), embed.RECIPES["cmd"])
    made = make(scheme=scheme)
    before = start(made, {"cover": covers})
    assert [float(leaf) for leaf in before.params[steganalyzer.FROZEN]] == [2.0]
    after, _ = over(made.train_step)(before, {"cover": covers}, jax.random.key(1))
    assert not differs(before.params[steganalyzer.FROZEN], after.params[steganalyzer.FROZEN])
    assert differs(before.params[steganalyzer.NAME], after.params[steganalyzer.NAME])
    assert set(after.opt_state) == {steganalyzer.NAME}
    # A cost of nothing changes as much as can be: what the state holds is what is used.
    free = before._replace(params={**before.params, steganalyzer.FROZEN: [np.float32(1e9)]})
    stegos = [
        np.asarray(made.predict(state, {"cover": covers}, jax.random.key(0))["stego"])
        for state in (before, free)
    ]
    assert (stegos[0] != covers).mean() > (stegos[1] != covers).mean()


def test_a_network_begins_from_another_runs(covers):
    other = make().init(jax.random.key(7), {"cover": covers})
    given = other.params[steganalyzer.NAME], other.batch_stats[steganalyzer.NAME]
    begun = start(make(start={steganalyzer.NAME: given}), {"cover": covers})
    assert not differs(begun.params[steganalyzer.NAME], given[0])
    assert differs(start(make(), {"cover": covers}).params, begun.params)


def test_the_loss_may_be_another(covers):
    doubled = make(loss=lambda logits, labels: 2.0 * losses.softmax_cross_entropy(logits, labels))
    batch = {"cover": covers}
    _, one = over(make().train_step)(start(make(), batch), batch, jax.random.key(1))
    _, two = over(doubled.train_step)(start(doubled, batch), batch, jax.random.key(1))
    assert float(two["loss"]) == pytest.approx(2 * float(one["loss"]), rel=1e-5)
