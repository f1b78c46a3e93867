"""A small run of the security protocol."""

import numpy as np
from PIL import Image
from support.configs import load

from stegojax import run


def config(tmp_path, **changes):
    """Six photographs of noise, two tiles of each, SPAM alone: seconds."""
    folder = tmp_path / "photos"
    if not folder.exists():
        folder.mkdir()
        rng = np.random.default_rng(0)
        for number in range(6):
            smooth = rng.integers(60, 180, (6, 9)).astype(np.uint8)
            picture = np.asarray(
                Image.fromarray(smooth).resize((72, 48), Image.Resampling.BICUBIC)
            ).astype(int)
            Image.fromarray(
                np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
            ).save(folder / f"p{number}.png")
    fields = {
        "covers.source": f"folder:{folder}",
        "covers.crop": 24,
        "covers.tiles": 2,
        "steganalyzers": ("spam",),
        "schemes": ("lsb-matching", "hill"),
        "splits.count": 2,
        "splits.validation": 0.0,
        "splits.train": 0.5,
        "splits.test": 0.5,
    }
    return run.changed(load("security").get_config("tiny"), {**fields, **changes})
