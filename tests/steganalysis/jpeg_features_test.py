"""DCTR, GFR and JRM against golden figures, Matlab's features and libjpeg."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.io
from costs.jpeg_costs_test import golden_coefficients
from PIL import Image

from stegojax.costs import dct
from stegojax.domains import jpeg_codec
from stegojax.errors import InputError
from stegojax.steganalysis import coefficients, dctr, gfr, jrm, phases

STEPS = dct.table(75)
GOLDEN = golden_coefficients(64)[None], STEPS[None]


def squares(features):
    return float((np.asarray(features, np.float64) ** 2).sum())


def test_quality():
    tables = np.stack([dct.table(quality) for quality in (1, 40, 75, 95, 100)])
    assert coefficients.quality_of(tables).tolist() == [1, 40, 75, 95, 100]
    np.testing.assert_allclose(
        dctr.step_of(coefficients.quality_of(tables)), [100, 10, 4, 0.8, 0.2], rtol=1e-6
    )


def test_dctr_golden():
    found = np.asarray(dctr.features(*GOLDEN))[0]
    assert found.shape == (dctr.SIZE,) == (8000,)
    np.testing.assert_allclose(squares(found), 685.7544775045, rtol=1e-6)
    table = found.reshape(64, 25, 5)
    np.testing.assert_allclose(table[0, 0], [0, 0, 0.015625, 0, 0.984375], atol=1e-6)
    expected = [0.16326531, 0.30612245, 0.28571429, 0.12244898, 0.12244898]
    np.testing.assert_allclose(table[28, 24], expected, atol=1e-6)


def test_gfr_golden():
    kernel = gfr.kernels()[1, 3, 5]
    expected = [-0.06738163314, -0.8132607271, 0.03273495007]
    np.testing.assert_allclose(kernel[[0, 3, 7], [0, 4, 2]], expected, rtol=1e-8)
    found = np.asarray(gfr.features(*GOLDEN))[0]
    assert found.shape == (gfr.SIZE,) == (17000,)
    np.testing.assert_allclose(squares(found), 1270.8808498, rtol=1e-6)
    expected = [0.14540816, 0.26785714, 0.22704082, 0.15816327, 0.20153061]
    np.testing.assert_allclose(found.reshape(2, 4, 17, 25, 5)[1, 3, 5, 12], expected, atol=1e-6)


def test_jrm_golden():
    found = np.asarray(jrm.calibrated_features(*GOLDEN))[0]
    assert found.shape == (2 * jrm.SIZE,)
    own = found[: jrm.SIZE]
    np.testing.assert_allclose(squares(own), 137.7528485515, rtol=1e-6)
    parts = {
        (0, 320): 3.6621093750,
        (320, 640): 3.8516845703,
        (2512, 4553): 28.3001063369,
        (4553, 6594): 32.6293467692,
        (6594, 8635): 25.5368121594,
        (8635, 8815): 1.8182776413,
    }
    for (begin, end), expected in parts.items():
        np.testing.assert_allclose(squares(own[begin:end]), expected, rtol=1e-6)
    moved = np.asarray(jrm.shifted(*(array[0] for array in GOLDEN)))
    assert moved.shape == (56, 56) and (moved.sum(), abs(moved).sum()) == (-287, 6781)
    np.testing.assert_allclose(
        found[jrm.SIZE :], jrm.features(moved[None], GOLDEN[1])[0], rtol=1e-6
    )


MATLAB = [(dctr.features, "dctr"), (gfr.features, "gfr"), (jrm.calibrated_features, "jrm")]


@pytest.mark.parametrize("compute, name", MATLAB)
def test_features_equal_matlab(shared, compute, name):
    folder = shared / "reference" / "jpeg"
    (plane,), (table,), _ = jpeg_codec.read(folder / "seal1_gray_qf75.jpg")
    expected = scipy.io.loadmat(folder / f"seal1_{name}.mat")["features"]
    if name == "jrm":
        fields = [expected[field][0, 0].ravel() for field in expected.dtype.names]
        expected = np.concatenate(fields)[None]
    found = np.asarray(compute(plane[None], table[None]))
    # Of GFR, rounding decides over single windows: one of thousands may fall into the next bin.
    assert (abs(found - expected) > 1e-6).sum() <= 4 * (name == "gfr")
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_integer_coefficients_are_libjpegs():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 80), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    (plane,), (table,), _ = jpeg_codec.decode(file.getvalue())
    assert np.array_equal(dct.integer_coefficients(pixels, table), plane)


def test_planes_are_checked_and_independent():
    planes = np.stack([golden_coefficients(64)[:40, :48], golden_coefficients(64)[24:, 16:]])
    tables = np.stack([STEPS, dct.table(95)])
    both = np.asarray(dctr.features(planes, tables, at_once=2))
    alone = np.asarray(dctr.features(planes[1:], tables[1:]))
    np.testing.assert_allclose(both[1:], alone, rtol=1e-6)
    for compute in (dctr.features, gfr.features, jrm.features):
        with pytest.raises(InputError, match="multiples of 8"):
            compute(planes[:, :36], tables)
        with pytest.raises(InputError, match=r"\[2, 8, 8\]"):
            compute(planes, tables[0])
        with pytest.raises(InputError, match="whole numbers"):
            compute(planes + 0.5, tables)
        with pytest.raises(InputError, match="at_once=0"):
            compute(planes, tables, at_once=0)


def test_counts_in_bits_are_counts():
    values = np.random.default_rng(0).integers(0, 6, (3, 2, 9, 8)).astype(np.uint8)
    wide = np.zeros((1, 1, 1 << phases._BITS, 8), np.uint8)
    with jax.enable_x64(True):
        found, all_of_one = (np.stack(phases._counted(jnp.asarray(v)), -1) for v in (values, wide))
    expected = np.stack([(values == each).sum((0, 2)) for each in range(5)], -1)
    np.testing.assert_array_equal(found, expected)
    assert (all_of_one[..., 0] == 1 << phases._BITS).all()
