"""Messages in covers by costs: what is hidden comes back exactly, or nothing does; pinned stegos
stay readable.
"""

import pathlib

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.tree_util import Partial
from support.photographs import cover, photograph

from stegojax import domains, embed, envelope, images, secret
from stegojax.costs import COSTS
from stegojax.errors import InputError
from stegojax.hiders import Options, by_costs, comparison, element_channel

KEY = secret.key_file(bytes(range(32)))
OTHER = secret.key_file(bytes(range(1, 33)))
FAST = by_costs.Choices(embed.parse_scheme("hill-cmd"), constraint_height=7)
PINNED = pathlib.Path(__file__).parents[1] / "data_files"


def cover_of(pixels):
    return domains.pixels.cover_of(images.Picture(np.asarray(pixels, np.uint8)))


def most_change(cover, stego):
    return np.abs(stego.flat() - cover.flat()).max()


@pytest.mark.parametrize(
    "name,shared,message",
    [
        ("password_cmd_stc10", secret.password("pässwörd one"), "Grüße: short".encode()),
        ("key_plain_polar", KEY, b""),
        ("password_synch_stc7", secret.password("two"), b"compressed " * 40),
        ("key_cmd_stc12", secret.key_file(bytes(range(32, 64))), bytes(range(64))),
        ("key_cmd_stc10_strided", secret.key_file(bytes(range(64, 96))), b"strided " * 30),
        ("key_synch_polar_strided", secret.key_file(bytes(range(64, 96))), bytes(range(200))),
    ],
)
def test_pinned_stegos_stay_readable(name, shared, message):
    stego, _ = domains.PIXELS.read(PINNED / f"{name}.png")
    assert by_costs.reveal(shared, stego) == message


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from([(28, 28, 1), (17, 19, 3), (1, 900, 1)]),
    st.sampled_from(["hill", "hill-cmd", "hill-synch", "lsbm", "lsbm-cmd", "lsbm-synch"]),
    st.floats(0, 1),
    st.integers(0, 999),
)
def test_any_message_comes_back(shape, scheme, fill, seed):
    code = "stc" if scheme.startswith("hill") else "polar"
    given, choices = cover(shape, seed), FAST._replace(scheme=embed.parse_scheme(scheme), code=code)
    most = by_costs.capacity(given, choices=choices).most
    if most is None:
        return
    message = np.random.default_rng(seed).bytes(int(fill * most))
    stego = by_costs.hide(KEY, given, message, choices=choices)
    assert stego.shapes == given.shapes and most_change(given, stego) == 1
    assert by_costs.reveal(KEY, stego) == message
    with pytest.raises(InputError) as caught:
        by_costs.reveal(OTHER, stego)
    assert str(caught.value) == secret.NO_MESSAGE


def test_a_batch_is_what_its_pictures_are_alone():
    """One picture of another size, one that is too small, and one whose message does not fit are
    among the others.
    """
    covers = [
        cover((40, 40, 1), 0),
        cover((40, 40, 1), 1),
        cover((30, 44, 3), 2),
        cover((9, 9, 1), 3),
        cover((40, 40, 1), 4),
        cover_of(np.full((40, 40, 1), 255)),
    ]
    messages = [b"one", b"two", b"three", b"four", bytes(range(256)) * 9, b"six"]
    stegos = by_costs.hide_batch(KEY, covers, messages, choices=FAST)
    for stego, message, own in list(zip(stegos, messages, covers))[:3]:
        assert by_costs.reveal(KEY, stego) == message and most_change(own, stego) == 1
    for error, words in zip(
        stegos[3:], ("768 or more", "carries at most", "cannot carry a message")
    ):
        assert isinstance(error, InputError) and words in str(error)


def test_covers_of_one_size_are_embedded_into_together(monkeypatch):
    real, sizes = by_costs._hidden, []

    def counted(shared, covers, *rest):
        sizes.append(len(covers))
        return real(shared, covers, *rest)

    monkeypatch.setattr(by_costs, "_hidden", counted)
    covers, messages = zip(
        *[(cover((64, 60, 1), i), np.random.default_rng(i).bytes(40)) for i in range(5)]
    )
    stegos = by_costs.hide_batch(KEY, covers, messages, choices=FAST)
    assert sizes == [5]
    assert [by_costs.reveal(KEY, stego) for stego in stegos] == list(messages)


def test_the_first_costs_are_worked_out_once(monkeypatch):
    """Whatever needs them: the room for the message, and the first visit under every salt."""
    calls = []
    real = embed._costs
    monkeypatch.setattr(
        embed, "_costs", lambda *arguments: calls.append(arguments[1].any()) or real(*arguments)
    )
    by_costs.hide(KEY, cover((36, 36, 1)), b"x", choices=FAST)
    assert calls.count(False) == 1  # the others see modifications


@pytest.mark.parametrize("cost", COSTS)
def test_every_cost_hides(cost):
    choices = FAST._replace(scheme=embed.parse_scheme(f"{cost}-cmd"))
    stego = by_costs.hide(KEY, cover((40, 40, 3)), b"\0", choices=choices)
    assert by_costs.reveal(KEY, stego) == b"\0"


@pytest.mark.parametrize(
    "name", ["noise", "photograph", "saturated", "half flat", "black and white"]
)
def test_the_capacity_is_kept(name):
    """As many bytes as `capacity` says go in, many more are refused with the number."""
    shape, choices = (96, 96, 1), FAST._replace(constraint_height=8)
    generator = np.random.default_rng(0)
    pixels = {
        "noise": generator.integers(0, 256, shape),
        "photograph": photograph(shape).pixels,
        "saturated": np.clip(generator.normal(128, 90, shape), 0, 255),
        "black and white": generator.integers(0, 2, shape) * 255,
        "half flat": np.where(np.arange(96)[:, None, None] < 48, 77, photograph(shape).pixels),
    }[name]
    given = cover_of(pixels)
    capacity = by_costs.capacity(given, choices=choices)
    assert capacity.elements == 96 * 96 and 300 < capacity.most < 750
    usual = int(capacity.said[1].split()[0])
    assert usual == min(443, capacity.most)
    message = generator.bytes(capacity.most)
    stego = by_costs.hide(KEY, given, message, choices=choices)
    assert by_costs.reveal(KEY, stego) == message
    with pytest.raises(
        InputError, match=r"takes 1000 bytes .* carries at most \d+ with these costs"
    ):
        by_costs.hide(KEY, given, generator.bytes(1000), choices=choices)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((64, 64, 1), np.uint8),
        np.full((64, 64, 3), 200, np.uint8),
        photograph((8, 8, 1)).pixels,
        photograph((8, 8, 3)).pixels,
        photograph((27, 28, 1)).pixels,
    ],
)
def test_a_cover_that_carries_nothing_says_so(pixels):
    given = cover_of(pixels)
    assert by_costs.capacity(given, choices=FAST).most is None
    with pytest.raises(InputError, match="cannot carry a message"):
        by_costs.hide(KEY, given, b"", choices=FAST)


@pytest.fixture(scope="module")
def stego():
    stego = by_costs.hide(KEY, cover((48, 48, 1)), b"the message", choices=FAST)
    return domains.pixels.picture_of(stego).pixels


def test_damage_never_gives_wrong_bytes(stego):
    """Flips of single bits anywhere, noise and crops: the message itself where nothing of it was
    hit, or the one error.
    """
    generator = np.random.default_rng(0)
    damaged = []
    for _ in range(150):
        copy = stego.copy()
        for _ in range(generator.integers(1, 4)):
            copy[tuple(generator.integers(0, copy.shape))] ^= 1 << generator.integers(0, 8)
        damaged.append(copy)
    damaged += [
        stego[1:],
        stego[:, :-1],
        stego[:40, :40],
        stego[::-1],
        stego.transpose(1, 0, 2),
        np.repeat(stego, 3, axis=2),
        stego ^ 1,
        np.zeros_like(stego),
        images.jpeg_recompress(stego, 100),
        photograph((48, 48, 1)).pixels,
    ]
    lost = 0
    for copy in damaged:
        try:
            assert by_costs.reveal(KEY, cover_of(copy)) == b"the message"
        except InputError as error:
            assert str(error) == secret.NO_MESSAGE
            lost += 1
    assert lost > 40


def test_a_header_of_impossible_lengths_is_no_message(stego, monkeypatch):
    """Whoever holds the key could write one; it must neither crash nor take long."""
    real = secret.read_header
    for change in (
        {"length": 2**32 - 1},
        {"length": 0},
        {"upper": (2**32 - 1,) * 4},
        {"segments": 0},
        {"layout": 0x1D},
        {"layout": 0x3A},
        {"segments": 65535, "length": 400},
    ):
        monkeypatch.setattr(
            secret,
            "read_header",
            lambda *arguments, change=change: real(*arguments)._replace(**change),
        )
        with pytest.raises(InputError) as caught:
            by_costs.reveal(KEY, cover_of(stego))
        assert str(caught.value) == secret.NO_MESSAGE


def towards(gain, cost, cover, before):
    """Changes that go on with the changes before, by arrays as a trained network holds them."""
    costs, up = cost(cover + before), gain * jnp.roll(before, 1, axis=-1)
    return costs._replace(plus=costs.plus * jnp.exp(-up), minus=costs.minus * jnp.exp(up))


def learned(shares, code="stc"):
    """Choices with random masks, the rules of all but the first of which hold arrays."""
    rules = [Partial(towards, jnp.float32(number)) for number in range(1, len(shares))]
    recipe = embed.masks(shares, [embed.no_adjustment, *rules])
    return FAST._replace(scheme=embed.Scheme("learned", COSTS["hill"], recipe), code=code)


@pytest.mark.parametrize(
    "shares,code,shape",
    [
        ((1, 1), "stc", (37, 51, 1)),
        ((3, 7), "polar", (29, 33, 3)),
        ((1, 2, 1, 15), "stc", (51, 37, 1)),
    ],
)
def test_learned_costs_hide_and_the_key_alone_reveals(shares, code, shape):
    """On odd sizes, grey and colour; the header says what the sub-images are."""
    given, choices = cover(shape), learned(shares, code)
    most = by_costs.capacity(given, choices=choices).most
    message = np.random.default_rng(0).bytes(most // 2)
    stego = by_costs.hide(KEY, given, message, choices=choices)
    assert most_change(given, stego) == 1
    assert by_costs.reveal(KEY, stego) == message
    with pytest.raises(InputError, match="no message"):
        by_costs.reveal(OTHER, stego)


def test_the_second_mask_sees_what_was_done_to_the_first():
    """A rule that makes +1 cheap once there are modifications."""

    def upwards(cost, cover, before):
        costs = cost(cover)
        return costs._replace(plus=jnp.where(jnp.abs(before).sum() > 0, 0.01, 1.0) * costs.plus)

    recipe = embed.masks((1, 1), [embed.no_adjustment, upwards])
    given = cover((64, 64, 1))
    choices = FAST._replace(scheme=embed.Scheme("by hand", learned((1, 1)).scheme.cost, recipe))
    stego = by_costs.hide(KEY, given, np.random.default_rng(1).bytes(120), choices=choices)
    figures = comparison.compare(given, stego)
    assert figures.raised > 2 * figures.lowered
    assert by_costs.reveal(KEY, stego)


def test_what_the_header_says_of_the_choices():
    for choices, layout in (
        (learned((3, 7)), envelope.Layout("", (3, 7), 7)),
        (learned((3, 7), "polar"), envelope.Layout("", (3, 7), 0)),
        (FAST, envelope.Layout("cmd", (), 7)),
        (FAST._replace(scheme=embed.parse_scheme("wow")), envelope.Layout("plain", (), 7)),
        (FAST._replace(scheme=embed.parse_scheme("wow-synch")), envelope.Layout("synch", (), 7)),
    ):
        assert element_channel._layout(choices) == envelope.described(layout)
    unknown = FAST.scheme._replace(recipe=FAST.scheme.recipe._replace(partition=lambda *_: 0))
    with pytest.raises(InputError, match="no header can tell the receiver"):
        element_channel._layout(FAST._replace(scheme=unknown))


def test_one_sub_image_is_written_as_the_plain_scheme():
    plain, alone = (
        by_costs.hide(KEY, cover((36, 36, 1)), b"x", choices=choices, salt=bytes(16))
        for choices in (FAST._replace(scheme=embed.parse_scheme("hill")), learned((1,)))
    )
    np.testing.assert_array_equal(plain.flat(), alone.flat())


def test_another_salt_is_tried_where_the_code_stumbles(monkeypatch):
    real, salts = by_costs._hidden, []

    def stumbling(*arguments):
        salts.extend(arguments[3])
        if len(salts) < 3:
            raise element_channel.Stumbled
        return real(*arguments)

    monkeypatch.setattr(by_costs, "_hidden", stumbling)
    stego = by_costs.hide(KEY, cover((36, 36, 1)), b"x", choices=FAST)
    assert by_costs.reveal(KEY, stego) == b"x" and len(set(salts)) == 3
    monkeypatch.setattr(by_costs, "_SALTS", 2)
    salts.clear()
    with pytest.raises(InputError, match="do not fit: too much of the cover"):
        by_costs.hide(KEY, cover((36, 36, 1)), b"x", choices=FAST)


def test_a_stego_that_does_not_give_the_message_back_is_not_handed_out(monkeypatch):
    real = element_channel._syndrome_changes

    def wrong(*arguments):
        changes = real(*arguments)
        changes[0] = 1 - abs(changes[0])
        return changes

    monkeypatch.setattr(element_channel, "_syndrome_changes", wrong)
    with pytest.raises(InputError, match="was not handed out"):
        by_costs.hide(KEY, cover((36, 36, 1)), b"x", choices=FAST)


def test_one_secret_never_repeats_a_stego():
    given = cover((36, 36, 1))
    first, second = (by_costs.hide(KEY, given, b"x", choices=FAST).flat() for _ in range(2))
    assert not np.array_equal(first, second)
    again = [by_costs.hide(KEY, given, b"x", choices=FAST, salt=bytes(16)).flat() for _ in range(2)]
    np.testing.assert_array_equal(*again)


def test_frozen_elements_do_not_change():
    frozen = np.zeros((40, 40), bool)
    frozen[:, :15] = True
    given = cover((40, 40, 3))._replace(frozen=(frozen, None, frozen))
    stego = by_costs.hide(KEY, given, b"message", choices=FAST)
    changed = [after != before for after, before in zip(stego.planes, given.planes)]
    for plane in (0, 2):
        assert not changed[plane][:, :15].any() and changed[plane][:, 15:].any()
    assert changed[1][:, :15].any()
    assert by_costs.reveal(KEY, stego) == b"message"


@pytest.mark.parametrize(
    "options,words",
    [
        (dict(scheme="hil"), "scheme 'hil' is unknown"),
        (dict(scheme="hill-none"), "scheme 'hill-none' is unknown"),
        (dict(code="hamming"), "unknown code 'hamming'; choose one of stc, polar"),
        (dict(constraint_height=6), "unknown constraint height 6; choose one of 7, 8"),
        (dict(code="polar", constraint_height=7), "belongs to the stc code"),
    ],
)
def test_unknown_options_are_named(options, words):
    with pytest.raises(InputError, match=words):
        by_costs.hider(None, Options(**options))
