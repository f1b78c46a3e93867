"""Trains ISGAN's networks with a loss of one's own: a leaf is a function of arrays, `[B]` out.

python examples/own_loss.py [WORKDIR]
"""

import pathlib
import sys
import tempfile

import jax.numpy as jnp
import optax

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from configs import isgan as config_file  # noqa: E402
from stegojax import losses, parallel, train  # noqa: E402
from stegojax.methods import isgan  # noqa: E402


def smooth_where_flat(x, y):
    """Squared error that weighs most where the first picture is flat: there changes are seen."""
    slope = jnp.abs(jnp.diff(x, axis=1, append=x[:, -1:])) + jnp.abs(
        jnp.diff(x, axis=2, append=x[:, :, -1:])
    )
    weighted = ((x - y) / 255.0) ** 2 / (1.0 + slope / 16.0)
    return jnp.mean(weighted, axis=(1, 2, 3)) + 0.1 * losses.ssim_loss(x, y)


def main(workdir):
    """Trains for a few steps on the bundled photographs and prints the held-out figures."""
    method = isgan.make(
        isgan.networks(width=0.125),
        optimizer=optax.adam(2e-3),
        steganalyzer_optimizer=optax.sgd(1e-3, momentum=0.9),
        picture_loss=smooth_where_flat,
    )
    config = config_file.get_config("tiny")
    outcome = train.train(config, workdir, made=method)
    if parallel.is_writer():
        print({name: round(value, 3) for name, value in outcome.held_out.items()})


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
