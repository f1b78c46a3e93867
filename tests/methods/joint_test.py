"""What the systems that hide bits are trained by: the loss, who descends what, the warm-up, the
order, and devices.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.hiding_bits import (
    JOINT,
    SECTION,
    Layer,
    Means,
    assert_near,
    begin,
    covers,
    make,
    over,
    run_steps,
    same,
    system,
)

from stegojax import losses, parallel
from stegojax.errors import InputError
from stegojax.methods import bit_hiding, joint, network

BITS = np.random.default_rng(5).integers(0, 2, (4, 8, 8, 1)).astype(np.float32)


@pytest.fixture
def known_message(monkeypatch):
    monkeypatch.setattr(bit_hiding, "draw", lambda key, cover, shape: jnp.asarray(BITS))


def reference(state, cover, *, share=1.0, steganalyzer=None, weight=2.0):
    """The loss of encoder and decoder, written down anew, as a function of their parameters."""

    def loss(params):
        apply = functools.partial(network.apply_training, key=None)
        output, _ = apply(
            Layer(1), params["encoder"], state.batch_stats["encoder"], cover, jnp.asarray(BITS)
        )
        stego = cover + 3.0 * output
        logits, _ = apply(Layer(1), params["decoder"], state.batch_stats["decoder"], stego)
        sure = jax.nn.sigmoid(logits)
        message = -jnp.mean(BITS * jnp.log(sure) + (1 - BITS) * jnp.log(1 - sure))
        scores = Means().apply(
            {"params": steganalyzer or state.params["steganalyzer"]}, stego, train=True
        )
        deceit = -jnp.mean(jnp.log(jax.nn.sigmoid(scores)))
        squares = jnp.mean((cover - stego) ** 2)
        return 10.0 * message + 0.5 * share * squares + weight * deceit, (message, deceit)

    return loss


def one_device(function, *arguments):
    return jax.pmap(
        lambda unused: function(*arguments),
        axis_name=parallel.AXIS,
        devices=jax.local_devices()[:1],
    )(np.zeros(1))


def descended(loss, coders, rate=0.01):
    gradients = jax.tree.map(
        lambda leaf: np.asarray(leaf[0]), one_device(jax.grad(loss, has_aux=True), coders)[0]
    )
    return jax.tree.map(lambda value, gradient: value - rate * gradient, coders, gradients)


def test_the_loss_is_the_weighted_sum_and_encoder_and_decoder_descend_it(known_message):
    made, batch = make(lengths=JOINT), covers()
    start = begin(made, batch)
    state, values = run_steps(made, batch, 1, state=start)
    coders = {name: start.params[name] for name in ("encoder", "decoder")}
    loss = reference(start, batch["cover"])
    total, (message, deceit) = one_device(loss, coders)
    assert float(values["loss"]) == pytest.approx(float(total[0]), rel=1e-4)
    assert float(values["message_loss"]) == pytest.approx(float(message[0]), rel=1e-4)
    assert float(values["steganalyzer_deceit"]) == pytest.approx(float(deceit[0]), rel=1e-4)
    assert_near(
        {name: state.params[name] for name in coders}, descended(loss, coders), rtol=1e-3, atol=1e-5
    )
    assert not np.allclose(
        state.params["encoder"]["Dense_0"]["kernel"],
        start.params["encoder"]["Dense_0"]["kernel"],
        atol=1e-4,
    )


@pytest.mark.parametrize(
    "step,share", [(0, 0.1), (1, 0.1**0.75), (3, 0.1**0.25), (4, 1.0), (9, 1.0)]
)
def test_the_covers_weight_rises_through_the_warm_up(known_message, step, share):
    made, batch = make(first_cover_weight=0.1), covers()
    start = begin(made, batch)._replace(step=np.int32(step))
    _, values = run_steps(made, batch, 1, state=start)
    total, _ = one_device(
        reference(start, batch["cover"], share=share),
        {n: start.params[n] for n in ("encoder", "decoder")},
    )
    assert float(values["loss"]) == pytest.approx(float(total[0]), rel=1e-4)


def steganalyzer_stepped(start, cover, rate):
    """The steganalyzer after one step on these stegos, written down anew."""
    output = one_device(
        lambda: network.apply_training(
            Layer(1),
            start.params["encoder"],
            start.batch_stats["encoder"],
            cover,
            jnp.asarray(BITS),
        )[0]
    )[0]

    def loss(params):
        real, fake = (
            Means().apply({"params": params}, x, train=True) for x in (cover, cover + 3.0 * output)
        )
        return -jnp.mean(jnp.log(jax.nn.sigmoid(real))) - jnp.mean(
            jnp.log(1 - jax.nn.sigmoid(fake))
        )

    return jax.tree.map(
        lambda value, gradient: value - rate * gradient,
        start.params["steganalyzer"],
        jax.grad(loss)(start.params["steganalyzer"]),
    )


@pytest.mark.parametrize("first", [False, True])
def test_steganalyzers_descend_their_own_loss_before_or_after(known_message, first):
    """Where they go first, encoder and decoder face the new one; either way it sees the same
    stegos.
    """
    # A long step, after which it pushes elsewhere, and pushes much.
    rate, weight = 100.0, 200.0
    made = make(
        system(
            steganalyzers={"steganalyzer": joint.classifier(Means(), weight)},
            steganalyzers_first=first,
        ),
        steganalyzer_optimizer=optax.sgd(rate),
        lengths=JOINT,
    )
    batch = covers()
    start = begin(made, batch)
    state, _ = run_steps(made, batch, 1, state=start)
    stepped = steganalyzer_stepped(start, batch["cover"], rate)
    assert_near(state.params["steganalyzer"], stepped, rtol=1e-3, atol=1e-5)
    coders = {name: start.params[name] for name in ("encoder", "decoder")}
    new, old = (
        descended(reference(start, batch["cover"], steganalyzer=faced, weight=weight), coders)[
            "encoder"
        ]
        for faced in (stepped, start.params["steganalyzer"])
    )
    expected, other = (new, old) if first else (old, new)
    assert_near(state.params["encoder"], expected, rtol=1e-3, atol=1e-5)
    assert np.abs(expected["Dense_0"]["kernel"] - other["Dense_0"]["kernel"]).max() > 1e-4


def test_without_steganalyzers_only_the_coders_are_there():
    state, values = run_steps(make(system(steganalyzers={})), covers(), 1)
    assert set(state.params) == {"encoder", "decoder"} and "steganalyzer_loss" not in values


def test_a_steganalyzer_may_see_messages(known_message):
    shapes = []

    def messages(cover, stego, message, output):
        shapes.append((message.shape, output.shape))
        return 255.0 * message, 255.0 * jax.nn.sigmoid(output)

    steganalyzer = joint.classifier(Means(), 1.0)._replace(sees=messages)
    changed = system(steganalyzers={"message_steganalyzer": steganalyzer})
    start = begin(made := make(changed), covers())
    state, values = run_steps(made, covers(), 1, state=start)
    name = "message_steganalyzer"
    assert not same(state.params[name], start.params[name])
    assert np.isfinite(values["message_steganalyzer_deceit"])
    assert set(shapes) == {((4, 8, 8, 1), (4, 8, 8, 1)), ((1, 8, 8, 1), (1, 8, 8, 1))}


def test_a_contrast_is_added():
    _, plain = run_steps(make(lengths=JOINT), covers(), 1)
    _, more = run_steps(
        make(system(contrast=lambda x, y: 7.0 + 0.0 * x[:, 0, 0, 0]), lengths=JOINT), covers(), 1
    )
    assert float(more["loss"] - plain["loss"]) == pytest.approx(7.0, rel=1e-4)


@pytest.mark.parametrize("stage", [1, 2])
def test_four_devices_give_the_step_of_one(stage):
    made, batch = make(), covers()
    start = made.stages[stage].begin(begin(made, batch), jax.random.key(0))
    one, values_one = run_steps(made, batch, 2, state=start, stage=stage)
    four, values_four = run_steps(made, batch, 2, state=start, stage=stage, devices=4)
    for name in values_one:
        assert float(values_four[name]) == pytest.approx(
            float(values_one[name]), rel=1e-3, abs=1e-5
        ), name
    assert_near(
        (one.params, one.batch_stats), (four.params, four.batch_stats), rtol=1e-3, atol=1e-5
    )


def test_messages_differ_by_step_and_example_and_are_fair():
    def drawn(state, batch, key):
        return jax.lax.all_gather(
            bit_hiding.draw(key, batch["cover"], bit_hiding.MessageShape(1, 1)), parallel.AXIS
        )

    step, batch = over(drawn, 2), covers(size=32)
    first, second = (step(0, batch, jax.random.key(index)).reshape(4, -1) for index in range(2))
    assert set(np.unique(first)) == {0.0, 1.0} and abs(first.mean() - 0.5) < 0.05
    assert (first != second).mean() > 0.4 and all(
        (first[0] != first[i]).mean() > 0.4 for i in (1, 2, 3)
    )


def test_rounding_in_joint_training(known_message):
    """What the decoder is given: the stego, its rounded values, or within half a grey level of the
    stego.
    """
    given = {}

    def noise(key, stego, cover, read):
        jax.debug.callback(lambda stego: given.update(stego=np.asarray(stego)), stego)
        return read(stego)

    for name, rounding in joint.ROUNDINGS.items():
        run_steps(make(rounding=rounding, noise=noise, lengths=JOINT), covers(), 1)
        jax.effects_barrier()
        given[name] = given.pop("stego")
    assert np.any(given["none"] != np.round(given["none"]))
    np.testing.assert_allclose(given["straight_through"], np.round(np.clip(given["none"], 0, 255)))
    off = np.abs(given["noise"] - np.clip(given["none"], 0, 255))
    assert 0.1 < off.max() <= 0.5 + 1e-4 and len(np.unique(off)) > 100


def test_a_configs_noise_lies_between_encoder_and_decoder():
    """As a constant that the encoder cannot reach: resizing to one pixel."""
    training = named(noise=("resize:0.125",), stage_lengths=(0, 6, 0), cover_weight=0.0)
    method, batch = joint.make(system(steganalyzers={}), training), covers()
    start = begin(method, batch)
    _, values = run_steps(method, batch, 1, state=start)
    plain = joint.make(system(steganalyzers={}), named(stage_lengths=(0, 6, 0), cover_weight=0.0))
    _, without = run_steps(plain, batch, 1, state=start)
    assert values["message_loss"] != without["message_loss"]
    with pytest.raises(InputError, match="after 'crop:0.5' a picture is smaller"):
        named(noise=("crop:0.5",))


def test_the_stages_are_those_with_a_length():
    assert [(stage.name, stage.steps) for stage in make().stages] == [
        ("warm_up", 4),
        ("joint", 6),
        ("separable", 5),
    ]
    made = make(lengths=joint.Lengths(0, 30, 5), joint_choice="accuracy_rounded")
    assert [(stage.name, stage.steps, stage.choice) for stage in made.stages] == [
        ("joint", 30, ""),
        ("separable", 5, "accuracy_rounded"),
    ]


def test_refreshing_changes_the_statistics_of_those_who_learn_alone():
    made, batch = make(), covers()
    start = begin(made, batch)
    fresh = over(made.refresh)(start, batch, jax.random.key(0))
    assert same(fresh.params, start.params) and int(fresh.step) == 0
    assert not same(fresh.batch_stats["encoder"], start.batch_stats["encoder"])
    assert not same(fresh.batch_stats["decoder"], start.batch_stats["decoder"])
    second = made.stages[2].begin(fresh, jax.random.key(0))
    again = over(made.refresh)(second, batch, jax.random.key(0))
    assert not same(again.batch_stats["image_decoder"], second.batch_stats["image_decoder"])
    for name in ("encoder", "decoder", "steganalyzer"):
        assert same(again.batch_stats[name], fresh.batch_stats[name])


def test_measure_counts_right_bits_by_hand():
    message = np.asarray([[1, 0, 1, 1], [0, 0, 1, 0]], np.float32).reshape(2, 2, 2, 1)
    logits = np.asarray([[2, -1, 3, -1], [-2, -1, 1, -3]], np.float32).reshape(2, 2, 2, 1)
    cover = np.full((2, 16, 16, 1), 100, np.float32)
    outputs = {
        "message": message,
        "logits": logits,
        "rounded_logits": -logits,
        "unrounded_logits": np.abs(logits),
        "stego": cover + 1.0,
    }
    figures = bit_hiding.measure({"cover": cover}, outputs)
    np.testing.assert_allclose(figures["accuracy"], [0.75, 1.0])
    np.testing.assert_allclose(figures["accuracy_rounded"], [0.25, 0.0])
    np.testing.assert_allclose(figures["accuracy_unrounded"], [0.75, 0.25])
    np.testing.assert_allclose(figures["stego_psnr"], 20 * np.log10(255), rtol=1e-5)


def test_the_losses_on_covers_are_on_the_papers_scales():
    cover = np.zeros((1, 2, 2, 1), np.float32)
    stego = np.asarray([3.0, 0, 0, -1], np.float32).reshape(1, 2, 2, 1)
    assert float(joint.squared_error(1.0)(cover, stego)[0]) == pytest.approx(10 / 4)
    assert float(joint.squared_error(127.5)(cover, stego)[0]) == pytest.approx(10 / 4 / 127.5**2)
    assert float(joint.absolute_error(127.5)(cover, stego)[0]) == pytest.approx(1 / 127.5)


def test_logits_of_probabilities():
    given = np.asarray([-1.0, 0.0, 0.25, 0.5, 0.75, 1.0, 2.0], np.float32)
    most = np.log(999)
    np.testing.assert_allclose(
        joint.logits_of(given),
        [-most, -most, -np.log(3), 0, np.log(3), most, most],
        rtol=1e-4,
        atol=1e-6,
    )


def named(**options):
    return joint.training(joint.Fields(**{**SECTION, **options}), steps_per_epoch=10)


def test_a_training_as_a_config_names_it():
    training = named(stage_lengths=(0, 3, 0.5), stage_unit="epochs", rounding="noise")
    assert training.lengths == (0, 30, 5) and training.rounding is joint.ROUNDINGS["noise"]
    assert named(stage_lengths=(2.0, 1, 0)).lengths == (2, 1, 0)


@pytest.mark.parametrize(
    "options,message",
    [
        (
            dict(rounding="up"),
            "method.rounding 'up' is unknown; there are none, straight_through, noise",
        ),
        (dict(stage_lengths=(1, 2)), "needs 3 numbers"),
        (dict(stage_lengths=(1, 0, 2)), "needs 3 numbers"),
        (dict(stage_lengths=(-1, 2, 2)), "needs 3 numbers"),
        (dict(stage_unit="hours"), "'hours' is unknown; there are steps, epochs"),
    ],
)
def test_names_and_lengths_that_cannot_be_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        named(**options)


@pytest.mark.parametrize(
    "options,message",
    [
        (dict(message_weight=-1.0), "must not be negative"),
        (dict(first_cover_weight=0.0), "at most 1; got 10, 0.5, 2, 0$"),
        (dict(first_cover_weight=1.5), "must not be negative"),
        (dict(lengths=joint.Lengths(1, 0, 2)), "the joint one not less than 1"),
        (
            dict(lengths=joint.Lengths(1, 2, 0), joint_choice="accuracy"),
            "joint_choice='accuracy' chooses what the separable stage",
        ),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        make(**options)


@pytest.mark.parametrize("channels,wanted", [(1, "False"), (3, "True")])
def test_pictures_of_the_wrong_colour_are_refused(channels, wanted):
    changed = system(shape=bit_hiding.MessageShape(channels, 1), steganalyzers={})
    with pytest.raises(InputError, match=f"set data.colour={wanted}"):
        jax.eval_shape(make(changed).init, jax.random.key(0), covers(channels=4 - channels))


def test_the_message_loss_of_a_decoder_is_the_systems():
    """A system with another loss descends that one."""
    changed = system(
        message_loss=lambda output, message: losses.squared_bit_error(output, message - 0.5)
    )
    _, values = run_steps(make(changed), covers(), 1)
    _, usual = run_steps(make(), covers(), 1)
    assert float(values["message_loss"]) != float(usual["message_loss"])
