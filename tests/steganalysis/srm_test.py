"""SRM against the spec's golden values, MATLAB's features, and a naive count of tuples written from
the table of submodels.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from stegojax.errors import InputError
from stegojax.steganalysis import srm

GOLDEN = {
    "s1_minmax22h_q1": (0.520187, 0.344177),
    "s1_minmax54_q2": (1.042523, 0.639489),
    "s2_minmax32_q15": (0.182525, 0.172089),
    "s3_minmax41_q1": (0.538611, 0.314327),
    "s3x3_minmax24_q1": (0.304176, 0.325178),
    "s5x5_minmax22v_q2": (0.163646, 0.110234),
    "s1_spam14hv_q1": (0.209998, 0.141334),
    "s2_spam12hv_q2": (0.452673, 0.327228),
    "s35_spam11_q1": (0.572867, 0.530409),
}


def golden_image():
    i, j = np.mgrid[:64, :64]
    return (
        2 * i + j + ((37 * i * i + 59 * j * j + 83 * i * j + 101 * i + 7 * j) % 251) // 40
    ).astype(np.float32)


def photograph_like(height, width, seed):
    """Smooth patches, edges, noise and saturated spots, so that all values of all residuals
    occur.
    """
    generator = np.random.default_rng(seed)
    row, column = np.mgrid[:height, :width]
    image = 90 + 60 * np.sin(row / 9 + column / 31) + 70 * ((row // 13 + column // 17) % 2)
    image += generator.normal(0, 1, image.shape) * (1 + 8 * (column > width / 2))
    return np.clip(np.round(image), 0, 255).astype(np.float32)


# The naive reference: residuals by slices, floating-point quantisation, min and max of arrays, one
# count per bin.


def naive_residuals(x):
    x = x.astype(np.int64)

    def at(crop, down, right):
        return x[crop + down : x.shape[0] - crop + down, crop + right : x.shape[1] - crop + right]

    around = dict(
        R=(0, 1), L=(0, -1), U=(-1, 0), D=(1, 0), RU=(-1, 1), LU=(-1, -1), RD=(1, 1), LD=(1, -1)
    )
    first = {k: at(1, i, j) - at(1, 0, 0) for k, (i, j) in around.items()}
    second = {
        k: at(1, -i, -j) - 2 * at(1, 0, 0) + at(1, i, j)
        for k, (i, j) in dict(h=(0, 1), v=(1, 0), d=(1, 1), m=(1, -1)).items()
    }
    third = {
        k: -at(2, 2 * i, 2 * j) + 3 * at(2, i, j) - 3 * at(2, 0, 0) + at(2, -i, -j)
        for k, (i, j) in around.items()
    }
    kb = "-1 2 -1;2 -4 2;-1 2 -1"
    kv = "-1 2 -2 2 -1;2 -6 8 -6 2;-2 8 -12 8 -2;2 -6 8 -6 2;-1 2 -2 2 -1"
    squares = []
    for text in (kb, kv):
        kernel = np.array([[int(v) for v in line.split()] for line in text.split(";")])
        m = len(kernel) // 2
        reach = range(-m, m + 1)
        sides = dict(
            all=lambda i, j: True,
            u=lambda i, j: i <= 0,
            b=lambda i, j: i >= 0,
            l=lambda i, j: j <= 0,
            r=lambda i, j: j >= 0,
        )
        squares.append(
            {
                k: sum(
                    kernel[i + m, j + m] * at(m, i, j) for i in reach for j in reach if kept(i, j)
                )
                for k, kept in sides.items()
            }
        )
    return dict(
        s1=(1, first), s2=(2, second), s3=(3, third), s3x3=(4, squares[0]), s5x5=(12, squares[1])
    )


def naive_quantise(residual, step):
    scaled = residual / step
    return np.clip(np.sign(scaled) * np.floor(np.abs(scaled) + 0.5), -2, 2).astype(int)


def naive_table(quantised, rows, columns, combine):
    total = 0
    for transposed, sets in enumerate((rows, columns)):
        count = np.zeros(625)
        for chosen in sets:
            values = combine([quantised[name] for name in chosen.split()], axis=0) + 2
            values = values.T if transposed else values
            code = 125 * values[:, :-3] + 25 * values[:, 1:-2] + 5 * values[:, 2:-1] + values[:, 3:]
            count += np.bincount(code.ravel(), minlength=625)
        total = total + count / count.sum()
    return total.reshape(5, 5, 5, 5)


def naive_merge(table, sign):
    merged = {}
    for bin_ in itertools.product(range(5), repeat=4):
        images = {bin_, bin_[::-1]}
        if sign:
            images |= {tuple(4 - v for v in image) for image in images}
        merged[min(images)] = sum(table[image] for image in images)
    order = sorted(merged, key=lambda b: (b != (2, 2, 2, 2), b)) if sign else sorted(merged)
    return [merged[bin_] for bin_ in order]


def naive_features(x):
    fours = (
        ["R U RU LU", "L D LD RD", "R D RD LD", "L U LU RU"],
        ["R D RD RU", "L U LU LD", "R U RU RD", "L D LD LU"],
    )
    corners, triples = ["R U", "R D", "L U", "L D"], (["L U R", "R D L"], ["U R D", "D L U"])
    directed = {
        "minmax22h": (["R L"], ["U D"]),
        "minmax34h": triples,
        "minmax22v": (["U D"], ["R L"]),
        "minmax24": (corners, corners),
        "minmax34v": triples[::-1],
        "minmax41": (["R L U D"],) * 2,
        "minmax34": (["R U RU", "R D RD", "L U LU", "L D LD"],) * 2,
        "minmax48h": fours,
        "minmax48v": fours[::-1],
        "minmax54": (["R U RU LU RD", "L D LD RD LU", "R D RD LD RU", "L U LU RU LD"],) * 2,
        "spam14hv": (["R"], ["U"]),
    }
    lines = {
        "minmax21": (["h v"],) * 2,
        "minmax41": (["h v d m"],) * 2,
        "minmax32": (["h v m", "h v d"],) * 2,
        "minmax24h": (["m h", "d h"], ["m v", "d v"]),
        "minmax24v": (["m v", "d v"], ["m h", "d h"]),
        "spam12hv": (["h"], ["v"]),
    }
    edges = {
        "minmax24": (["u l", "b r", "u r", "b l"],) * 2,
        "minmax22h": (["u b"], ["l r"]),
        "minmax22v": (["l r"], ["u b"]),
        "minmax41": (["u b l r"],) * 2,
        "spam14hv": (["u", "b"], ["l", "r"]),
    }
    found = {}
    for family, (divisor, residuals) in naive_residuals(x).items():
        kinds = dict(s1=directed, s2=lines, s3=directed).get(family, edges)
        for step, end in ((1, "q1"), (1.5, "q15"), (2, "q2")):
            if (family, end) == ("s1", "q15"):
                continue
            quantised = {
                name: naive_quantise(residual, step * divisor)
                for name, residual in residuals.items()
            }
            for kind, (rows, columns) in kinds.items():
                if kind.startswith("spam"):
                    halves = (rows, columns), (columns, rows)
                    bins = sum(
                        (
                            naive_merge(naive_table(quantised, *half, np.max), True)
                            for half in halves
                        ),
                        [],
                    )
                else:
                    low, high = (
                        naive_table(quantised, rows, columns, combine)
                        for combine in (np.min, np.max)
                    )
                    bins = naive_merge(low + np.flip(high), False)
                found[f"{family}_{kind}_{end}"] = bins
            if "all" in quantised:
                found.setdefault(f"s35_spam11_{end}", []).extend(
                    naive_merge(naive_table(quantised, ["all"], ["all"], np.max), True)
                )
    return found


@pytest.fixture(scope="module")
def turned():
    """Features of the golden image, of its mirror image, of it turned by 180 degrees, and of its
    transpose.
    """
    image = golden_image()
    return np.asarray(srm.features(np.stack([image, image[:, ::-1], image[::-1, ::-1], image.T])))


def test_there_are_106_submodels_of_34671_features():
    assert len(srm.SUBMODELS) == 106 and len(srm.SUBMODELS_Q1) == 39
    for submodels, size in ((srm.SUBMODELS, 34671), (srm.SUBMODELS_Q1, 12753)):
        ends = [0] + [place.stop for place in submodels.values()]
        assert [place.start for place in submodels.values()] == ends[:-1] and ends[-1] == size
    assert list(srm.SUBMODELS_Q1) == [name for name in srm.SUBMODELS if name.endswith("_q1")]


def test_golden_values(turned):
    assert golden_image().sum() == 398140 and golden_image()[10, 20] == 43
    for name, (squares, largest) in GOLDEN.items():
        values = turned[0, srm.SUBMODELS[name]].astype(np.float64)
        np.testing.assert_allclose(
            [np.sum(values**2), values.max()], [squares, largest], atol=6e-7, err_msg=name
        )


def test_every_submodel_sums_to_four(turned):
    for name, place in srm.SUBMODELS.items():
        np.testing.assert_allclose(turned[:, place].sum(-1), 4, rtol=1e-5, err_msg=name)


def test_symmetric_submodels_do_not_see_how_the_picture_lies(turned):
    directed = [name for name in srm.SUBMODELS if "spam14hv" in name and name[:3] in ("s1_", "s3_")]
    assert len(directed) == 5
    for name, place in srm.SUBMODELS.items():
        difference = np.abs(turned[1:, place] - turned[:1, place]).max()
        assert difference > 1e-4 if name in directed else difference < 1e-6, name


@pytest.mark.parametrize(
    "shape,seeds", [((131, 700), (1,)), ((8, 9), (1, 2))], ids=["several chunks", "smallest"]
)
def test_naive_counts_agree_in_every_bin(shape, seeds):
    images = np.stack([photograph_like(*shape, seed) for seed in seeds])
    found = np.asarray(srm.features(images))
    assert found.shape == (len(seeds), 34671) and found.dtype == np.float32
    for row, image in zip(found, images):
        expected = naive_features(image)
        assert expected.keys() == srm.SUBMODELS.keys()
        for name, place in srm.SUBMODELS.items():
            np.testing.assert_allclose(
                row[place], expected[name], rtol=1e-6, atol=1e-7, err_msg=name
            )


def test_matlab_features(shared):
    numbers = [
        number
        for number in range(1, 100)
        if (shared / "reference" / f"seal{number}_features.npz").exists()
    ]
    images = [
        np.asarray(Image.open(shared / "reference" / f"seal{number}.png"), np.float32)
        for number in numbers
    ]
    found = np.asarray(jax.jit(srm.features)(np.stack(images)))
    for row, number in zip(found, numbers):
        reference = np.load(shared / "reference" / f"seal{number}_features.npz")
        assert [name for name in reference.files if name.startswith("srm_")] == [
            f"srm_{name}" for name in srm.SUBMODELS
        ]
        for name, place in srm.SUBMODELS.items():
            np.testing.assert_allclose(
                row[place], reference[f"srm_{name}"].ravel(), rtol=3e-7, atol=2e-8, err_msg=name
            )


def test_q1_is_the_q1_part_whatever_is_worked_on_together(turned):
    image = golden_image()
    planes = jnp.asarray(np.stack([image, image.T, image[:, ::-1]]))
    expected = np.concatenate(
        [turned[:, place] for name, place in srm.SUBMODELS.items() if name in srm.SUBMODELS_Q1], -1
    )
    expected = expected[[0, 3, 1]]
    ways = {
        "one by one": np.concatenate([srm.features_q1(plane[None]) for plane in planes]),
        "together": srm.features_q1(planes, at_once=2),
    }
    for way, found in ways.items():
        assert found.shape == (3, 12753)
        np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=way)


def test_one_trace_serves_every_batch_of_a_shape():
    traces = []

    @jax.jit
    def features(planes):
        traces.append(planes.shape)
        return srm.features_q1(planes)

    for seed in range(3):
        features(photograph_like(9, 8, seed)[None])
    assert traces == [(1, 9, 8)]


@pytest.mark.parametrize(
    ("planes", "what"),
    [
        (np.zeros((16, 16), np.float32), r"\(16, 16\)"),
        (np.zeros((0, 16, 16), np.float32), r"\(0, 16, 16\)"),
        (np.zeros((1, 7, 16), np.float32), "8 x 8"),
        (np.zeros((1, 16, 7), np.float32), "8 x 8"),
        (np.zeros((1, 16, 16), np.uint8), "uint8"),
        (np.full((1, 16, 16), 0.5, np.float32), "0.5"),
        (np.full((1, 16, 16), 256, np.float32), "256"),
        (np.full((1, 16, 16), np.nan, np.float32), "nan"),
    ],
)
def test_only_planes_of_whole_pixels_are_taken(planes, what):
    for features in (srm.features, srm.features_q1):
        with pytest.raises(InputError, match=what):
            features(planes)


def test_at_least_one_plane_at_a_time():
    with pytest.raises(InputError, match="at_once=0"):
        srm.features(np.zeros((1, 16, 16), np.float32), at_once=0)
