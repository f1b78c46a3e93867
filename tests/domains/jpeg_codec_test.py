"""The codec of JPEG files against itself (every byte comes back), libjpeg, Pillow and the spec."""

import io
import time

import numpy as np
import pytest
from PIL import Image
from support.jpeg_files import CORPUS, by_pillow, corpus

from stegojax.domains import jpeg_codec
from stegojax.domains.jpeg_codec import TableSegment, decode, encode, huffman, lanes, markers
from stegojax.errors import InputError

OPTIMISED = [name for name in CORPUS if "optimised" in name or "progressive" in name]
CHANGED = [name for name in CORPUS if name not in ("progressive, flat", "flat", "many lanes")]

STEPS = np.array(
    "8 6 5 8 12 20 26 31 6 6 7 10 13 29 30 28 7 7 8 12 20 29 35 28 7 9 11 15 26 44 40 31 9 11 "
    "19 28 34 55 52 39 12 18 28 32 41 52 57 46 25 32 39 44 52 61 60 51 36 46 48 49 56 50 52 "
    "50".split(),
    int,
).reshape(8, 8)


def changed(planes, seed=0, rate=0.02):
    """Planes with some coefficients changed by one, none beyond 1023."""
    generator = np.random.default_rng(seed)
    result = []
    for plane in planes:
        step = generator.choice([-1, 0, 1], plane.shape, p=[rate / 2, 1 - rate, rate / 2])
        result.append(np.clip(plane + step, -1023, 1023).astype(np.int16))
    return tuple(result)


def same(planes, others):
    return len(planes) == len(others) and all(map(np.array_equal, planes, others))


def by_jpeglib(content, tmp_path):
    """Coefficients as libjpeg gives them, in planes."""
    jpeglib = pytest.importorskip("jpeglib", reason="jpeglib is absent: no second opinion")
    path = tmp_path / "file.jpg"
    path.write_bytes(content)
    picture = jpeglib.read_dct(str(path))
    parts = [part for part in (picture.Y, picture.Cb, picture.Cr, picture.K) if part is not None]
    planes = [
        part.transpose(0, 2, 1, 3).reshape(8 * part.shape[0], 8 * part.shape[1]) for part in parts
    ]
    tables = [picture.qt[number] for number in picture.quant_tbl_no[: len(parts)]]
    return planes, tables


@pytest.mark.parametrize("name", CORPUS)
def test_an_unchanged_file_comes_back(name):
    content = corpus(name)
    picture = decode(content)
    assert encode(picture.planes, picture.rest) == content


@pytest.mark.parametrize("name", CORPUS)
def test_coefficients_and_steps_are_libjpegs(name, tmp_path):
    content = corpus(name)
    picture = decode(content, rewritable=False)
    planes, tables = by_jpeglib(content, tmp_path)
    assert same(picture.planes, planes)
    assert same(picture.quantisation, tables)


@pytest.mark.parametrize("name", CHANGED)
def test_changes_survive_and_are_what_libjpeg_reads(name, tmp_path):
    content = corpus(name)
    picture = decode(content)
    planes = changed(picture.planes)
    stego = encode(planes, picture.rest)
    again = decode(stego)
    assert same(again.planes, planes)
    assert again.rest.optimised == picture.rest.optimised
    assert same(by_jpeglib(stego, tmp_path)[0], planes)
    if "CMYK" not in name and "components" not in name:
        Image.open(io.BytesIO(stego)).load()


@pytest.mark.parametrize("name", CHANGED)
def test_nothing_but_data_and_optimised_tables_differs(name):
    picture = decode(corpus(name))
    stego = decode(encode(changed(picture.planes), picture.rest))
    pieces, others = picture.rest.layout.pieces, stego.rest.layout.pieces
    assert len(pieces) == len(others)
    for piece, other in zip(pieces, others):
        if isinstance(piece, TableSegment) and any(
            picture.rest.optimised[place] for place in piece.tables
        ):
            assert piece.selectors == other.selectors
        else:
            assert piece == other


@pytest.mark.parametrize("name", OPTIMISED)
def test_tables_that_were_the_best_are_recognised(name):
    rest = decode(corpus(name)).rest
    used = {*sum((scan.dc_tables + scan.ac_tables for scan in rest.layout.scans), ())} - {-1}
    assert any(rest.optimised)
    if "flat" not in name:
        assert sum(rest.optimised) >= len(used) - 1


def test_tables_of_a_stego_are_what_libjpeg_makes_of_its_coefficients(tmp_path):
    jpeglib = pytest.importorskip("jpeglib", reason="jpeglib is absent: no second opinion")
    picture = decode(by_pillow(160, 200, quality=80, optimize=True))
    stego = encode(changed(picture.planes, rate=0.2), picture.rest)
    (tmp_path / "stego.jpg").write_bytes(stego)
    jpeglib.read_dct(str(tmp_path / "stego.jpg")).write_dct(
        str(tmp_path / "again.jpg"), flags=["+OPTIMIZE_CODING"]
    )
    tables = markers.parse((tmp_path / "again.jpg").read_bytes()).tables
    assert markers.parse(stego).tables == tables
    assert tables != picture.rest.layout.tables


def test_golden_coefficients():
    i, j = np.mgrid[:32, :32]
    a = (37 * i * i + 59 * j * j + 83 * i * j + 101 * i + 7 * j) % 251 - 125
    coefficients = np.sign(a) * (abs(a) // (2 + 2 * (i % 8 + j % 8) ** 2))
    picture = decode(by_pillow(32, 32, mode="L", quality=75))
    assert np.array_equal(picture.quantisation[0], STEPS)
    stego = encode((coefficients.astype(np.int16),), picture.rest)
    pixels = np.array(Image.open(io.BytesIO(stego))).astype(int)
    assert pixels[0, :8].tolist() == [53, 50, 47, 65, 84, 72, 74, 109]
    assert (pixels.sum(), pixels.min(), pixels.max()) == (109433, 33, 237)
    assert np.array_equal(decode(stego).planes[0], coefficients)


def judged(content):
    """What comes of a damaged file: True where it is read and comes back, False where refused."""
    begun = time.perf_counter()
    try:
        picture = decode(content)
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 200
        return False
    finally:
        assert time.perf_counter() - begun < 20
    assert encode(picture.planes, picture.rest) == content
    return True


def damages(count, seed):
    """Files of the corpus with a bit turned over, or cut off."""
    generator = np.random.default_rng(seed)
    names = [name for name in CHANGED if name != "trailer"]
    for nth in range(count):
        content = bytearray(corpus(names[generator.integers(len(names))]))
        at = int(generator.integers(len(content)))
        if nth % 2:
            yield "cut", bytes(content[:at])
        else:
            content[at] ^= 1 << int(generator.integers(8))
            yield "bit", bytes(content)


def judge_damages(count, seed):
    results = {(kind, judged(content)) for kind, content in damages(count, seed)}
    assert ("cut", True) not in results
    assert ("bit", False) in results


def test_damaged_files_are_refused_in_a_line_or_come_back():
    judge_damages(100, 0)


@pytest.mark.slow
def test_many_damaged_files_are_refused_in_a_line_or_come_back():
    judge_damages(500, 1)


def patched(content, marker, offset, value):
    at = content.index(marker) + offset
    return content[:at] + value + content[at + len(value) :]


def test_kinds_that_are_not_read_are_refused_by_name():
    content = corpus("4:2:0")
    frame = b"\xff\xc0"
    for marker, word in (
        (0xC3, "lossless"),
        (0xC9, "arithmetic"),
        (0xCA, "arithmetic"),
        (0xC5, "hierarchical"),
        (0xDE, "hierarchical"),
    ):
        with pytest.raises(InputError, match=word):
            decode(patched(content, frame, 1, bytes([marker])))
    with pytest.raises(InputError, match="12 bits"):
        decode(patched(content, frame, 4, b"\x0c"))
    with pytest.raises(InputError, match="16 bits"):
        decode(patched(content, frame, 4, b"\x10"))
    with pytest.raises(InputError, match="how large"):
        decode(patched(content, frame, 5, b"\x00\x00"))
    with pytest.raises(InputError, match="too large|more than is read"):
        decode(patched(content, frame, 5, b"\xff\xff\xff\xff"))
    for nothing in (b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n" * 9):
        with pytest.raises(InputError, match="not a JPEG file"):
            decode(nothing)
    with pytest.raises(InputError, match="no picture"):
        decode(b"\xff\xd8\xff\xd9")
    with pytest.raises(InputError, match="no-such-file.jpg: cannot be read"):
        jpeg_codec.read("no-such-file.jpg")


def test_a_file_of_an_unknown_encoder_is_refused_unless_it_is_only_looked_at():
    refused = 0
    for quality in range(60, 80):
        content = bytearray(by_pillow(8, 8, mode="L", quality=quality))
        planes = decode(bytes(content)).planes
        # The last of the bits that fill the last byte: a mixture of both is nobody's habit.
        content[-3] ^= 1
        try:
            decode(bytes(content))
        except InputError as error:
            if "cannot be imitated" in str(error):
                refused += 1
                assert same(decode(bytes(content), rewritable=False).planes, planes)
    assert refused


def test_symbols_that_kept_tables_lack_are_named():
    picture = decode(by_pillow(200, 200, quality=60, optimize=True))
    rest = picture.rest._replace(optimised=(False,) * len(picture.rest.optimised))
    planes = changed(picture.planes, rate=0.3)
    with pytest.raises(InputError, match="lack a symbol"):
        encode(planes, rest)
    rounds = 0
    while True:
        marks = jpeg_codec.absent(planes, rest)
        faults = [mark & (p != q) for mark, p, q in zip(marks, planes, picture.planes)]
        if not any(fault.any() for fault in faults):
            break
        planes = tuple(np.where(fault, q, p) for fault, p, q in zip(faults, planes, picture.planes))
        rounds += 1
    assert 1 <= rounds < 10
    assert not same(planes, picture.planes)
    assert same(decode(encode(planes, rest)).planes, planes)


def test_lanes_that_begin_wrongly_are_read_again(monkeypatch):
    content = corpus("many lanes")
    expected = decode(content).planes
    monkeypatch.setattr(lanes, "START_BEFORE", 3)
    monkeypatch.setattr(lanes, "LANE", 256)
    monkeypatch.setattr(lanes, "TOGETHER", 50)
    assert same(decode(content).planes, expected)


def test_the_optimum_of_few_symbols():
    frequencies = np.zeros(256, int)
    frequencies[[3, 5, 9]] = 10, 1, 1
    table = huffman.optimum(frequencies)
    assert table.symbols == bytes([3, 5, 9]) and table.counts[:3] == bytes([1, 1, 1])
    skewed = np.zeros(256, int)
    skewed[:30] = 2 ** np.arange(30)
    huffman.check(huffman.optimum(skewed))
    with pytest.raises(InputError):
        huffman.check(huffman.Table(bytes([3] + [0] * 15), b"abc"))


def comes_back(paths):
    for path in paths:
        content = path.read_bytes()
        picture = decode(content)
        assert encode(picture.planes, picture.rest) == content, path


def test_photographs_come_back(shared):
    paths = sorted(shared.rglob("*.jpg"))
    assert paths, "there are no JPEG files in STEGOJAX_SHARED"
    comes_back(paths[:: len(paths) // 12])


@pytest.mark.slow
def test_every_photograph_comes_back(shared):
    comes_back(sorted(shared.rglob("*.jpg")))
