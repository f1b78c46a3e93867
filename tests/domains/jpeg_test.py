"""JPEG covers: what may change in them, what is said about them, and that libjpeg reads their
stegos as we do.
"""

import io

import jax
import jpeglib
import numpy as np
import pytest
from PIL import Image
from support.jpeg_files import by_pillow, corpus

from stegojax import domains, embed, recipes
from stegojax.coding import ternary
from stegojax.domains import JPEG, jpeg, jpeg_codec
from stegojax.errors import InputError
from stegojax.types import Cover


def changed(cover, seed=0, rate=0.05):
    """The cover with some coefficients changed by one, as embedding may."""
    generator = np.random.default_rng(seed)
    step = generator.choice([-1, 0, 1], cover.elements, p=[rate / 2, 1 - rate, rate / 2])
    values = cover.flat()
    step[abs(values.astype(int)) >= 1023] = 0
    return cover.with_elements(values + step)


def saved(cover, rest):
    file = io.BytesIO()
    JPEG.save(file, cover, rest, path="x.jpg")
    return file.getvalue()


@pytest.mark.parametrize(
    "name", ["4:4:4", "EXIF, ICC, comment", "optimised", "progressive", "CMYK"]
)
def test_libjpeg_reads_the_stego_and_all_else_is_kept(tmp_path, name):
    content = corpus(name)
    cover, rest = jpeg.decode(content)
    JPEG.check("x.jpg", cover, rest)
    stego = changed(cover)
    path = tmp_path / "x.jpg"
    path.write_bytes(saved(stego, rest))
    back, beside = JPEG.read(path)
    assert np.array_equal(back.flat(), stego.flat()) and JPEG.kept(rest, beside)
    picture = jpeglib.read_dct(str(path))
    planes = [getattr(picture, which) for which in ("Y", "Cb", "Cr", "K")[: len(stego.planes)]]
    for plane, theirs in zip(stego.planes, planes):
        assert np.array_equal(np.concatenate(np.concatenate(theirs, 1), 1), plane)
    other = by_pillow(61, 83, quality=76)
    assert not JPEG.kept(rest, jpeg.decode(other)[1])


def test_side_sizes_and_weight():
    cover, rest = jpeg.decode(corpus("trailer"))
    assert JPEG.size(cover, rest) == (61, 83)
    assert cover.shapes[0] == (64, 88) and [side[0].shape for side in cover.side] == [(8, 8)] * 3
    ac = sum(
        np.count_nonzero(
            plane.reshape(-1, 8, plane.shape[1] // 8, 8).transpose(0, 2, 1, 3)[..., :, :]
        )
        - np.count_nonzero(plane[::8, ::8])
        for plane in cover.planes
    )
    assert JPEG.weight(cover) == ac > 100
    assert domains.of("Photo.JPG") is JPEG and domains.of("photo.png") is domains.PIXELS
    pixels = JPEG.pixels(cover)[:61, :83, 0]
    luma = Image.open(io.BytesIO(corpus("trailer")))
    luma.draft("L", luma.size)
    assert np.array_equal(pixels, np.array(luma))


def test_blocks_of_halved_components_stand_for_four():
    masks = (np.zeros((32, 32), bool), np.zeros((16, 16), bool))
    masks[0][0, 9], masks[1][8, 0] = True, True
    shown = JPEG.places(masks)
    assert shown[:8, 8:16].all() and shown[16:, :16].all() and shown.sum() == 64 + 256


def test_coefficients_at_the_end_of_their_range_are_frozen():
    cover, _ = jpeg.decode(by_pillow(16, 16, mode="L", quality=100, flat=True))
    assert cover.frozen == ()
    black = io.BytesIO()
    Image.new("L", (16, 16)).save(black, "JPEG", quality=100)
    cover, _ = jpeg.decode(black.getvalue())
    assert cover.planes[0][0, 0] == -1024 and cover.frozen[0].sum() == 4


def test_what_is_said_and_refused():
    for quality, word in ((98, None), (99, "rounding errors"), (100, "rounding errors")):
        _, rest = jpeg.decode(by_pillow(32, 32, mode="L", quality=quality))
        assert (word is None) == (not JPEG.notes(rest)) and all(word in n for n in JPEG.notes(rest))
    content = by_pillow(32, 32)

    def with_segment(marker, payload):
        segment = bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2, "big") + payload
        return jpeg.decode(content[:2] + segment + content[2:])

    cover, rest = with_segment(0xE2, b"MPF\0" + bytes(80))
    with pytest.raises(InputError, match="several pictures"):
        JPEG.check("x.jpg", cover, rest)
    cover, rest = with_segment(0xEB, b"JP\0\1\0\0\0\1\0\0\0\x30jumb\0\0\0\x10jumdc2pa")
    JPEG.check("x.jpg", cover, rest)
    assert "C2PA" in JPEG.objections(rest)[0]
    cover, rest = with_segment(0xE2, b"ICC_PROFILE\0\1\1")
    JPEG.check("x.jpg", cover, rest)
    assert JPEG.objections(rest) == ()


def test_an_encoder_that_cannot_be_imitated_is_read_and_refused():
    content = bytearray(by_pillow(8, 8, mode="L", quality=61))
    for bit in range(8):
        content[-3] ^= 1 << bit
        try:
            cover, rest = jpeg.decode(bytes(content))
        except InputError:
            continue
        if saved(cover, rest) != bytes(content):
            with pytest.raises(InputError, match="cannot be imitated"):
                JPEG.check("x.jpg", cover, rest)
            return
    raise AssertionError("no such file")


def test_changes_without_a_symbol_are_found():
    content = by_pillow(120, 120, quality=60, optimize=True)
    cover, rest = jpeg.decode(content)
    assert jpeg.unwritable(cover, changed(cover), rest) == ()
    kept = rest._replace(coded=rest.coded._replace(optimised=(False,) * 4))
    stego = changed(cover, rate=0.3)
    lacking = jpeg.unwritable(cover, stego, kept)
    assert lacking and any(mark.any() for mark in lacking)
    with pytest.raises(InputError, match="lack"):
        jpeg_codec.encode(stego.planes, kept.coded)


def test_bbc_favours_what_continues_over_the_border():
    def cost(plane):
        return recipes.Costs(plane * 0 + 4, plane * 0 + 4)

    modifications = np.zeros((24, 24), np.float32)
    modifications[8 + 2, 0 + 3] = 1  # odd v: the block to the right goes the other way
    modifications[0 + 4, 16 + 2] = -1  # even u: the block below goes the same way
    plus, minus = recipes.continue_blocks(cost, np.zeros((24, 24), np.float32), modifications)
    assert plus[8 + 2, 8 + 3] == 4 and minus[8 + 2, 8 + 3] == 2
    assert plus[8 + 4, 16 + 2] == 4 and minus[8 + 4, 16 + 2] == 2
    assert plus[16 + 2, 3] == 2 and minus[2, 3] == 4 and (np.asarray(plus) == 2).sum() == 2
    lattices = recipes.block_quarters(None, (24, 24), 4)
    assert [lattices[i, j] for i, j in ((0, 0), (7, 8), (8, 15), (15, 7), (16, 16))] == [
        0,
        1,
        2,
        3,
        0,
    ]


def test_frozen_elements_stay(tmp_path):
    cover, _ = jpeg.decode(by_pillow(64, 64, mode="L"))
    frozen = np.zeros((64, 64), bool)
    frozen[:32] = True
    given = Cover(cover.planes, (frozen,), cover.side)
    scheme = embed.parse_scheme("uerd-bbc", domain=JPEG)
    costs = embed.first_costs([given], scheme=scheme, domain=JPEG)
    assert (costs.plus.reshape(64, 64)[:32] == embed.WET_COST).all()
    assert (costs.plus.reshape(64, 64)[32:] < embed.WET_COST).any()


def test_single_changes_without_a_symbol_are_those_that_cannot_be_written():
    content = by_pillow(40, 48, mode="L", quality=60, optimize=True)
    cover, rest = jpeg.decode(content)
    coded = rest.coded._replace(optimised=(False,) * 2)
    (lacking,) = jpeg_codec.single_changes(cover.planes, coded.layout)
    assert 20 < lacking.sum() < lacking.size / 2
    generator = np.random.default_rng(0)
    for _ in range(200):
        i, j = generator.integers(40), generator.integers(48)
        if i % 8 == j % 8 == 0:
            continue
        refused = False
        for step in (1, -1):
            plane = cover.planes[0].copy()
            plane[i, j] += step
            try:
                jpeg_codec.encode((plane,), coded)
            except InputError:
                refused = True
        assert refused == lacking[i, j]


def boundary_pull(changes, steps):
    """g of BBM for one block, coefficient by coefficient."""
    w, t = [2**-0.5] + [1.0] * 7, [8.0] + [4.0] * 7
    moved = [[steps[u, v] * w[u] * w[v] / 2 * changes[u, v] for v in range(8)] for u in range(8)]

    def pair(j, k):
        return np.cos(j * np.pi / 16) * np.cos(k * np.pi / 16) + np.cos(
            15 * j * np.pi / 16
        ) * np.cos(15 * k * np.pi / 16)

    pull = np.zeros((8, 8))
    for u in range(8):
        for v in range(8):
            for e in (2, 4, 6):
                along, down = (v + e) % 8, (u + e) % 8
                pull[u, v] -= moved[u][along] * pair(v, along) * t[u]
                pull[u, v] -= moved[down][v] * pair(u, down) * t[v]
            pull[u, v] *= steps[u, v] * w[u] * w[v] / 2
    return pull


def test_bbm_undoes_what_a_block_does_to_its_boundary():
    def cost(plane):
        return recipes.Costs(plane * 0 + 4, plane * 0 + 6)

    generator = np.random.default_rng(0)
    modifications = generator.choice([-1, 0, 1], (16, 24), p=[0.1, 0.8, 0.1]).astype(np.float32)
    steps = generator.integers(1, 4, (8, 8)) / 4
    plus, minus = recipes.keep_boundaries(cost, np.zeros_like(modifications), modifications, steps)
    pull = boundary_pull(modifications[8:, 8:16], steps)
    down = np.exp(-abs(pull))
    expected = 4 * np.where(pull > 0, down, 1), 6 * np.where(pull < 0, down, 1)
    np.testing.assert_allclose(plus[8:, 8:16], expected[0], rtol=1e-4)
    np.testing.assert_allclose(minus[8:, 8:16], expected[1], rtol=1e-4)
    assert (pull > 0.01).any() and (pull < -0.01).any()
    own = np.broadcast_to(steps, (2, 8, 8))
    two = recipes.keep_boundaries(
        cost, *[np.stack([plane] * 2) for plane in (modifications * 0, modifications)], own
    )
    np.testing.assert_allclose(two.plus[1], plus)
    lattices = recipes.block_parts(None, (8, 16), 3)
    assert lattices[:, 8:].tolist() == lattices[:, :8].tolist()
    assert (
        lattices[:8, :8].tolist()
        == [[2, 2, 1, 1, 0, 0, 0, 0]] * 2 + [[1, 1, 0, 0, 0, 0, 0, 0]] * 2 + [[0] * 8] * 4
    )


def test_parts_of_blocks_carry_what_an_optimal_sender_puts_there():
    cover, _ = jpeg.decode(by_pillow(96, 96, quality=80))
    scheme = embed.parse_scheme("uerd-bbm", domain=JPEG)
    bits = round(0.3 * JPEG.weight(cover))
    first = embed.first_costs([cover], scheme=scheme, domain=JPEG)
    weights = embed.share_weights(cover.shapes, first, bits, recipe=scheme.recipe)
    # Low frequencies carry more than their four of sixty-four elements' share.
    assert len(weights) == 3 and max(weights) == 15 and weights[2] * 16 > 2 * sum(weights)
    order = np.random.default_rng(0).permutation(cover.elements)
    parts = embed.carriers(order, cover.shapes, recipe=scheme.recipe)
    message = np.random.default_rng(1).integers(0, 2, bits, dtype=np.uint8)
    code = ternary.stc_code(constraint_height=7)
    changes, lengths = embed.embed(parts, cover, message, scheme=scheme, code=code, domain=JPEG)
    carried = [sum(pair) for pair in lengths]
    assert carried == embed.shares(parts, bits, weights=weights) and sum(carried) == bits
    stego = cover.flat() + changes
    assert np.array_equal(embed.reveal(parts, stego, lengths, code=code), message)
    simulated = embed.simulate(jax.random.key(0), cover, bits, scheme=scheme, domain=JPEG)
    lattices = np.concatenate(
        [recipes.block_parts(None, shape, 3).ravel() for shape in cover.shapes]
    )
    for each in range(3):
        mine = abs(simulated[lattices == each]).sum()
        assert 0.6 * mine < abs(changes[lattices == each]).sum() < 1.6 * mine + 5
    # Near to the room, the room says who carries what.
    full = embed.share_weights(cover.shapes, first, 2 * cover.elements, recipe=scheme.recipe)
    assert full[0] == 15 and full[2] <= 2
    plane = np.asarray(cover.planes[0], np.float32)
    done = embed.simulate_visits(
        jax.random.key(0), plane, 300.0, scheme=scheme, domain=JPEG, side=cover.side[0]
    )
    rest = embed.simulate(
        jax.random.key(0),
        Cover((cover.planes[0],), side=cover.side[:1]),
        300,
        scheme=scheme,
        domain=JPEG,
    )
    assert abs(abs(done.modifications).sum() - abs(rest.astype(int)).sum()) < 40
