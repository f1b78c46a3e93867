"""Policies of ReLOAD (Mo et al. 2023): what every pixel's agent does to its costs, given the
changes around it.

Maps are `[B, H, W, 3]` float32: the stego / 255, cover - stego, and the last action. A policy gives
a value for every pixel, `[B, H, W]`, and the logits of three actions, `[B, H, W, 3]`: lowering is
made cheaper, nothing, raising is made cheaper.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from stegojax.models import high_pass, layers
from stegojax.models.unet import KERNEL, LEAK, WIDTHS, check_maps
from stegojax.types import Array

LOWER, NOTHING, RAISE = range(3)
"""The actions."""

REACH = 4
"""How far the residuals of two changes can meet."""


def _autocorrelation() -> np.ndarray:
    total = np.zeros((2 * REACH + 1, 2 * REACH + 1))
    for kernel in high_pass.SRM.astype(np.float64):
        for i, j in np.ndindex(total.shape):
            down, right = i - REACH, j - REACH
            here = kernel[max(0, down) : 5 + min(0, down), max(0, right) : 5 + min(0, right)]
            there = kernel[max(0, -down) : 5 + min(0, -down), max(0, -right) : 5 + min(0, -right)]
            total[i, j] += (here * there).sum()
    return (total / len(high_pass.SRM)).astype(np.float32)


AUTOCORRELATION = _autocorrelation()
"""A, `[9, 9]`: the 30 kernels' mean autocorrelation. The mean square of the residuals of changes d
is d' A d over the pixels.
"""


def correlated(planes: Array, kernel: np.ndarray) -> Array:
    """Planes correlated with a kernel of odd size, by shifted sums; 0 beyond the border.

    Args:
      planes: `[..., H, W]`.
      kernel: `[K, K]`.

    Returns:
      The same shape.
    """
    reach, (height, width) = kernel.shape[0] // 2, planes.shape[-2:]
    padded = jnp.pad(planes, [(0, 0)] * (planes.ndim - 2) + [(reach, reach)] * 2)
    total = jnp.zeros_like(planes)
    for (i, j), weight in np.ndenumerate(kernel):
        if weight:
            total = total + float(weight) * padded[..., i : i + height, j : j + width]
    return total


def preferred(modifications: Array) -> Array:
    """The direction of a change that would lower the residuals' distance, given its neighbours':
    w = -sign((A - A00) * d).

    Args:
      modifications: d, `[..., H, W]`.

    Returns:
      -1, 0 or 1, the same shape.
    """
    others = AUTOCORRELATION.copy()
    others[REACH, REACH] = 0
    # Sums of whole multiples of a thirtieth that cancel leave a rounding error alone.
    pull = correlated(modifications, others)
    return jnp.where(jnp.abs(pull) > 1e-3, -jnp.sign(pull), 0.0)


_AROUND = {
    "own": [(0, 0)],
    "sides": [(0, 1), (1, 0), (0, -1), (-1, 0)],
    "corners": [(1, 1), (1, -1), (-1, 1), (-1, -1)],
    "second": [(0, 2), (2, 0), (0, -2), (-2, 0)],
}


def surroundings(modifications: Array) -> Array:
    """A pixel's own change and the sums of those at its sides, at its corners, and two pixels away.

    Args:
      modifications: `[..., H, W]`.

    Returns:
      `[..., H, W, 4]`.
    """
    sums = []
    for places in _AROUND.values():
        kernel = np.zeros((5, 5))
        for down, right in places:
            kernel[2 + down, 2 + right] = 1
        sums.append(correlated(modifications, kernel))
    return jnp.stack(sums, axis=-1)


class SixNumbers(nn.Module):
    """The smallest policy: the logits of raising and lowering are a0 + a1 |d| +- (b0 d + b1 sides +
    b2 corners + b3 second), that of doing nothing is 0. It starts with all of them alike.
    """

    @nn.compact
    def __call__(self, maps: Array, *, train: bool) -> tuple[Array, Array]:
        """Gives values, which are 0, and logits.

        Args:
          maps: `[B, H, W, 3]`, see the module.
          train: not used.

        Returns:
          Values `[B, H, W]` and logits `[B, H, W, 3]`.
        """
        del train
        check_maps("reload.SixNumbers", maps)
        numbers = self.param("numbers", nn.initializers.zeros, (6,))
        changes = -maps[..., 1]
        either = numbers[0] + numbers[1] * jnp.abs(changes)
        towards = jnp.tensordot(surroundings(changes), numbers[2:], axes=1)
        nothing = jnp.zeros_like(either)
        return nothing, jnp.stack([either - towards, nothing, either + towards], axis=-1)


class ActorCritic(nn.Module):
    """The authors' network: one encoder, and decoders of values and of actions; 7,505,828
    parameters without sight.

    Attributes:
      width: multiplies the channels of every layer; 1 is the full network.
      depth: how often height and width are halved, 1..8.
      sight: whether the logits also see the changes around at full size, by a convolution: the
        first layer halves the picture, and single pixels' signs get lost.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    width: float = 1.0
    depth: int = len(WIDTHS)
    sight: bool = True
    axis_name: str | None = None

    @nn.compact
    def __call__(self, maps: Array, *, train: bool) -> tuple[Array, Array]:
        """Gives values in (0, 1) and logits.

        Args:
          maps: `[B, H, W, 3]`, any H and W.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          Values `[B, H, W]` and logits `[B, H, W, 3]`.
        """
        check_maps("reload.ActorCritic", maps)
        widths = [layers.scaled_width(features, self.width) for features in WIDTHS[: self.depth]]
        x, across = maps, []
        for i, features in enumerate(widths, start=1):
            x = layers.conv(
                features,
                3,
                stride=2,
                padding=((1, 1), (1, 1)),
                kernel_init=nn.initializers.lecun_normal(),
                name=f"conv{i}",
            )(x)
            x = nn.leaky_relu(self._norm(f"norm{i}", train)(x), LEAK)
            across.append(x)
        value, logits = (
            self._decoded(name, across, widths, maps.shape[1:3], outputs, train)
            for name, outputs in (("value", 1), ("policy", 3))
        )
        if self.sight:
            around = surroundings(-maps[..., 1])
            seen = jnp.concatenate([around, jnp.abs(around[..., :1])], axis=-1)
            logits = logits + nn.Dense(3, name="sight")(seen)
        return nn.sigmoid(value[..., 0]), logits

    def _decoded(self, name, across, widths, size, outputs, train):
        x = across[-1]
        for i, skip in enumerate(reversed(across[:-1]), start=1):
            x = self._doubled(f"{name}{i}", x, widths[self.depth - 1 - i], skip.shape[1:3])
            x = nn.relu(self._norm(f"{name}_norm{i}", train)(x))
            x = jnp.concatenate([x, skip], axis=-1)
        return self._doubled(f"{name}{self.depth}", x, outputs, size)

    def _doubled(self, name, x, features, size):
        x = nn.ConvTranspose(
            features,
            (KERNEL, KERNEL),
            strides=(2, 2),
            kernel_init=nn.initializers.lecun_normal(),
            name=name,
        )(x)
        return x[:, : size[0], : size[1]]

    def _norm(self, name, train):
        return layers.batch_norm(train=train, axis_name=self.axis_name, name=name)
