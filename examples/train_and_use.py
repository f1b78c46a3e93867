"""Trains a system that hides pictures for a few steps, loads it, and hides a picture with it.

python examples/train_and_use.py [WORKDIR]
"""

import pathlib
import sys
import tempfile

import jax
import numpy as np
from skimage import data

import stegojax

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from configs import atique  # noqa: E402


def main(workdir):
    """Prints the held-out figures, and how far the stego is from its cover."""
    outcome = stegojax.train.train(atique.get_config("tiny"), workdir)
    print({name: round(value, 2) for name, value in outcome.held_out.items()})

    trained = stegojax.load(workdir)
    cover = data.astronaut()[None, :64, :64].astype(np.float32)
    secret = data.camera()[None, :64, :64, None].astype(np.float32)
    batch = {"cover": cover, "secret": secret}
    outputs = trained.method.predict(trained.state, batch, jax.random.key(0))
    print(f"the stego differs by {np.abs(outputs['stego'] - cover).mean():.1f} levels on average")
    print(f"revealed: {outputs['revealed'].shape}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
