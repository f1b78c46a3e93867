"""Seq2Seq-GAN's networks against their shape plan: counted by hand, computed naively, keyed and
masked as they say.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import numpy_generator as generators
from support import numpy_layers as plain

from stegojax.errors import InputError
from stegojax.models import seq2seq_gan

IDS = jnp.asarray([[1, 7, 5, 9, 2, 0, 0], [1, 4, 2, 0, 0, 0, 0], [1, 4, 5, 6, 7, 8, 2]], jnp.int32)
MASK = IDS != 0
STATES = jax.random.uniform(jax.random.key(0), (3, 2, 256), minval=-1.0, maxval=1.0)
SECRET = jax.random.normal(jax.random.key(1), (3, 64))
PICTURES = plain.picture(0, (3, 64, 64, 3))


def test_parameters():
    lstm, vocabulary = 4 * ((256 + 256) * 256 + 256), 10000
    assert lstm == 525312
    expected = vocabulary * 256 + lstm + 2 * (256 * 256 + 256)
    assert (
        generators.count(seq2seq_gan.SentenceEncoder(vocabulary), IDS, MASK)
        == expected
        == 2560000 + 525312 + 131584
    )
    expected = vocabulary * 256 + lstm + 256 * vocabulary + vocabulary
    assert (
        generators.count(seq2seq_gan.SentenceDecoder(vocabulary), STATES, IDS)
        == expected
        == 2560000 + 525312 + 2570000
    )
    grown = 16 * (256 * 128 + 128 * 64 + 64 * 32) + 2 * (128 + 64 + 32) + 9 * 32 * 3 + 3
    generator = 9 * 8 * 256 + 2 * 256 + 4 * (9 * 256 * 256 + 2 * 256) + grown
    assert generators.count(seq2seq_gan.Generator(), STATES, train=False) == generator == 3069731
    convs = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
    reader = convs + 2 * 960 + 9 * 512 * 32 + 32
    assert generators.count(seq2seq_gan.StateReader(), PICTURES, train=False) == reader == 2904992
    assert generators.count(seq2seq_gan.Discriminator(), PICTURES) == convs + 960 + 8193 == 2764737
    plane = seq2seq_gan.Generator(keyed="plane")
    assert generators.count(plane, STATES, SECRET, train=False) == generator + 9 * 256
    key_network = 64 * 128 + 128 + 128 * 128 + 128
    for network, x, count, channels in (
        (seq2seq_gan.Generator, STATES, generator, 5 * 256 + 128 + 64 + 32),
        (seq2seq_gan.StateReader, PICTURES, reader, 960),
    ):
        expected = count + key_network + 129 * 2 * channels
        assert generators.count(network(keyed="modulation"), x, SECRET, train=False) == expected


def outputs(network, *inputs, **options):
    run = jax.eval_shape(
        lambda: network.init_with_output(
            jax.random.key(0),
            *inputs,
            capture_intermediates=lambda module, _: len(module.path) < 2,
            mutable=True,
            **options,
        )[1]
    )
    return {
        name: value["__call__"][0].shape
        for name, value in run["intermediates"].items()
        if name != "__call__"
    }


def test_shapes():
    found = outputs(seq2seq_gan.Generator(), STATES, train=False)
    assert {found[name] for name in found if name.startswith(("conv", "norm", "block"))} == {
        (3, 8, 8, 256)
    }
    # Of the transposed convolutions each position is a block of 2x2 pixels.
    grown = [(3, 8, 8, 4 * 128), (3, 16, 16, 4 * 64), (3, 32, 32, 4 * 32), (3, 64, 64, 3)]
    assert [found[name] for name in ("up1", "up2", "up3", "output")] == grown
    sizes = [(3, 32, 32, 64), (3, 16, 16, 128), (3, 8, 8, 256), (3, 4, 4, 512)]
    found = outputs(seq2seq_gan.StateReader(), PICTURES, train=False)
    assert [found[f"conv{i}"] for i in range(1, 5)] == sizes and found["output"] == (3, 4, 4, 32)
    found = outputs(seq2seq_gan.Discriminator(), PICTURES)
    assert [found[f"conv{i}"] for i in range(1, 5)] == sizes and found["full"] == (3, 1)
    logits = jax.eval_shape(
        lambda: seq2seq_gan.SentenceDecoder(11).init_with_output(jax.random.key(0), STATES, IDS)[0]
    )
    assert logits.shape == (3, 7, 11)


def embedded(params, ids):
    return np.asarray(params["embedding"]["embedding"], np.float64)[np.asarray(ids)]


@pytest.fixture(scope="module")
def encoder():
    network = seq2seq_gan.SentenceEncoder(10)
    return network, generators.draw(network, IDS, MASK)


@pytest.fixture(scope="module")
def decoder():
    network = seq2seq_gan.SentenceDecoder(10)
    return network, generators.draw(network, STATES, IDS, seed=1)


def test_the_sentence_encoder_reads_word_by_word(encoder):
    network, variables = encoder
    params = variables["params"]
    actual = jax.jit(network.apply)(variables, IDS, MASK)
    for row, ids in enumerate(np.asarray(IDS)):
        cell, output = np.zeros(256), np.zeros(256)
        for x in embedded(params, ids[ids != 0]):
            cell, output = generators.lstm_step(params["lstm"], cell, output, x)
        expected = np.tanh(
            [plain.dense(output, params["output"]), plain.dense(cell, params["cell"])]
        )
        assert np.abs(expected).mean() > 0.01 and np.abs(expected[0] - expected[1]).mean() > 0.01
        np.testing.assert_allclose(actual[row], expected, atol=1e-5)


def test_padding_never_changes_what_is_read(encoder):
    network, variables = encoder
    apply = jax.jit(network.apply)
    expected = apply(variables, IDS, MASK)
    np.testing.assert_array_equal(apply(variables, jnp.where(MASK, IDS, 6), MASK), expected)
    longer = (jnp.pad(IDS, ((0, 0), (0, 5)), constant_values=3), jnp.pad(MASK, ((0, 0), (0, 5))))
    np.testing.assert_allclose(apply(variables, *longer), expected, atol=1e-6)
    assert not np.allclose(
        apply(variables, jnp.where(MASK, IDS, 6), jnp.ones_like(MASK))[:2], expected[:2], atol=1e-3
    )
    gradient = jax.grad(lambda params: apply({"params": params}, IDS, MASK).sum())(
        variables["params"]
    )
    used = np.abs(gradient["embedding"]["embedding"]).max(axis=1) > 0
    assert used.tolist() == [number in IDS[MASK] for number in range(10)]


def test_the_sentence_decoder_writes_word_by_word(decoder):
    network, variables = decoder
    params = variables["params"]
    actual = jax.jit(network.apply)(variables, STATES, IDS)
    for row, ids in enumerate(np.asarray(IDS)):
        output, cell = np.asarray(STATES[row], np.float64)
        for place, x in enumerate(embedded(params, ids)):
            cell, output = generators.lstm_step(params["lstm"], cell, output, x)
            np.testing.assert_allclose(
                actual[row, place], plain.dense(output, params["words"]), atol=1e-4
            )


def test_a_word_is_predicted_from_those_before_it(decoder):
    network, variables = decoder
    first = jax.jit(network.apply)(variables, STATES, IDS)
    later = jax.jit(network.apply)(variables, STATES, IDS.at[:, 4:].set(3))
    np.testing.assert_allclose(first[:, :4], later[:, :4], atol=1e-6)
    assert not np.allclose(first[:, 4:], later[:, 4:], atol=1e-3)


def test_sentences_are_written_by_taking_the_likeliest_word(decoder):
    network, variables = decoder
    params = variables["params"]
    # So that sentences end at different places.
    bias = np.array([9.0, 9.0, 0.12] + [0.0] * 7, np.float32)
    variables = {"params": {**params, "words": {**params["words"], "bias": bias}}}
    rows = jax.jit(
        lambda states: seq2seq_gan.write_sentences(network, variables, states, length=12)
    )(STATES)
    assert rows.shape == (3, 12) and rows.dtype == jnp.int32
    for row, state in zip(np.asarray(rows), np.asarray(STATES, np.float64), strict=True):
        output, cell = state
        expected = [1]
        while len(expected) < 12 and expected[-1] != 2:
            cell, output = generators.lstm_step(
                params["lstm"], cell, output, embedded(params, expected[-1])
            )
            logits = plain.dense(output, variables["params"]["words"])
            expected.append(2 + int(np.argmax(logits[2:])))
        assert row.tolist() == expected + [0] * (12 - len(expected))
    ends = [row.index(2) if 2 in row else 12 for row in rows.tolist()]
    assert len(set(ends)) > 1 and min(ends) < 11


def styled(x, params, stats, secret):
    """Batch normalisation, then a key's scale and shift."""
    x = plain.normalise(x, params["norm"], stats["norm"])
    if secret is None:
        return x
    scale, shift = np.split(plain.dense(secret, params["style"])[:, None, None], 2, axis=-1)
    return x * (1 + scale) + shift


def style_of(params, secret):
    x = np.asarray(secret, np.float64)
    for name in ("full1", "full2"):
        x = generators.leaky_relu(plain.dense(x, params["key"][name]))
    return x


@pytest.mark.parametrize("keyed", seq2seq_gan.KEYED)
def test_the_generator_computes_the_plan(keyed):
    network = seq2seq_gan.Generator(width=1 / 16, keyed=keyed)
    inputs = (STATES,) if keyed == "none" else (STATES, SECRET)
    variables = generators.draw(
        network, *inputs, gain=1.0 if keyed == "modulation" else 1.5, train=False
    )
    params, stats = variables["params"], variables["batch_stats"]
    secret = style_of(params, SECRET) if keyed == "modulation" else None
    x = np.asarray(STATES, np.float64).reshape(3, 8, 8, 8)
    if keyed == "plane":
        x = np.concatenate([x, np.asarray(SECRET).reshape(3, 8, 8, 1)], axis=-1)

    def norm(x, name):
        return styled(x, params[name], stats[name], secret)

    x = plain.relu(norm(plain.convolve(x, params["conv"]), "norm"))
    for block in ("block1", "block2"):
        y = plain.relu(norm(plain.convolve(x, params[f"{block}_conv1"]), f"{block}_norm1"))
        x = x + norm(plain.convolve(y, params[f"{block}_conv2"]), f"{block}_norm2")
    for i in (1, 2, 3):
        x = plain.relu(norm(generators.transposed_convolve(x, params[f"up{i}"]), f"up{i}_norm"))
    expected = (np.tanh(plain.convolve(x, params["output"])) + 1) * 127.5
    actual = np.asarray(
        jax.jit(lambda *inputs: network.apply(variables, *inputs, train=False))(*inputs)
    )
    assert np.ptp(expected, axis=0).max() > 20 and 0 <= actual.min() < actual.max() <= 255
    np.testing.assert_allclose(actual, expected, atol=5e-3)


@pytest.mark.parametrize("keyed", ["none", "modulation"])
def test_the_state_reader_computes_the_plan(keyed):
    network = seq2seq_gan.StateReader(width=1 / 16, keyed=keyed)
    inputs = (PICTURES,) if keyed == "none" else (PICTURES, SECRET)
    variables = generators.draw(network, *inputs, train=False)
    params, stats = variables["params"], variables["batch_stats"]
    secret = style_of(params, SECRET) if keyed == "modulation" else None
    x = np.asarray(PICTURES, np.float64) / 127.5 - 1
    for i in range(1, 5):
        x = plain.convolve(x, params[f"conv{i}"], stride=2)
        x = generators.leaky_relu(styled(x, params[f"norm{i}"], stats[f"norm{i}"], secret))
    expected = np.tanh(plain.convolve(x, params["output"])).reshape(3, 2, 256)
    assert np.ptp(expected, axis=0).max() > 0.1
    actual = jax.jit(lambda *inputs: network.apply(variables, *inputs, train=False))(*inputs)
    np.testing.assert_allclose(actual, expected, atol=1e-4)


def test_the_discriminator_computes_the_plan():
    network = seq2seq_gan.Discriminator(width=1 / 16)
    variables = generators.draw(network, PICTURES)
    x = np.asarray(PICTURES, np.float64) / 127.5 - 1
    for i in range(1, 5):
        x = generators.leaky_relu(plain.convolve(x, variables["params"][f"conv{i}"], stride=2))
    expected = plain.dense(x.reshape(3, -1), variables["params"]["full"])[:, 0]
    np.testing.assert_allclose(
        jax.jit(network.apply)(variables, PICTURES), expected, atol=np.ptp(expected) / 1000
    )


def test_at_the_start_a_modulating_key_counts_as_much_as_a_sentence():
    network = seq2seq_gan.Generator(width=1 / 16, keyed="modulation")

    @jax.jit
    def pictures(key, states, secrets):
        variables = network.init(key, states, secrets, train=False)
        return network.apply(variables, states, secrets, train=True, mutable="batch_stats")[0]

    secrets = jax.random.normal(jax.random.key(5), (16, 64))
    states = jax.random.uniform(jax.random.key(6), (16, 2, 256), minval=-1.0, maxval=1.0)
    both = pictures(
        jax.random.key(0),
        jnp.concatenate([states[:1].repeat(16, axis=0), states]),
        jnp.concatenate([secrets, secrets[:1].repeat(16, axis=0)]),
    )
    by_key, by_sentence = (
        float(jnp.abs(part[1:] - part[:-1]).mean()) for part in (both[:16], both[16:])
    )
    assert 0.6 < by_key / by_sentence < 1.6 and by_key > 10


def test_a_scrambled_state_comes_back_with_its_key_alone():
    change, other = (
        jax.vmap(seq2seq_gan.random_scramble)(jax.random.split(jax.random.key(seed), 3))
        for seed in (0, 1)
    )
    hidden = seq2seq_gan.scramble(STATES, change)
    flat = np.asarray(STATES).reshape(3, 512)
    for row in range(3):
        assert sorted(change.order[row].tolist()) == list(range(512)) and set(
            change.signs[row].tolist()
        ) == {-1.0, 1.0}
        np.testing.assert_array_equal(
            hidden[row].reshape(512), flat[row][np.asarray(change.order[row])] * change.signs[row]
        )
    np.testing.assert_array_equal(seq2seq_gan.unscramble(hidden, change), STATES)
    wrong = seq2seq_gan.unscramble(hidden, other)
    assert abs(np.corrcoef(np.ravel(wrong), np.ravel(STATES))[0, 1]) < 0.1
    signs = seq2seq_gan.unscramble(hidden, seq2seq_gan.Scramble(change.order, -change.signs))
    np.testing.assert_array_equal(signs, -STATES)


def test_statistics_are_averaged_over_devices():
    states = jax.random.uniform(jax.random.key(2), (4, 2, 256), minval=-1.0, maxval=1.0)
    plain.assert_statistics_are_averaged(
        lambda axis: seq2seq_gan.Generator(1 / 64, axis), states, atol=0.05
    )
    plain.assert_statistics_are_averaged(
        lambda axis: seq2seq_gan.StateReader(1 / 64, axis), plain.picture(1, (4, 64, 64, 3))
    )


def test_gradients_are_finite_at_the_corners(encoder, decoder):
    corners = jnp.stack([jnp.zeros((64, 64, 3)), jnp.full((64, 64, 3), 255.0), PICTURES[0]])
    for network, inputs in (
        (seq2seq_gan.Generator(1 / 64, keyed="modulation"), (STATES, SECRET)),
        (seq2seq_gan.Generator(1 / 64, keyed="plane"), (0 * STATES, 0 * SECRET)),
        (seq2seq_gan.StateReader(1 / 64, keyed="modulation"), (corners, SECRET)),
        (seq2seq_gan.StateReader(1 / 64), (0 * corners,)),
    ):
        variables = generators.draw(network, *inputs, train=True)
        _, by_inputs = generators.assert_gradients_are_finite(
            network, variables, inputs, train=True
        )
        assert np.ptp(inputs[0]) == 0 or all(np.abs(leaf).max() > 0 for leaf in by_inputs)
    network = seq2seq_gan.Discriminator(1 / 64)
    generators.assert_gradients_are_finite(network, generators.draw(network, corners), (corners,))
    gradient = jax.jit(jax.grad(lambda variables: encoder[0].apply(variables, IDS, MASK).sum()))(
        encoder[1]
    )
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    gradient = jax.jit(jax.grad(lambda states: decoder[0].apply(decoder[1], states, IDS).sum()))(
        STATES
    )
    assert np.isfinite(gradient).all() and np.abs(gradient).max(axis=(0, 2)).min() > 0


@pytest.mark.parametrize("state,size", [(128, 32), (512, 128), (96, 16)])
def test_states_and_pictures_of_other_sizes(state, size):
    states = jnp.zeros((2, 2, state))
    generator = seq2seq_gan.Generator(1 / 64, size=size)
    reader = seq2seq_gan.StateReader(1 / 64, size=size, state=state)

    def shapes():
        pictures, _ = generator.init_with_output(jax.random.key(0), states, train=False)
        read, _ = reader.init_with_output(jax.random.key(0), pictures, train=False)
        words, _ = seq2seq_gan.SentenceDecoder(9, state).init_with_output(
            jax.random.key(0), read, IDS[:2]
        )
        judged, _ = seq2seq_gan.Discriminator(1 / 64, size).init_with_output(
            jax.random.key(0), pictures
        )
        return pictures, read, words, judged

    found = [each.shape for each in jax.eval_shape(shapes)]
    assert found == [(2, size, size, 3), (2, 2, state), (2, IDS.shape[1], 9), (2,)]


@pytest.mark.parametrize(
    "state,size,message",
    [(100, 64, "method.state=100 must be a multiple of 32"), (256, 48, "one of 16, 32, 64")]
    + [(256, 100, "method.size=100"), (32, 256, "into the 64 numbers of a state")],
)
def test_sizes_that_do_not_go_together_are_refused(state, size, message):
    with pytest.raises(InputError, match=message):
        seq2seq_gan.check_sizes(state, size)


def test_what_cannot_be_used_is_refused():
    def init(network, *inputs, **options):
        return jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, **options))

    with pytest.raises(ValueError, match=r"integers \[B, T\] are needed, float32"):
        init(seq2seq_gan.SentenceEncoder(9), IDS.astype(jnp.float32), MASK)
    with pytest.raises(ValueError, match=r"a mask \(3, 7\) is needed, \(3, 6\)"):
        init(seq2seq_gan.SentenceEncoder(9), IDS, MASK[:, 1:])
    with pytest.raises(ValueError, match=r"\[B, 2, 256\], float32 \(3, 256\)"):
        init(seq2seq_gan.SentenceDecoder(9), STATES[:, 0], IDS)
    with pytest.raises(ValueError, match="at least 2 is needed, 1 was given"):
        seq2seq_gan.write_sentences(seq2seq_gan.SentenceDecoder(9), {}, STATES, length=1)
    for network in (seq2seq_gan.Discriminator(), seq2seq_gan.StateReader()):
        options = {"train": False} if isinstance(network, seq2seq_gan.StateReader) else {}
        with pytest.raises(
            ValueError, match=r"\[B, 64, 64, 3\] in 0..255, float32 \(3, 32, 64, 3\)"
        ):
            init(network, PICTURES[:, :32], **options)
    for network, x in ((seq2seq_gan.Generator, STATES), (seq2seq_gan.StateReader, PICTURES)):
        with pytest.raises(ValueError, match="keyed must be one of none, .*'style' was given"):
            init(network(keyed="style"), x, SECRET, train=False)
        with pytest.raises(ValueError, match="keyed = 'none' goes without a secret key"):
            init(network(), x, SECRET, train=False)
        with pytest.raises(ValueError, match="keyed = 'modulation' goes with a secret key"):
            init(network(keyed="modulation"), x, train=False)
        with pytest.raises(ValueError, match=r"array \[3, 64\], float32 \(3, 63\) was given"):
            init(network(keyed="modulation"), x, SECRET[:, 1:], train=False)
    with pytest.raises(
        ValueError, match="keyed must be one of none, modulation, 'plane' was given"
    ):
        init(seq2seq_gan.StateReader(keyed="plane"), PICTURES, SECRET, train=False)
    single = seq2seq_gan.random_scramble(jax.random.key(0))
    for function in (seq2seq_gan.scramble, seq2seq_gan.unscramble):
        with pytest.raises(ValueError, match=r"order and signs \(3, 512\) are needed, \(512,\)"):
            function(STATES, single)
