"""Takes a model by its name and asks it about photographs and their stegos.

The stego's score is above the cover's; that both are near 1 is what the model's card warns of:
these photographs are not of the kind that it was trained on.

python examples/use_a_model.py [NAME]
"""

import sys

import jax
import numpy as np
from skimage import data

import stegojax
from stegojax import embed
from stegojax.data import preprocess


def main():
    """Prints how much both look like stegos to the steganalyzer."""
    loaded = stegojax.load(sys.argv[1] if len(sys.argv) > 1 else "xunet-hill")
    # As in its training.
    steps = preprocess.parse(loaded.config.data.preprocess)
    side, scheme = loaded.config.data.crop, embed.parse_scheme(loaded.config.method.scheme)
    for name in ("astronaut", "chelsea", "coffee"):
        photograph = preprocess.apply(np.random.default_rng(0), getattr(data, name)(), steps)
        cover = photograph[:side, :side, 0].astype(np.float32)
        bits = loaded.config.method.payload * cover.size
        changes = stegojax.simulate(jax.random.key(0), cover, bits, scheme=scheme)
        batch = {"stego": np.stack([cover, cover + np.asarray(changes)])[..., None]}
        scores = loaded.method.predict(loaded.state, batch, jax.random.key(0))["stego_score"]
        print(f"{loaded.title} on {name}: cover {scores[0]:.5f}, stego {scores[1]:.5f}")


if __name__ == "__main__":
    main()
