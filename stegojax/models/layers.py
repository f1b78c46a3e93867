"""Layers that several networks share: convolution, batch normalisation, pooling.

Feature maps are `[B, H, W, C]` in the network's own scale (pictures enter and leave a network in
pixel units 0..255; the network scales them inside itself). Every layer takes any H and W, odd ones
included. Parameters are float32; `dtype` is what a layer computes in.
"""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.errors import InputError
from stegojax.types import Array

xavier = nn.initializers.xavier_uniform()
"""Xavier's uniform initialisation (Glorot and Bengio 2010), the default of every convolution here.
"""

he = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
"""He's normal initialisation (He et al. 2015): variance 2 over the number of inputs, not truncated.
"""


def conv(
    features: int,
    size: int = 3,
    *,
    dtype: jnp.dtype = jnp.float32,
    kernel_init=xavier,
    name: str | None = None,
    padding="SAME",
    stride: int = 1,
    use_bias: bool = True,
    bias_init=nn.initializers.zeros,
) -> nn.Module:
    """A convolution layer, by default with a bias, that keeps height and width.

    A kernel of size 1 with stride 1 is a matrix product over the channels: the same numbers as a
    1x1 convolution, whose gradient XLA computes about one and a half times as fast on a CPU in this
    form.

    Args:
      features: channels of the output.
      size: height and width of the kernel.
      dtype: what is computed in; parameters stay float32.
      kernel_init: initialiser of the kernel.
      name: the layer's name among the parameters.
      padding: as in `nn.Conv`; of no effect on a kernel of size 1, which needs none.
      stride: rows and columns from one output to the next; height and width become H / stride and W
        / stride, rounded up.
      use_bias: whether a bias is added.
      bias_init: initialiser of the bias.

    Returns:
      A flax module, `[B, H, W, C] -> [B, H, W, features]`.
    """
    options = dict(
        dtype=dtype, use_bias=use_bias, kernel_init=kernel_init, bias_init=bias_init, name=name
    )
    if size == stride == 1:
        return nn.Dense(features, **options)
    return nn.Conv(features, (size, size), strides=(stride, stride), padding=padding, **options)


def batch_norm(
    *,
    train: bool,
    axis_name: str | None = None,
    dtype: jnp.dtype = jnp.float32,
    name: str | None = None,
) -> nn.Module:
    """Batch normalisation per channel with scale and shift (Ioffe and Szegedy 2015).

    Running averages decay by .9; epsilon is 1e-5.

    Args:
      train: normalise with this batch's statistics and update the running ones; otherwise with the
        running ones.
      axis_name: name of the mapped axis over which the batch's statistics are averaged, where the
        layer is applied under it; None for one device.
      dtype: what the output is in; the statistics are always float32.
      name: the layer's name among the parameters.

    Returns:
      A flax module, `[B, H, W, C] -> [B, H, W, C]`.
    """
    return nn.BatchNorm(
        use_running_average=not train,
        momentum=0.9,
        epsilon=1e-5,
        axis_name=_bound(axis_name),
        dtype=dtype,
        name=name,
    )


def _bound(axis_name: str | None) -> str | None:
    """The axis where there is one of that name: a step may also be called by itself."""
    try:
        return axis_name if axis_name is None or lax.axis_size(axis_name) else None
    except NameError:
        return None


def scaled_width(channels: int, width: float, *, multiple: int = 1) -> int:
    """Channels of a layer in a network whose widths are multiplied by `width`.

    Args:
      channels: the paper's number, a multiple of `multiple`.
      width: the multiplier; 1 is the paper's network.
      multiple: the result is the nearest multiple of this, and at least this.

    Returns:
      The number of channels.

    Raises:
      InputError: `width` is not positive.
    """
    if width <= 0:
        raise InputError(
            f"a network's width multiplier must be positive, {width} was given; 1 is the paper's "
            "network"
        )
    return max(1, round(channels * width / multiple)) * multiple


def check_planes(
    network: str, planes: Array, *, minimum_size: int, channels: int | None = 1
) -> None:
    """Refuses pictures that a steganalyzer cannot judge.

    Args:
      network: the network's name, for the message.
      planes: what should be `[B, H, W, channels]` float32.
      minimum_size: least height and width.
      channels: the number of channels; None for any.

    Raises:
      ValueError: another rank, number of channels or dtype.
      InputError: a smaller picture.
    """
    if planes.ndim != 4 or channels not in (None, planes.shape[-1]) or planes.dtype != jnp.float32:
        raise ValueError(
            f"{network}: pictures must be a float32 array [B, H, W, "
            f"{'C' if channels is None else channels}] in "
            f"0..255, {planes.dtype} {planes.shape} was given"
        )
    height, width = planes.shape[1:3]
    if min(height, width) < minimum_size:
        raise InputError(
            f"{network} needs pictures of at least {minimum_size}x{minimum_size} pixels, "
            f"{width}x{height} was "
            "given; use larger crops"
        )


def truncate(x: Array, limit: float) -> Array:
    """Clips to [-limit, limit]: the truncated linear unit (Ye, Ni and Yi 2017).

    Args:
      x: any shape.
      limit: the bound, positive.

    Returns:
      The shape of `x`.
    """
    return jnp.clip(x, -limit, limit)


def _check_map(caller: str, x: Array) -> None:
    if x.ndim != 4:
        raise ValueError(
            f"{caller}: a feature map [B, H, W, C] is needed, an array of shape {x.shape} was given"
        )


def max_pool_3x3(x: Array) -> Array:
    """The maximum over every 3x3 neighbourhood, stride 1; outside the picture there is nothing to
    take.

    Rows first, then columns, each as two comparisons of shifted maps: on a CPU the gradient of
    XLA's window maximum takes three times as long. Where several neighbours are equal, one of them
    gets the gradient.

    Args:
      x: `[B, H, W, C]`.

    Returns:
      `[B, H, W, C]`.
    """
    _check_map("max_pool_3x3", x)
    for axis in (1, 2):
        border = [(0, 0, 0)] * 4
        border[axis] = (1, 1, 0)
        padded = lax.pad(x, jnp.asarray(-jnp.inf, x.dtype), border)
        before, after = (
            lax.slice_in_dim(padded, start, start + x.shape[axis], axis=axis) for start in (0, 2)
        )
        x = jnp.where(before > x, before, x)
        x = jnp.where(after > x, after, x)
    return x


def avg_pool(x: Array, *, size: int, stride: int) -> Array:
    """The mean over windows, with as many outputs as strides begin in the picture; a window's mean
    is over its pixels inside.

    Args:
      x: `[B, H, W, C]`.
      size: height and width of the window.
      stride: rows and columns from one window to the next.

    Returns:
      `[B, ceil(H / stride), ceil(W / stride), C]`.
    """
    _check_map("avg_pool", x)
    outside = []
    for n in x.shape[1:3]:
        missing = max(0, (-(-n // stride) - 1) * stride + size - n)
        outside.append((missing // 2, missing - missing // 2))
    return _mean_inside(x, size, stride, outside)


def _mean_inside(x: Array, size: int, stride: int, outside: Sequence[tuple[int, int]]) -> Array:
    """Means over the pixels of each window that are inside; their numbers are worked out here and
    not by the compiler.
    """
    counts = []
    for n, (before, after) in zip(x.shape[1:3], outside):
        starts = np.arange(0, n + before + after - size + 1, stride) - before
        counts.append(np.minimum(starts + size, n) - np.maximum(starts, 0))
    total = nn.avg_pool(x, (size, size), (stride, stride), padding=outside, count_include_pad=True)
    return total * (size**2 / np.multiply.outer(*counts)[None, :, :, None]).astype(np.float32)


def padded_avg_pool(
    x: Array, *, size: int, stride: int, padding: int = 0, partial: bool = False
) -> Array:
    """The mean over windows as PyTorch and Caffe take it: zeros around the map, which count.

    Args:
      x: `[B, H, W, C]`.
      size: height and width of the window.
      stride: rows and columns from one window to the next; the first window begins `padding` before
        the map.
      padding: rows and columns of zeros on every side.
      partial: whether a last window that sticks out of the padded map is kept; its mean is over
        what is inside. ("Ceil mode"; with `padding` at most `size - stride`, so that every window
        meets the map.)

    Returns:
      `[B, (H + 2 padding - size) / stride + 1, ..., C]`, rounded down, or up if `partial`.

    Raises:
      ValueError: no window fits.
    """
    _check_map("padded_avg_pool", x)
    outside = []
    for n in x.shape[1:3]:
        room = n + 2 * padding - size
        windows = (-(-room // stride) if partial else room // stride) + 1
        if windows < 1:
            raise ValueError(
                f"padded_avg_pool: no window of {size} with padding {padding} fits the map "
                f"{x.shape}"
            )
        outside.append((0, max(0, (windows - 1) * stride - room)))
    x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    if partial:
        return _mean_inside(x, size, stride, outside)
    return nn.avg_pool(x, (size, size), (stride, stride), padding=outside, count_include_pad=True)


def spatial_pyramid_pool(x: Array, *, grids: Sequence[int] = (1, 2, 4)) -> Array:
    """Spatial pyramid pooling with maxima (He et al. 2014): a vector of one length from a feature
    map of any size.

    Bin i of g over n rows holds the rows from floor(i n / g) to ceil((i + 1) n / g), so bins cover
    everything, may overlap by one row, and are never empty, even where the grid is finer than the
    map.

    Args:
      x: `[B, H, W, C]`.
      grids: the pyramid: for each g, a grid of g x g bins.

    Returns:
      `[B, sum of g^2 * C]`: grids in order, bins by rows, channels last.
    """
    _check_map("spatial_pyramid_pool", x)
    batch, height, width, _ = x.shape
    if 0 in (height, width):
        raise ValueError(f"spatial_pyramid_pool: the feature map {x.shape} is empty")
    bins = []
    for g in grids:
        for i in range(g):
            rows = slice(i * height // g, -(-(i + 1) * height // g))
            for j in range(g):
                columns = slice(j * width // g, -(-(j + 1) * width // g))
                bins.append(x[:, rows, columns].max(axis=(1, 2)))
    return jnp.stack(bins, axis=1).reshape(batch, -1)


class Modes(nn.Module):
    """A scale and a shift for each of the 64 modes of coefficients of JPEG files, which
    convolutions, alike everywhere, cannot tell.
    """

    @nn.compact
    def __call__(self, x: Array) -> Array:
        height, width, features = x.shape[1:]
        shape, blocks = (8, 8, features), (height // 8, width // 8, 1)
        scale = self.param("scale", nn.initializers.ones, shape)
        shift = self.param("shift", nn.initializers.zeros, shape)
        return x * jnp.tile(scale, blocks)[None] + jnp.tile(shift, blocks)[None]
