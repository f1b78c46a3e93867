"""Which reading of ISGAN's loss trains: Eq. (10) with beta = .3 on several scales and norms, each
from the same weights on the same pictures, in one compiled step.

    python benchmarks/isgan_loss.py --steps 200

prints a line after half of the steps and after all: PSNR and SSIM of stego and revealed picture on
32 held-out crops. The networks are ISGAN's, thin and without the steganalyzer, Adam at 2e-3.
"""

import argparse
import functools
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

from configs import isgan as config_file
from stegojax import losses, parallel, run
from stegojax.methods import isgan

SIDE, WIDTH, BETA, GAMMA = 64, 0.25, 0.3, 0.85
PIXELS = SIDE * SIDE
READINGS = {
    "literal": (BETA, 0.0),
    "levels": (BETA * 255**2, 0.0),
    "sum": (BETA * PIXELS, 0.0),
    "hundred": (100.0, 0.0),
    "root": (0.0, BETA * PIXELS**0.5),
}
"""Weights of the mean squared error of pictures in [0, 1] and of its root."""


def picture_loss(x, y, *, square, root):
    """Eq. (10), its squared error by two weights."""
    error = losses.mse(x, y)
    similar = 0.5 * losses.ssim_loss(x, y) + 0.5 * losses.ms_ssim_loss(x, y)
    return similar + square * error + root * jnp.sqrt(error + 1e-8)


def method(square, root):
    """The basic model under a reading, whose weights may be traced."""
    networks = isgan.networks(width=WIDTH, adversarial=False)
    loss = functools.partial(picture_loss, square=square, root=root)
    adam = optax.adam(2e-3)
    return isgan.make(
        networks, optimizer=adam, steganalyzer_optimizer=adam, picture_loss=loss, gamma=GAMMA
    )


@jax.jit
def train_step(state, batch, key, weights):
    """A step under a reading; the batch is that of one device."""
    step = jax.vmap(
        method(*weights).train_step,
        axis_name=parallel.AXIS,
        in_axes=(None, 0, None),
        out_axes=(None, None),
    )
    return step(state, jax.tree.map(lambda leaf: leaf[None], batch), key)[0]


def main():
    """Trains under every reading that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--readings", nargs="*", default=list(READINGS), choices=list(READINGS))
    options = parser.parse_args()
    config = config_file.get_config("basic")
    config.data.crop = SIDE
    plain = method(*READINGS["literal"])
    measure = jax.jit(lambda state, batch: plain.measure(batch, plain.predict(state, batch, None)))
    with run.loader(config, "train") as loader:
        batches = [next(loader) for _ in range(options.steps)]
    with run.loader(config, "held_out", held_out_examples=32) as loader:
        held_out = list(loader)
    first = jax.jit(plain.init)(jax.random.key(0), run.example(config))
    for name in options.readings:
        state, began = first, time.monotonic()
        weights = tuple(map(jnp.float32, READINGS[name]))
        for number, batch in enumerate(batches, start=1):
            state = train_step(state, batch, jax.random.key(number), weights)
            if number in (options.steps // 2, options.steps):
                found = [measure(state, batch) for batch in held_out]
                said = ", ".join(
                    f"{figure} {np.mean([each[figure] for each in found]):.4g}"
                    for figure in found[0]
                )
                print(
                    f"{name}, step {number}: {said}, {time.monotonic() - began:.0f} s", flush=True
                )


if __name__ == "__main__":
    main()
