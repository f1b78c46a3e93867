"""Files in pictures: what is hidden comes back exactly, or nothing does; pinned stegos stay
readable; covers stay untouched.
"""

import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.photographs import photograph

from stegojax import embed, hiding, images, secret
from stegojax.errors import InputError
from stegojax.methods import asymmetric

KEY = secret.key_file(bytes(range(32)))
OTHER = secret.key_file(bytes(range(1, 33)))
FAST = hiding.Choices(constraint_height=7)
PINNED = pathlib.Path(__file__).parent / "data_files"


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
    assert hiding.reveal_file(shared, PINNED / f"{name}.png") == message


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from([(28, 28, 1), (17, 19, 3), (1, 900, 1)]),
    st.sampled_from(hiding.SCHEMES),
    st.sampled_from([FAST, hiding.Choices(code="polar", cost="lsbm")]),
    st.floats(0, 1),
    st.integers(0, 999),
)
def test_any_message_comes_back(shape, scheme, choices, fill, seed):
    cover, choices = photograph(shape, seed), choices._replace(scheme=scheme)
    most = hiding.capacity(cover, choices=choices).most
    if most is None:
        return
    message = np.random.default_rng(seed).bytes(int(fill * most))
    stego = hiding.hide(KEY, cover, message, choices=choices)
    assert stego.shape == shape and stego.dtype == np.uint8
    assert np.abs(stego.astype(int) - cover.pixels).max() == 1
    assert hiding.reveal(KEY, stego) == message
    with pytest.raises(InputError) as caught:
        hiding.reveal(OTHER, stego)
    assert str(caught.value) == secret.NO_MESSAGE


def test_a_batch_is_what_its_pictures_are_alone():
    """One picture of another size, one that is too small, and one whose message does not fit are
    among the others.
    """
    covers = [
        photograph((40, 40, 1), 0),
        photograph((40, 40, 1), 1),
        photograph((30, 44, 3), 2),
        photograph((9, 9, 1), 3),
        photograph((40, 40, 1), 4),
        images.Picture(np.full((40, 40, 1), 255, np.uint8)),
    ]
    messages = [b"one", b"two", b"three", b"four", bytes(range(256)) * 9, b"six"]
    found = hiding.hide_batch(KEY, covers, messages, choices=FAST)
    for pixels, message, cover in list(zip(found, messages, covers))[:3]:
        assert (
            hiding.reveal(KEY, pixels) == message
            and np.abs(pixels.astype(int) - cover.pixels).max() == 1
        )
    for error, words in zip(
        found[3:], ("768 or more", "carries at most", "cannot carry a message")
    ):
        assert isinstance(error, InputError) and words in str(error)


def test_pictures_of_one_size_are_embedded_into_together(monkeypatch):
    real, sizes = hiding._attempt, []

    def counted(shared, planes, *rest):
        sizes.append(len(planes))
        return real(shared, planes, *rest)

    monkeypatch.setattr(hiding, "_attempt", counted)
    covers, messages = zip(
        *[(photograph((64, 60, 1), i), np.random.default_rng(i).bytes(40)) for i in range(5)]
    )
    found = hiding.hide_batch(KEY, covers, messages, choices=FAST)
    assert sizes == [5]
    assert [hiding.reveal(KEY, pixels) for pixels in found] == list(messages)


@pytest.mark.parametrize("cost", ["hill", "wow", "suniward", "hugo", "mipod", "lsbm"])
def test_every_cost_hides(cost):
    cover = photograph((40, 40, 3))
    message = b"\0"
    stego = hiding.hide(KEY, cover, message, choices=FAST._replace(cost=cost))
    assert hiding.reveal(KEY, stego) == message


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
    }[name].astype(np.uint8)
    cover = images.Picture(pixels)
    found = hiding.capacity(cover, choices=choices)
    assert found.elements == 96 * 96 and 300 < found.most < 750 and found.usual <= found.most
    message = generator.bytes(found.most)
    stego = hiding.hide(KEY, cover, message, choices=choices)
    assert hiding.reveal(KEY, stego) == message
    with pytest.raises(
        InputError, match=r"takes 1000 bytes .* carries at most \d+ with these costs"
    ):
        hiding.hide(KEY, cover, generator.bytes(1000), choices=choices)


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
    cover = images.Picture(pixels)
    assert hiding.capacity(cover).most is None
    with pytest.raises(InputError, match="cannot carry a message"):
        hiding.hide(KEY, cover, b"")


@pytest.fixture(scope="module")
def stego():
    return hiding.hide(KEY, photograph((48, 48, 1)), b"the message", choices=FAST)


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
            assert hiding.reveal(KEY, copy) == b"the message"
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
            secret, "read_header", lambda *arguments: real(*arguments)._replace(**change)
        )
        with pytest.raises(InputError) as caught:
            hiding.reveal(KEY, stego)
        assert str(caught.value) == secret.NO_MESSAGE


@functools.cache
def learned(shares, code="stc"):
    """Choices with a generator that was never trained."""
    adam = dict(name="adam", learning_rate=1e-3)
    section = dict(
        shares=shares,
        width=0.125,
        depth=2,
        stage_lengths=(1,) * (len(shares) - 1 if len(shares) > 2 else 0),
        network="xunet",
        steganalyzer_width=0.125,
        generator_optimizer=adam,
        d1_optimizer=adam,
        d2_optimizer=adam,
    )
    made = asymmetric.from_config(section, steps_per_epoch=1)
    key = jax.random.key(0)

    @jax.jit
    def build(batch):
        state = made.init(key, batch)
        for stage in made.stages[1:]:
            state = stage.begin(state, key)
        return state

    state = build({"cover": np.zeros((1, 32, 32, 1), np.float32)})
    scheme = asymmetric.scheme(state, section, name="asymmetric")
    return FAST._replace(learned=scheme, code=code)


@pytest.mark.parametrize(
    "shares,code,shape",
    [
        ((1, 1), "stc", (37, 51, 1)),
        ((3, 7), "polar", (29, 33, 3)),
        ((1, 2, 1, 15), "stc", (51, 37, 1)),
    ],
)
def test_learned_costs_hide_and_the_key_alone_reveals(shares, code, shape):
    """With an untrained generator, on odd sizes, grey and colour; the header says what the
    sub-images are.
    """
    cover, choices = photograph(shape), learned(shares, code)
    most = hiding.capacity(cover, choices=choices).most
    message = np.random.default_rng(0).bytes(most // 2)
    stego = hiding.hide(KEY, cover, message, choices=choices)
    assert np.abs(stego.astype(int) - cover.pixels).max() == 1
    assert hiding.reveal(KEY, stego) == message
    with pytest.raises(InputError, match="no message"):
        hiding.reveal(OTHER, stego)


def test_the_second_mask_sees_what_was_done_to_the_first():
    """A rule that makes +1 cheap once there are modifications."""

    def upwards(cost, cover, before):
        costs = cost(cover)
        return costs._replace(plus=jnp.where(jnp.abs(before).sum() > 0, 0.01, 1.0) * costs.plus)

    recipe = embed.masks((1, 1), [embed.no_adjustment, upwards])
    cover = photograph((64, 64, 1))
    choices = FAST._replace(learned=embed.Scheme("by hand", learned((1, 1)).learned.cost, recipe))
    stego = hiding.hide(KEY, cover, np.random.default_rng(1).bytes(120), choices=choices)
    found = hiding.compare(cover, images.Picture(stego))
    assert found.raised > 2 * found.lowered
    assert hiding.reveal(KEY, stego)


def test_the_header_of_masks():
    assert hiding._scheme(learned((3, 7)))[2:] == (3, 3 + 7 * 16)
    assert hiding._weights(3 + 7 * 16) == (3, 7) and hiding._weights(0x1111) == (1, 1, 1, 1)
    for nothing in (0, 1, 15, 0x10, 0x101, 0x1011):
        assert hiding._weights(nothing) == ()
    assert hiding._scheme(FAST)[2:] == (1, 1)


def test_one_sub_image_is_written_as_the_plain_scheme():
    plain = hiding.hide(
        KEY, photograph((36, 36, 1)), b"x", choices=FAST._replace(scheme="plain"), salt=bytes(16)
    )
    alone = hiding.hide(KEY, photograph((36, 36, 1)), b"x", choices=learned((1,)), salt=bytes(16))
    np.testing.assert_array_equal(plain, alone)


def test_another_salt_is_tried_where_the_code_stumbles(monkeypatch):
    real, salts = hiding._attempt, []

    def stumbling(*arguments):
        salts.extend(arguments[-1])
        if len(salts) < 3:
            raise hiding._Stumbled
        return real(*arguments)

    monkeypatch.setattr(hiding, "_attempt", stumbling)
    stego = hiding.hide(KEY, photograph((36, 36, 1)), b"x", choices=FAST)
    assert hiding.reveal(KEY, stego) == b"x" and len(set(salts)) == 3
    monkeypatch.setattr(hiding, "_SALTS", 2)
    salts.clear()
    with pytest.raises(InputError, match="do not fit: too much of the cover"):
        hiding.hide(KEY, photograph((36, 36, 1)), b"x", choices=FAST)


def test_one_secret_never_repeats_a_stego():
    cover = photograph((36, 36, 1))
    first, second = (hiding.hide(KEY, cover, b"x", choices=FAST) for _ in range(2))
    assert not np.array_equal(first, second)
    again = [hiding.hide(KEY, cover, b"x", choices=FAST, salt=bytes(16)) for _ in range(2)]
    np.testing.assert_array_equal(*again)


def test_where_salt_header_and_body_lie():
    keys = secret.derive(KEY, bytes(16))
    for count, salt, header in (
        (768, 128, 256),
        (3000, 384, 672),
        (12_000, 1000, 1500),
        (100_000, 4096, 4096),
    ):
        places = hiding._places(keys, count)
        assert np.array_equal(np.sort(np.concatenate(places)), np.arange(count))
        assert (len(places.salt), len(places.header)) == (salt, header)
        assert np.array_equal(places.salt, secret.public_order(count)[:salt])


def test_transparent_pixels_keep_their_colour_and_alpha_its_values(tmp_path):
    picture = photograph((40, 40, 3))
    alpha = np.full((40, 40), 255, np.uint8)
    alpha[:, :15], alpha[:, 15:20] = 0, 7
    images.write(tmp_path / "c.png", picture.pixels, like=picture._replace(alpha=alpha))
    hiding.hide_file(KEY, tmp_path / "c.png", b"message", tmp_path / "s.png", choices=FAST)
    stego = images.read(tmp_path / "s.png")
    np.testing.assert_array_equal(stego.alpha, alpha)
    difference = stego.pixels.astype(int) - picture.pixels
    assert not difference[:, :15].any() and difference[:, 15:].any()
    assert hiding.reveal_file(KEY, tmp_path / "s.png") == b"message"


def test_metadata_stays_and_the_cover_is_not_touched(tmp_path):
    picture = photograph((40, 40, 1))
    metadata = images.Metadata(gamma=0.45455, dpi=(300.0, 300.0), text=(("Author", "nobody"),))
    images.write(tmp_path / "c.png", picture.pixels, like=picture._replace(metadata=metadata))
    before = (tmp_path / "c.png").read_bytes()
    done = hiding.hide_file(KEY, tmp_path / "c.png", b"message", tmp_path / "s.png", choices=FAST)
    assert (tmp_path / "c.png").read_bytes() == before
    stego = images.read(tmp_path / "s.png")
    assert stego.metadata.gamma == pytest.approx(0.45455) and stego.metadata.text == (
        ("Author", "nobody"),
    )
    assert done.changes == (stego.pixels != picture.pixels).sum() and done.largest == 1
    for overwrite, error in ((False, "exists already"), (True, "is the cover itself")):
        with pytest.raises(InputError, match=error):
            hiding.hide_file(
                KEY,
                tmp_path / "c.png",
                b"message",
                tmp_path / "c.png",
                choices=FAST,
                overwrite=overwrite,
            )
    assert (tmp_path / "c.png").read_bytes() == before


@pytest.mark.parametrize("name", ["s.tif", "s.bmp", "s.ppm"])
def test_other_lossless_formats_carry_messages(tmp_path, name):
    images.write(tmp_path / "c.png", photograph((20, 20, 3)).pixels)
    hiding.hide_file(KEY, tmp_path / "c.png", b"message", tmp_path / name, choices=FAST)
    assert hiding.reveal_file(KEY, tmp_path / name) == b"message"


def test_a_file_that_does_not_give_the_message_back_is_removed(tmp_path, monkeypatch):
    images.write(tmp_path / "c.png", photograph((40, 40, 1)).pixels)
    real = images.write
    monkeypatch.setattr(
        images,
        "write",
        lambda path, pixels, **options: real(path, pixels ^ (pixels > 128), **options),
    )
    with pytest.raises(InputError, match="did not give the message back and was removed"):
        hiding.hide_file(KEY, tmp_path / "c.png", b"message", tmp_path / "s.png", choices=FAST)
    assert [path.name for path in tmp_path.iterdir()] == ["c.png"]


def test_figures_and_picture_of_changes_by_hand():
    cover = images.Picture(np.full((2, 2, 3), 100, np.uint8))
    changed = cover.pixels.copy()
    changed[0, 0, 0], changed[0, 1, 1], changed[1, 0] = 101, 98, (99, 101, 100)
    found = hiding.compare(cover, images.Picture(changed))
    assert (found.elements, found.raised, found.lowered, found.largest, found.changes) == (
        12,
        2,
        2,
        2,
        4,
    )
    assert found.psnr == pytest.approx(10 * np.log10(255**2 / ((1 + 4 + 1 + 1) / 12)), abs=1e-3)
    shown = hiding.picture_of_changes(cover, images.Picture(changed))
    assert shown.tolist() == [[[255, 48, 32], [48, 96, 255]], [[255, 255, 255], [89, 89, 89]]]
    with pytest.raises(InputError, match=r"2x2 with 3 channels, 2x1 with 3 channels"):
        hiding.compare(cover, images.Picture(changed[:1]))


def test_many_covers_and_few_messages(tmp_path):
    covers = [tmp_path / name for name in ("a.png", "b.png", "b.tif", "c.png")]
    for number, path in enumerate(covers):
        images.write(path, photograph((36, 36, 1), number).pixels)
    covers[3].write_bytes(b"no picture")
    entries = list(
        hiding.hide_many(
            KEY, covers, [("one", b"first"), ("two", b"second")], tmp_path / "out", choices=FAST
        )
    )
    assert [entry.get("stego") for entry in entries] == ["a.png", "b.png.png", "b.tif.png", None]
    assert "not a picture" in entries[3]["error"]
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["pictures"] == entries
    for entry, message in zip(entries[:3], (b"first", b"second", b"first")):
        assert hiding.reveal_file(KEY, tmp_path / "out" / entry["stego"]) == message
    with pytest.raises(InputError, match="manifest.json: exists already"):
        list(hiding.hide_many(KEY, covers, [("one", b"first")], tmp_path / "out", choices=FAST))
    with pytest.raises(InputError, match="3 messages need at least as many covers"):
        list(hiding.hide_many(KEY, covers[:2], [("m", b"")] * 3, tmp_path / "new", choices=FAST))


@pytest.mark.parametrize(
    "field,value",
    [("cost", "hil"), ("scheme", "none"), ("code", "hamming"), ("constraint_height", 6)],
)
def test_unknown_choices_are_named(field, value):
    with pytest.raises(InputError, match=f"unknown .*{value}.*choose one of"):
        hiding.hide(
            KEY, photograph((36, 36, 1)), b"", choices=hiding.Choices()._replace(**{field: value})
        )


@pytest.mark.parametrize(
    "mode,file_format,words",
    [("P", "PNG", "palette"), ("1", "PNG", "black-and-white"), ("RGB", "JPEG", "JPEG")],
)
def test_what_to_know_about_a_cover(mode, file_format, words):
    assert words in hiding.notes(photograph((9, 9, 1))._replace(mode=mode, format=file_format))[0]
    assert not hiding.notes(photograph((9, 9, 1)))
