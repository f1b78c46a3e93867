"""Inception-v3 up to its last pooling, whose 2048 features the Frechet inception distance (FID) is
computed from.

The network is that of FID's authors (Szegedy et al. 2016, as trained by TensorFlow in 2015): batch
normalisation with epsilon .001, means that leave the border out, and maxima in the last block's
pooling branch. Its weights are not part of this program; they are read from a NumPy file whose
arrays have the names and layouts of torchvision's `inception_v3`, which the public file
pt_inception-2015-12-05 shares. Where PyTorch is installed:

    numpy.savez("inception.npz", **{name: tensor.numpy() for name, tensor in
    torch.load("FILE.pth").items()})

Pictures are `[B, H, W, 3]`, float32 in pixel units 0..255.
"""

from __future__ import annotations

import functools
import os
import zipfile
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.errors import InputError
from stegojax.models import layers
from stegojax.types import Array

DIMENSIONS = 2048
"""How many features a picture has."""

SIZE = 299
"""Height and width that pictures are resized to."""

_EPSILON = 1e-3

Unit = Callable[..., Array]


def shapes() -> dict[str, tuple[int, ...]]:
    """The arrays of a weights file, by torchvision's names: name -> shape; kernels are `[out, in,
    height, width]`.
    """
    found = {}

    def note(x, name, channels, size, stride=1, padding=(0, 0)):
        found[f"{name}.conv.weight"] = (channels, x.shape[-1], *_pair(size))
        found.update(
            {
                f"{name}.bn.{part}": (channels,)
                for part in ("weight", "bias", "running_mean", "running_var")
            }
        )
        kernel = jnp.zeros((*_pair(size), x.shape[-1], channels))
        return _convolve(x, kernel, stride, padding)

    jax.eval_shape(
        lambda x: _network(note, x), jax.ShapeDtypeStruct((1, SIZE, SIZE, 3), jnp.float32)
    )
    return found


def load(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads a weights file; arrays that the features do not need, as the classifier's, are left
    out.

    Args:
      path: an .npz file, see the module.

    Returns:
      name -> float32 array, as `shapes` lists them.

    Raises:
      InputError: the file cannot be read, or an array is missing, of another shape, or not finite.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            weights = {
                name: np.asarray(file[name], np.float32) for name in shapes() if name in file
            }
    except (OSError, ValueError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise InputError(
            f"{path}: cannot be read as an .npz file of Inception's weights ({error}); "
            "models/inception.py says how "
            "to make one"
        ) from error
    for name, shape in shapes().items():
        if name not in weights:
            raise InputError(
                f"{path}: has no {name}; give the weights of torchvision's or FID's inception_v3"
            )
        if weights[name].shape != shape:
            raise InputError(
                f"{path}: {name} is {list(weights[name].shape)} and must be {list(shape)}; give "
                "the weights of "
                "torchvision's or FID's inception_v3"
            )
        if not np.isfinite(weights[name]).all():
            raise InputError(
                f"{path}: {name} holds numbers that are not finite; take the file from its source "
                "again"
            )
    return weights


def features(weights: Mapping[str, Array], pictures: Array) -> Array:
    """The features of pictures, Heusel et al. 2017: resized to 299x299 by linear interpolation,
    scaled to [-1, 1].

    Args:
      weights: what `load` gives.
      pictures: `[B, H, W, 3]`, 0..255.

    Returns:
      `[B, DIMENSIONS]`, float32.

    Raises:
      ValueError: the pictures are not `[B, H, W, 3]` float32.
    """
    layers.check_planes("inception.features", pictures, minimum_size=1, channels=3)

    x = jax.image.resize(pictures, (pictures.shape[0], SIZE, SIZE, 3), "linear", antialias=False)
    return _network(functools.partial(unit, weights), x / 127.5 - 1.0)


def unit(
    weights: Mapping[str, Array],
    x: Array,
    name: str,
    channels: int,
    size: int | tuple[int, int],
    stride: int = 1,
    padding: tuple[int, int] = (0, 0),
) -> Array:
    """The unit that all layers are made of: convolution, batch normalisation with running
    statistics, ReLU.

    Args:
      weights: what `load` gives.
      x: `[B, H, W, C]`.
      name: of the unit, before ".conv.weight".
      channels, size: of the kernel; the weights have them too.
      stride: both ways.
      padding: zeros on either side, down and across.

    Returns:
      `[B, H', W', channels]`.
    """
    del channels, size
    kernel, scale, shift, mean, variance = (
        jnp.asarray(weights[f"{name}.{part}"])
        for part in ("conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
    )
    x = _convolve(x, jnp.transpose(kernel, (2, 3, 1, 0)), stride, padding)
    factor = scale / jnp.sqrt(variance + _EPSILON)
    return jnp.maximum(
        x * factor.reshape(1, 1, 1, -1) + (shift - mean * factor).reshape(1, 1, 1, -1), 0.0
    )


def _network(unit: Unit, x: Array) -> Array:
    x = unit(x, "Conv2d_1a_3x3", 32, 3, 2)
    x = unit(x, "Conv2d_2a_3x3", 32, 3)
    x = unit(x, "Conv2d_2b_3x3", 64, 3, 1, (1, 1))
    x = maxima(x, stride=2)
    x = unit(x, "Conv2d_3b_1x1", 80, 1)
    x = unit(x, "Conv2d_4a_3x3", 192, 3)
    x = maxima(x, stride=2)
    for name, pooled in (("5b", 32), ("5c", 64), ("5d", 64)):
        x = _block_a(unit, x, f"Mixed_{name}", pooled)
    x = _block_b(unit, x, "Mixed_6a")
    for name, channels in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
        x = _block_c(unit, x, f"Mixed_{name}", channels)
    x = _block_d(unit, x, "Mixed_7a")
    x = _block_e(unit, x, "Mixed_7b", means)
    x = _block_e(unit, x, "Mixed_7c", functools.partial(maxima, stride=1, border=1))
    return x.mean(axis=(1, 2))


def _block_a(unit: Unit, x: Array, name: str, pooled: int) -> Array:
    five = unit(unit(x, f"{name}.branch5x5_1", 48, 1), f"{name}.branch5x5_2", 64, 5, 1, (2, 2))
    double = unit(
        unit(x, f"{name}.branch3x3dbl_1", 64, 1), f"{name}.branch3x3dbl_2", 96, 3, 1, (1, 1)
    )
    double = unit(double, f"{name}.branch3x3dbl_3", 96, 3, 1, (1, 1))
    return jnp.concatenate(
        [
            unit(x, f"{name}.branch1x1", 64, 1),
            five,
            double,
            unit(means(x), f"{name}.branch_pool", pooled, 1),
        ],
        axis=-1,
    )


def _block_b(unit: Unit, x: Array, name: str) -> Array:
    double = unit(
        unit(x, f"{name}.branch3x3dbl_1", 64, 1), f"{name}.branch3x3dbl_2", 96, 3, 1, (1, 1)
    )
    return jnp.concatenate(
        [
            unit(x, f"{name}.branch3x3", 384, 3, 2),
            unit(double, f"{name}.branch3x3dbl_3", 96, 3, 2),
            maxima(x, stride=2),
        ],
        axis=-1,
    )


def _block_c(unit: Unit, x: Array, name: str, channels: int) -> Array:
    across, down = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))
    seven = unit(
        unit(x, f"{name}.branch7x7_1", channels, 1), f"{name}.branch7x7_2", channels, *across
    )
    seven = unit(seven, f"{name}.branch7x7_3", 192, *down)
    double = unit(x, f"{name}.branch7x7dbl_1", channels, 1)
    for number, (wide, shape) in enumerate(
        ((channels, down), (channels, across), (channels, down), (192, across)), start=2
    ):
        double = unit(double, f"{name}.branch7x7dbl_{number}", wide, *shape)
    return jnp.concatenate(
        [
            unit(x, f"{name}.branch1x1", 192, 1),
            seven,
            double,
            unit(means(x), f"{name}.branch_pool", 192, 1),
        ],
        axis=-1,
    )


def _block_d(unit: Unit, x: Array, name: str) -> Array:
    seven = unit(
        unit(x, f"{name}.branch7x7x3_1", 192, 1), f"{name}.branch7x7x3_2", 192, (1, 7), 1, (0, 3)
    )
    seven = unit(seven, f"{name}.branch7x7x3_3", 192, (7, 1), 1, (3, 0))
    three = unit(unit(x, f"{name}.branch3x3_1", 192, 1), f"{name}.branch3x3_2", 320, 3, 2)
    return jnp.concatenate(
        [three, unit(seven, f"{name}.branch7x7x3_4", 192, 3, 2), maxima(x, stride=2)], axis=-1
    )


def _block_e(unit: Unit, x: Array, name: str, pool: Callable[[Array], Array]) -> Array:
    across, down = ((1, 3), 1, (0, 1)), ((3, 1), 1, (1, 0))
    three = unit(x, f"{name}.branch3x3_1", 384, 1)
    double = unit(
        unit(x, f"{name}.branch3x3dbl_1", 448, 1), f"{name}.branch3x3dbl_2", 384, 3, 1, (1, 1)
    )
    return jnp.concatenate(
        [
            unit(x, f"{name}.branch1x1", 320, 1),
            unit(three, f"{name}.branch3x3_2a", 384, *across),
            unit(three, f"{name}.branch3x3_2b", 384, *down),
            unit(double, f"{name}.branch3x3dbl_3a", 384, *across),
            unit(double, f"{name}.branch3x3dbl_3b", 384, *down),
            unit(pool(x), f"{name}.branch_pool", 192, 1),
        ],
        axis=-1,
    )


def means(x: Array) -> Array:
    """Means over 3x3 windows with stride 1; where a window reaches over the border, over what lies
    inside.

    Args:
      x: `[B, H, W, C]`.

    Returns:
      The shape of `x`.
    """

    def total(values):
        return lax.reduce_window(values, 0.0, lax.add, (1, 3, 3, 1), (1, 1, 1, 1), "SAME")

    return total(x) / total(jnp.ones((1, *x.shape[1:3], 1), x.dtype))


def maxima(x: Array, *, stride: int, border: int = 0) -> Array:
    """Maxima over 3x3 windows.

    Args:
      x: `[B, H, W, C]`.
      stride: both ways.
      border: rows and columns that windows may reach over the border.

    Returns:
      `[B, H', W', C]`.
    """
    around = ((0, 0), (border, border), (border, border), (0, 0))
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, stride, stride, 1), around)


def _convolve(x: Array, kernel: Array, stride: int, padding: tuple[int, int]) -> Array:
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        [(size, size) for size in padding],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=lax.Precision.HIGHEST,
    )


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return size if isinstance(size, tuple) else (size, size)
