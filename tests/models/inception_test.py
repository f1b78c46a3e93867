"""Inception-v3's features: parameters counted, blocks against loops, and files of weights that
cannot be used.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stegojax.errors import InputError
from stegojax.models import inception


def weights(seed=0, **changes):
    """Numbers under which pictures stay apart through ninety-four layers."""
    rng = np.random.default_rng(seed)
    drawn = {}
    for name, shape in inception.shapes().items():
        value = rng.standard_normal(shape, np.float32)
        if name.endswith("conv.weight"):
            value *= math.sqrt(2 / math.prod(shape[1:]))
        elif not name.endswith("bias"):
            value = 1 + 0.1 * value if not name.endswith("mean") else 0.1 * value
        drawn[name] = value.astype(np.float32)
    return {**drawn, **changes}


def test_parameters_and_shapes():
    """23,834,568 without the auxiliary classifier, of which the classifier has 1000 x 2049."""
    shapes = inception.shapes()
    trained = sum(math.prod(shape) for name, shape in shapes.items() if "running" not in name)
    assert trained == 23_834_568 - 1000 * 2049 == 21_785_568
    assert len(shapes) == 94 * 5
    assert shapes["Mixed_5c.branch5x5_2.conv.weight"] == (64, 48, 5, 5)
    assert shapes["Mixed_6c.branch7x7dbl_2.conv.weight"] == (160, 160, 7, 1)
    assert shapes["Mixed_7a.branch3x3_2.conv.weight"] == (320, 192, 3, 3)
    assert shapes["Mixed_7c.branch3x3dbl_3a.conv.weight"] == (384, 384, 1, 3)
    assert shapes["Mixed_7c.branch1x1.conv.weight"] == (320, 2048, 1, 1)
    drawn = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in shapes.items()}
    found = jax.eval_shape(
        inception.features, drawn, jax.ShapeDtypeStruct((3, 64, 48, 3), jnp.float32)
    )
    assert found.shape == (3, inception.DIMENSIONS)


def convolve(x, kernel, stride, padding):
    """Every output number is a sum over a window, kernel `[out, in, height, width]`."""
    x = np.pad(x, ((padding[0],) * 2, (padding[1],) * 2, (0, 0)))
    out, _, high, wide = kernel.shape
    size = [(x.shape[0] - high) // stride + 1, (x.shape[1] - wide) // stride + 1]
    found = np.zeros((*size, out))
    for i, j in np.ndindex(*size):
        window = x[i * stride : i * stride + high, j * stride : j * stride + wide]
        found[i, j] = np.einsum("hwc,ochw->o", window, kernel)
    return found


def pool(x, kind, stride, border):
    size = [(length + 2 * border - 3) // stride + 1 for length in x.shape[:2]]
    found = np.zeros((*size, x.shape[2]))
    for i, j in np.ndindex(*size):
        top, left = i * stride - border, j * stride - border
        found[i, j] = kind(x[max(top, 0) : top + 3, max(left, 0) : left + 3], axis=(0, 1))
    return found


@pytest.mark.parametrize(
    "block,channels,size",
    [
        ("5b", 192, 5),
        ("6a", 288, 7),
        ("6d", 768, 5),
        ("7a", 768, 7),
        ("7b", 1280, 4),
        ("7c", 2048, 4),
    ],
)
def test_a_block_is_its_branches_side_by_side(block, channels, size):
    """The branches in torchvision's order, written out from its layer names."""
    drawn, name = weights(), f"Mixed_{block}"
    x = np.random.default_rng(1).standard_normal((size, size, channels)).astype(np.float32)

    def unit(x, part, stride=1):
        kernel, scale, shift, mean, variance = (
            np.asarray(drawn[f"{name}.{part}.{end}"], np.float64)
            for end in ("conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
        )
        padding = (0, 0) if stride == 2 else tuple(length // 2 for length in kernel.shape[2:])
        x = convolve(x, kernel, stride, padding)
        return np.maximum(scale * (x - mean) / np.sqrt(variance + 0.001) + shift, 0)

    def chain(*parts, stride=1):
        value = x
        for part in parts:
            value = unit(value, part, stride if part == parts[-1] else 1)
        return value

    def numbered(branch, count, **options):
        return chain(*(f"{branch}_{i}" for i in range(1, count + 1)), **options)

    kind = block[0] + ("a" if block[1] == "a" else "")
    if kind in ("6a", "7a"):
        first = (
            (chain("branch3x3", stride=2), numbered("branch3x3dbl", 3, stride=2))
            if kind == "6a"
            else (numbered("branch3x3", 2, stride=2), numbered("branch7x7x3", 4, stride=2))
        )
        expected = np.concatenate([*first, pool(x, np.max, 2, 0)], axis=-1)
    else:
        middle = {
            "5": lambda: [numbered("branch5x5", 2), numbered("branch3x3dbl", 3)],
            "6": lambda: [numbered("branch7x7", 3), numbered("branch7x7dbl", 5)],
            "7": lambda: [
                chain("branch3x3_1", "branch3x3_2a"),
                chain("branch3x3_1", "branch3x3_2b"),
                chain("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3a"),
                chain("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3b"),
            ],
        }[block[0]]()
        pooled = pool(x, np.max if block == "7c" else np.mean, 1, 1)
        expected = np.concatenate(
            [chain("branch1x1"), *middle, unit(pooled, "branch_pool")], axis=-1
        )
    own_unit, around = (
        functools.partial(inception.unit, drawn),
        functools.partial(inception.maxima, stride=1, border=1),
    )
    own = {
        "5b": lambda x: inception._block_a(own_unit, x, name, 32),
        "6a": lambda x: inception._block_b(own_unit, x, name),
        "6d": lambda x: inception._block_c(own_unit, x, name, 160),
        "7a": lambda x: inception._block_d(own_unit, x, name),
        "7b": lambda x: inception._block_e(own_unit, x, name, inception.means),
        "7c": lambda x: inception._block_e(own_unit, x, name, around),
    }[block](x[None])
    np.testing.assert_allclose(np.asarray(own)[0], expected, rtol=2e-3, atol=2e-3)


def test_a_file_is_read_and_what_it_lacks_is_named(tmp_path):
    np.savez(tmp_path / "w.npz", **{"fc.weight": np.zeros((1008, 2048)), **weights()})
    found = inception.load(tmp_path / "w.npz")
    assert list(found) == list(inception.shapes()) and all(
        value.dtype == np.float32 for value in found.values()
    )
    name = "Mixed_6b.branch7x7_2.bn.bias"
    for value, message in (
        (None, f"has no {name}"),
        (np.zeros(5), rf"{name} is \[5\] and must be \[128\]"),
        (np.full(128, np.nan), "not finite"),
    ):
        changed = weights(**{name: value})
        np.savez(
            tmp_path / "x.npz",
            **{key: array for key, array in changed.items() if array is not None},
        )
        with pytest.raises(InputError, match=message):
            inception.load(tmp_path / "x.npz")
    (tmp_path / "y.npz").write_bytes(b"no such file")
    for path in (tmp_path / "y.npz", tmp_path / "none.npz"):
        with pytest.raises(
            InputError, match="cannot be read as an .npz file of Inception's weights"
        ):
            inception.load(path)
