"""The networks of Seq2Seq-GAN: a sentence becomes a picture of 64x64 pixels, and the picture the
sentence again.

Sender: an LSTM reads the sentence into a *state* of two vectors, which a generator makes a picture
of. Receiver: a second convolutional network reads the state from the picture, and a second LSTM
writes the sentence. A discriminator tells the pictures from photographs. ("Generative image
steganography based on Seq2Seq and GAN", 25th Meeting on Image Recognition and Understanding; layers
that the text leaves open are marked in the classes.)

A secret key can take part in three ways, for a method to choose from:

* "plane", the paper's own (Section 5): the key is one more channel of what the generator reads. The
  receiver does without it, and pictures of one sentence under different keys hardly differ.
* "modulation": a key network gives a scale and a shift for every channel after every batch
  normalisation, of the generator and of the receiver's network, as styles do in StyleGAN2 and
  labels in conditional batch normalisation.
* `scramble` and `unscramble`, outside the networks: the key permutes the state's numbers and turns
  their signs. Pictures of one sentence under two keys then differ as those of two sentences do, and
  under a wrong key the state is noise.

Rows of word numbers are int32 `[B, T]` (`data.tokenizer`), states float32 `[B, 2, S]` in (-1, 1),
S = 256 in the paper, keys float32 `[B, 64]`, usually standard normal. Pictures are `[B, H, H, 3]`,
H = 64 in the paper, float32 in pixel units 0..255; inside, networks work in [-1, 1].
"""

from __future__ import annotations

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from stegojax.data.tokenizer import BEGIN, END, PADDING
from stegojax.errors import InputError
from stegojax.models import dcgan, layers
from stegojax.types import Array, Key

STATE = 256
"""Numbers in each of the two vectors of a state, and units of both LSTMs, in the paper."""

SECRET = 64
"""Numbers in a secret key."""

SIZE = 64
"""Height and width of the pictures, in the paper."""

GRID = 8
"""Height and width of the block of numbers that a state is to the generator; the paper's has as
many channels.
"""

TRUNK = 256
"""Channels of the generator's convolution and residual blocks."""

RESIDUAL = 2
"""How many residual blocks the generator has."""

GROWING = (128, 64, 32, 16, 8)
"""Channels of the generator's transposed convolutions, as many as there are doublings from `GRID`
to the picture: three in the paper.
"""

SHRINKING = (64, 128, 256, 512)
"""Channels of the layers of the discriminator and of the receiver's network."""

STYLE = 128
"""Units of the layers of the key network."""

style_init = nn.initializers.variance_scaling(1 / 16, "fan_in", "truncated_normal")
"""Initialisation of the scales and shifts: with it an untrained generator's picture changes as much
from key to key as from sentence to sentence (mean differences of 27 and 28 levels); with variance 1
the keys drown the sentences (47 and 12).
"""

KEYED = ("none", "plane", "modulation")
"""How a secret key can take part in a network."""


def _check_rows(caller: str, ids: Array) -> None:
    if ids.ndim != 2 or not jnp.issubdtype(ids.dtype, jnp.integer):
        raise ValueError(
            f"{caller}: rows of integers [B, T] are needed, {ids.dtype} {ids.shape} was given"
        )


def check_sizes(state: int, size: int) -> None:
    """Refuses a state and a picture that do not go together.

    Args:
      state: numbers in each of a state's two vectors.
      size: height and width of the pictures.

    Raises:
      InputError: the state is no whole block for the generator, the picture is no number of
        doublings of it, or the picture's last map in the receiver's network has more places than
        the state has numbers.
    """
    sizes = [GRID * 2**doublings for doublings in range(1, len(GROWING) + 1)]
    if state < 1 or 2 * state % GRID**2:
        raise InputError(
            f"method.state={state} must be a multiple of {GRID**2 // 2}: the generator reads two "
            f"vectors of it as a block of {GRID}x{GRID}"
        )
    if size not in sizes or 2 * state % _positions(size):
        raise InputError(
            f"method.size={size} must be one of {', '.join(map(str, sizes))}, and (size / 16)^2 go "
            f"into the {2 * state} numbers of a state"
        )


def _positions(size: int) -> int:
    """Places in the last map of the receiver's network."""
    return (size // 2 ** len(SHRINKING)) ** 2


def _check_states(caller: str, states: Array, state: int = 0) -> None:
    state = state or states.shape[-1]
    if states.ndim != 3 or states.shape[1:] != (2, state) or states.dtype != jnp.float32:
        raise ValueError(
            f"{caller}: states must be a float32 array [B, 2, {state}], {states.dtype} "
            f"{states.shape} was "
            "given"
        )


def _check_pictures(caller: str, pictures: Array, size: int) -> None:
    if pictures.ndim != 4 or pictures.shape[1:] != (size, size, 3) or pictures.dtype != jnp.float32:
        raise ValueError(
            f"{caller}: pictures must be a float32 array [B, {size}, {size}, 3] in 0..255, "
            f"{pictures.dtype} "
            f"{pictures.shape} was given"
        )


def _check_secret(
    caller: str, keyed: str, known: tuple[str, ...], secret: Array | None, batch: int
) -> None:
    if keyed not in known:
        raise ValueError(f"{caller}: keyed must be one of {', '.join(known)}, {keyed!r} was given")
    if (secret is None) != (keyed == "none"):
        raise ValueError(
            f"{caller}: keyed = {keyed!r} goes {'without' if keyed == 'none' else 'with'} a "
            "secret key"
        )
    if secret is not None and (secret.shape != (batch, SECRET) or secret.dtype != jnp.float32):
        raise ValueError(
            f"{caller}: secret keys must be a float32 array [{batch}, {SECRET}], {secret.dtype} "
            f"{secret.shape} "
            "was given"
        )


class SentenceEncoder(nn.Module):
    """The sender's LSTM (Figure 3a): the state that a sentence leaves behind.

    The text has a linear layer after each of the two vectors; here tanh follows, so that the state
    has the range of what the receiver's network gives back.

    Attributes:
      vocabulary: how many entries the vocabulary has.
      state: numbers in each of the two vectors, and units of the LSTM.
    """

    vocabulary: int
    state: int = STATE

    @nn.compact
    def __call__(self, ids: Array, mask: Array) -> Array:
        """Reads sentences.

        Args:
          ids: `[B, T]`, integers, 0 .. vocabulary - 1.
          mask: `[B, T]`, true from the beginning to the end of the sentence, which begins the row;
            the rest is not read.

        Returns:
          `[B, 2, state]` in (-1, 1): the LSTM's output and its cell, each after a fully connected
          layer.

        Raises:
          ValueError: the rows are not `[B, T]` integers, or the mask has another shape.
        """
        _check_rows("seq2seq_gan.SentenceEncoder", ids)
        if mask.shape != ids.shape:
            raise ValueError(
                f"seq2seq_gan.SentenceEncoder: a mask {ids.shape} is needed, {mask.shape} was given"
            )
        words = nn.Embed(self.vocabulary, self.state, name="embedding")(ids)
        lstm = nn.RNN(nn.OptimizedLSTMCell(self.state, name="lstm"), return_carry=True, name="rnn")
        (cell, output), _ = lstm(words, seq_lengths=mask.astype(jnp.int32).sum(axis=1))
        rows = [
            nn.Dense(self.state, kernel_init=layers.xavier, name=name)(x)
            for name, x in (("output", output), ("cell", cell))
        ]
        return jnp.tanh(jnp.stack(rows, axis=1))


class SentenceDecoder(nn.Module):
    """The receiver's LSTM (Figure 3b): writes a sentence from a state, one word after the other.

    Attributes:
      vocabulary: how many entries the vocabulary has.
      state: numbers in each of a state's two vectors, and units of the LSTM.
    """

    vocabulary: int
    state: int = STATE

    def setup(self):
        self.embedding = nn.Embed(self.vocabulary, self.state)
        self.lstm = nn.OptimizedLSTMCell(self.state)
        self.rnn = nn.RNN(self.lstm)
        self.words = nn.Dense(self.vocabulary, kernel_init=layers.xavier)

    def __call__(self, states: Array, ids: Array) -> Array:
        """Predicts every next word of sentences that are known so far ("teacher forcing").

        Args:
          states: `[B, 2, state]`.
          ids: `[B, T]`, integers: the words before those to be predicted, so a row without its last
            number.

        Returns:
          `[B, T, vocabulary]`: logits of the word after each of `ids`.

        Raises:
          ValueError: the states or rows have another shape or type.
        """
        _check_states("seq2seq_gan.SentenceDecoder", states, self.state)
        _check_rows("seq2seq_gan.SentenceDecoder", ids)
        return self.words(self.rnn(self.embedding(ids), initial_carry=begin(states)))

    def step(self, carry: tuple[Array, Array], ids: Array) -> tuple[tuple[Array, Array], Array]:
        """Reads one word and predicts the next.

        Args:
          carry: the LSTM's cell and output, `[B, state]` each; at first `begin(states)`.
          ids: `[B]`, integers.

        Returns:
          The new carry, and logits `[B, vocabulary]`.
        """
        carry, output = self.lstm(carry, self.embedding(ids))
        return carry, self.words(output)


def begin(states: Array) -> tuple[Array, Array]:
    """What the receiver's LSTM starts from: a state's second vector is its cell, the first its
    output.

    Args:
      states: `[B, 2, S]`.

    Returns:
      Cell and output, `[B, S]` each.

    Raises:
      ValueError: the states have another shape or type.
    """
    _check_states("begin", states)
    return states[:, 1], states[:, 0]


def write_sentences(
    decoder: SentenceDecoder, variables: Any, states: Array, *, length: int
) -> Array:
    """The sentences that states stand for, always taking the likeliest next word (greedy decoding,
    beam 1).

    Source: Seq2Seq-GAN, Section 3.2; `BEGIN` and `PADDING` are never taken.

    Args:
      decoder: the receiver's LSTM.
      variables: its parameters, as for `decoder.apply`.
      states: `[B, 2, S]`.
      length: T, how long the rows are.

    Returns:
      `[B, T]`, int32: `BEGIN`, words, `END` if it came in time, then `PADDING`.

    Raises:
      ValueError: the states have another shape or type, or there is no room for a word.
    """
    _check_states("write_sentences", states)
    if length < 2:
        raise ValueError(f"write_sentences: a length of at least 2 is needed, {length} was given")
    first = jnp.full(states.shape[0], BEGIN, jnp.int32)
    never = jnp.zeros(decoder.vocabulary).at[jnp.array([BEGIN, PADDING])].set(-jnp.inf)

    def step(carry, _):
        lstm, last, ended = carry
        lstm, logits = decoder.apply(variables, lstm, last, method="step")
        word = jnp.where(ended, PADDING, jnp.argmax(logits + never[None], axis=-1)).astype(
            jnp.int32
        )
        return (lstm, word, ended | (word == END)), word

    _, words = jax.lax.scan(
        step, (begin(states), first, jnp.zeros(first.shape, bool)), length=length - 1
    )
    return jnp.concatenate([first[None], words]).T


def beam_sentences(
    decoder: SentenceDecoder, variables: Any, states: Array, *, length: int, beams: int
) -> tuple[Array, Array]:
    """The likeliest sentences that states stand for, as far as a beam search finds them.

    Source: Seq2Seq-GAN, Section 3.2, decodes greedily; the search is that of Sutskever et al. 2014,
    Section 3.2: every sentence keeps its `beams` likeliest beginnings, an ended one unchanged.
    There is no bonus for length.

    Args:
      decoder, variables, states, length: as for `write_sentences`.
      beams: how many beginnings are kept, 1 .. vocabulary; 1 is `write_sentences`.

    Returns:
      `[B, T]`, int32, the likeliest row that was found, in the form of `write_sentences`; and
      `[B]`, the logarithm of its probability.

    Raises:
      ValueError: the states have another shape or type, there is no room for a word, or the beams
        are out of range.
    """
    _check_states("beam_sentences", states)
    if length < 2:
        raise ValueError(f"beam_sentences: a length of at least 2 is needed, {length} was given")
    words = decoder.vocabulary
    if not 1 <= beams <= words:
        raise ValueError(f"beam_sentences: 1 to {words} beams are needed, {beams} was given")
    count = states.shape[0]
    never = jnp.zeros(words).at[jnp.array([BEGIN, PADDING])].set(-jnp.inf)
    only_padding = jnp.full(words, -jnp.inf).at[PADDING].set(0.0)

    def of_beams(leaf):
        return leaf.reshape(count * beams, *leaf.shape[2:])

    def chosen(leaf, parents):
        return jnp.take_along_axis(
            leaf, parents.reshape(count, beams, *(1,) * (leaf.ndim - 2)), axis=1
        )

    def step(carry, place):
        lstm, rows, scores, ended = carry
        last = jax.lax.dynamic_index_in_dim(rows, place, axis=2, keepdims=False)
        lstm, logits = decoder.apply(
            variables, jax.tree.map(of_beams, lstm), of_beams(last), method="step"
        )
        gains = (jax.nn.log_softmax(logits) + never[None]).reshape(count, beams, words)
        gains = jnp.where(ended[..., None], only_padding[None, None], gains)
        scores, which = jax.lax.top_k(
            (scores[..., None] + gains).reshape(count, beams * words), beams
        )
        parents, word = which // words, (which % words).astype(jnp.int32)
        lstm = jax.tree.map(lambda leaf: chosen(leaf.reshape(count, beams, -1), parents), lstm)
        rows = jax.lax.dynamic_update_index_in_dim(chosen(rows, parents), word, place + 1, axis=2)
        return (lstm, rows, scores, chosen(ended, parents) | (word == END)), None

    lstm = jax.tree.map(lambda leaf: jnp.repeat(leaf[:, None], beams, axis=1), begin(states))
    rows = jnp.full((count, beams, length), PADDING, jnp.int32).at[:, :, 0].set(BEGIN)
    # All beams begin alike: but for the first they must not count, or every one would keep the same
    # sentence.
    scores = jnp.full((count, beams), -jnp.inf).at[:, 0].set(0.0)
    (_, rows, scores, _), _ = jax.lax.scan(
        step, (lstm, rows, scores, jnp.zeros((count, beams), bool)), jnp.arange(length - 1)
    )
    return rows[:, 0], scores[:, 0]


class _Modulated(nn.Module):
    """Batch normalisation and, where there is a style, a scale 1 + s and a shift t per channel that
    follow from it.
    """

    axis_name: str | None

    @nn.compact
    def __call__(self, x: Array, style: Array | None, *, train: bool) -> Array:
        x = layers.batch_norm(train=train, axis_name=self.axis_name, name="norm")(x)
        if style is None:
            return x
        dense = nn.Dense(2 * x.shape[-1], kernel_init=style_init, name="style")
        scale, shift = jnp.split(dense(style)[:, None, None], 2, axis=-1)
        return x * (1.0 + scale) + shift


class _KeyNetwork(nn.Module):
    """The style that a secret key stands for: two fully connected layers."""

    @nn.compact
    def __call__(self, secret: Array) -> Array:
        for i in (1, 2):
            secret = nn.leaky_relu(
                nn.Dense(STYLE, kernel_init=layers.he, name=f"full{i}")(secret), dcgan.LEAK
            )
        return secret


def _taps(
    pairs: dict[tuple[int, int], tuple[int, int]], shape: tuple[int, int, int, int]
) -> np.ndarray:
    """Ones where an output's place in its block and a tap meet an input's block and the place
    there.
    """
    found = np.zeros(shape, np.float32)
    for (output, tap), (block, place) in pairs.items():
        found[output, tap, block, place] = 1.0
    return found


_DOUBLING = _taps({(0, 0): (0, 0), (0, 2): (1, 0), (1, 1): (1, 0), (1, 3): (2, 0)}, (2, 4, 3, 1))
"""Along one axis: which of the four taps of a transposed convolution with stride 2 brings which
input to which of two outputs.
"""

_FOLDED = _taps(
    {
        (output, tap): ((output + tap + 1) // 2, (output + tap + 1) % 2)
        for output in (0, 1)
        for tap in (0, 1, 2)
    },
    (2, 3, 3, 2),
)
"""Likewise for the three taps of an ordinary convolution on pixels that lie in blocks of two."""


def _convolve_blocks(x: Array, kernel: Array, taps: np.ndarray) -> Array:
    """A convolution that gives blocks of 2x2 outputs, by an ordinary 3x3 convolution of blocks.

    XLA's convolutions on a CPU are slow with gaps and with few channels. In blocks there are no
    gaps, and four times the channels.

    Args:
      x: `[B, H, W, C']`, C' the block's places times the channels.
      kernel: `[T, T, C, F]`, as of the layer on pixels.
      taps: `[2, T, 3, places along an axis]`.

    Returns:
      `[B, H, W, 4 F]`.
    """
    wide = jnp.einsum("riax,sjby,ijcf->abxycrsf", taps, taps, kernel)
    wide = wide.reshape(3, 3, x.shape[-1], 4 * kernel.shape[-1])
    return jax.lax.conv_general_dilated(
        x, wide, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _unfold(x: Array) -> Array:
    """`[B, H, W, 4 F]` as pixels, `[B, 2 H, 2 W, F]`."""
    batch, height, width, features = x.shape
    x = x.reshape(batch, height, width, 2, 2, features // 4).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, 2 * height, 2 * width, features // 4)


class _Doubled(nn.Module):
    """A transposed convolution of 4x4 with stride 2 and without bias, as `dcgan.transposed_conv`,
    whose pixels lie in blocks.
    """

    features: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param("kernel", layers.xavier, (4, 4, x.shape[-1], self.features))
        return _convolve_blocks(x, kernel, _DOUBLING)


class _Colours(nn.Module):
    """A 3x3 convolution with a bias that gives red, green and blue, on pixels in blocks."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param("kernel", layers.xavier, (3, 3, x.shape[-1] // 4, 3))
        bias = self.param("bias", nn.initializers.zeros, (3,))
        return _unfold(_convolve_blocks(x, kernel, _FOLDED)) + bias[None, None, None]


class Generator(nn.Module):
    """The "generator encoder" (Figure 4): a picture from a state.

    A convolution, two residual blocks at 8x8, and three transposed convolutions, which "a final
    transpose convolution block" must mean if 64x64 is to come of 8x8 (more or fewer for other
    sizes); convolutions before a batch normalisation have no bias.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
      keyed: how a secret key takes part, one of `KEYED`.
      size: height and width of the pictures, `GRID` doubled up to five times.
    """

    width: float = 1.0
    axis_name: str | None = None
    keyed: str = "none"
    size: int = SIZE

    @nn.compact
    def __call__(self, states: Array, secret: Array | None = None, *, train: bool) -> Array:
        """Makes pictures.

        Args:
          states: `[B, 2, S]`, S a multiple of 32.
          secret: `[B, SECRET]`, the secret keys; None if `keyed` is "none".
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, size, size, 3]`, 0..255, not rounded.

        Raises:
          ValueError: the states or keys have another shape or type, or `keyed` does not fit.
        """
        _check_states("seq2seq_gan.Generator", states)
        _check_secret("seq2seq_gan.Generator", self.keyed, KEYED, secret, states.shape[0])
        check_sizes(states.shape[-1], self.size)
        x = states.reshape(-1, GRID, GRID, 2 * states.shape[-1] // GRID**2)
        if self.keyed == "plane":
            x = jnp.concatenate([x, secret.reshape(-1, GRID, GRID, 1)], axis=-1)
        style = _KeyNetwork(name="key")(secret) if self.keyed == "modulation" else None
        doublings = (self.size // GRID).bit_length() - 1
        trunk = layers.scaled_width(TRUNK, self.width)

        def conv(x, name):
            return layers.conv(trunk, 3, use_bias=False, name=name)(x)

        def norm(x, name):
            return _Modulated(self.axis_name, name=name)(x, style, train=train)

        x = nn.relu(norm(conv(x, "conv"), "norm"))
        for i in range(1, RESIDUAL + 1):
            y = nn.relu(norm(conv(x, f"block{i}_conv1"), f"block{i}_norm1"))
            x = x + norm(conv(y, f"block{i}_conv2"), f"block{i}_norm2")
        for i, features in enumerate(GROWING[:doublings], start=1):
            features = layers.scaled_width(features, self.width)
            x = _Doubled(features, name=f"up{i}")(x if i == 1 else _unfold(x))
            shape = x.shape
            # Normalised per channel: what the pixels' places in their blocks have in common.
            x = nn.relu(norm(x.reshape(*shape[:2], 4 * shape[2], features), f"up{i}_norm")).reshape(
                shape
            )
        return (jnp.tanh(_Colours(name="output")(x)) + 1.0) * 127.5


class StateReader(nn.Module):
    """The "generator decoder" (Figure 5b): the state that a picture was made from.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
      keyed: whether a secret key takes part: "none" as in the paper, or "modulation".
      size: height and width of the pictures.
      state: numbers in each of the state's two vectors.
    """

    width: float = 1.0
    axis_name: str | None = None
    keyed: str = "none"
    size: int = SIZE
    state: int = STATE

    @nn.compact
    def __call__(self, pictures: Array, secret: Array | None = None, *, train: bool) -> Array:
        """Reads pictures.

        Args:
          pictures: `[B, size, size, 3]`, 0..255.
          secret: `[B, SECRET]`, the secret keys; None if `keyed` is "none".
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, 2, state]` in (-1, 1).

        Raises:
          ValueError: the pictures or keys have another shape or type, or `keyed` does not fit.
        """
        _check_pictures("seq2seq_gan.StateReader", pictures, self.size)
        check_sizes(self.state, self.size)
        _check_secret(
            "seq2seq_gan.StateReader", self.keyed, ("none", "modulation"), secret, pictures.shape[0]
        )
        style = None if secret is None else _KeyNetwork(name="key")(secret)
        x = pictures / 127.5 - 1.0
        for i, features in enumerate(SHRINKING, start=1):
            x = layers.conv(
                layers.scaled_width(features, self.width),
                4,
                stride=2,
                use_bias=False,
                name=f"conv{i}",
            )(x)
            x = dcgan.leaky_relu(_Modulated(self.axis_name, name=f"norm{i}")(x, style, train=train))
        features = 2 * self.state // _positions(self.size)
        x = layers.conv(features, 3, name="output")(x)
        return jnp.tanh(x).reshape(-1, 2, self.state)


class Discriminator(nn.Module):
    """The discriminator (Figure 5a): is this picture a photograph or made by the generator? It has
    no batch normalisation.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      size: height and width of the pictures.
    """

    width: float = 1.0
    size: int = SIZE

    @nn.compact
    def __call__(self, pictures: Array) -> Array:
        """Judges pictures.

        Args:
          pictures: `[B, size, size, 3]`, 0..255.

        Returns:
          `[B]`, the logit of being a photograph.

        Raises:
          ValueError: the pictures have another shape or type.
        """
        _check_pictures("seq2seq_gan.Discriminator", pictures, self.size)
        x = pictures / 127.5 - 1.0
        for i, features in enumerate(SHRINKING, start=1):
            x = dcgan.leaky_relu(
                layers.conv(
                    layers.scaled_width(features, self.width), 4, stride=2, name=f"conv{i}"
                )(x)
            )
        return nn.Dense(1, kernel_init=layers.xavier, name="full")(x.reshape(x.shape[0], -1))[:, 0]


class Scramble(NamedTuple):
    """How a key changes a state of 2 S numbers, 512 in the paper.

    order: int32 `[B, 2 S]`: which number of the state comes to each place, a permutation.
    signs: float32 `[B, 2 S]`, -1 or 1, by which what has come to a place is multiplied.
    """

    order: Array
    signs: Array


def random_scramble(key: Key, numbers: int = 2 * STATE) -> Scramble:
    """A scramble drawn at random, for training with many keys.

    Source: this program's own; the paper has no counterpart.

    Args:
      key: PRNG key.
      numbers: of the state.

    Returns:
      `Scramble` of `[numbers]` each; `jax.vmap` over keys gives a batch.
    """
    permute, turn = jax.random.split(key)
    order = jax.random.permutation(permute, numbers).astype(jnp.int32)
    return Scramble(order, jax.random.rademacher(turn, (numbers,), jnp.float32))


def _check_scramble(caller: str, states: Array, change: Scramble) -> None:
    _check_states(caller, states)
    expected = (states.shape[0], 2 * states.shape[2])
    if change.order.shape != expected or change.signs.shape != expected:
        raise ValueError(
            f"{caller}: order and signs {expected} are needed, {change.order.shape} and "
            f"{change.signs.shape} were "
            "given"
        )


def scramble(states: Array, change: Scramble) -> Array:
    """A state as the generator gets it under a key.

    Source: this program's own; the paper has no counterpart.

    Args:
      states: `[B, 2, S]`.
      change: `Scramble` of `[B, 2 S]`.

    Returns:
      `[B, 2, S]`, of the same range.

    Raises:
      ValueError: shapes or types do not fit.
    """
    _check_scramble("scramble", states, change)
    flat = jnp.take_along_axis(states.reshape(states.shape[0], -1), change.order, axis=1)
    return (flat * change.signs).reshape(states.shape)


def unscramble(states: Array, change: Scramble) -> Array:
    """The state that was scrambled: exactly, with the same key; with another one, its numbers at
    wrong places with wrong signs.

    Source: this program's own; the paper has no counterpart.

    Args:
      states: `[B, 2, S]`, read from a picture.
      change: `Scramble` of `[B, 2 S]`.

    Returns:
      `[B, 2, S]`, of the same range.

    Raises:
      ValueError: shapes or types do not fit.
    """
    _check_scramble("unscramble", states, change)
    flat = states.reshape(states.shape[0], -1) * change.signs
    return jnp.take_along_axis(flat, jnp.argsort(change.order, axis=1), axis=1).reshape(
        states.shape
    )
