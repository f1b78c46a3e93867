"""Where HILL lets a cover be changed, and what an optimal sender changes there.

python examples/costs_and_changes.py
"""

import jax
import numpy as np
from skimage import data

import stegojax


def main():
    """Prints how many changes fall on the dearer and the cheaper half of the pixels."""
    cover = data.camera()[:256, :256].astype(np.float32)
    costs = stegojax.costs.hill(cover)
    changes = stegojax.simulate(jax.random.key(0), cover, 0.4 * cover.size, scheme="hill")

    cheap = np.asarray(costs.plus < np.median(costs.plus))
    changed = np.asarray(changes != 0)
    print(f"{changed.mean():.3f} of the pixels are changed for 0.4 bits in each")
    print(f"{changed[cheap].sum() / changed.sum():.2f} of the changes are in the cheaper half")
    assert changed[cheap].sum() > 0.9 * changed.sum()


if __name__ == "__main__":
    main()
