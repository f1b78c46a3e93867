"""The photographs that come inside the scikit-image and scikit-learn wheels: training data without
a download.

Only true photographs are listed: drawings, text, test patterns, depth maps and microscope slides of
  the same packages are left
out, as are photographs that are blurred or mostly an empty frame, and of a stereo pair one view is
taken. The split is by photograph, so no scene is on both sides. Pictures are uint8 `[H, W, C]`, C =
3 or 1, and stay decoded in memory (12 MB).
"""

from __future__ import annotations

import functools
import importlib.util
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stegojax import images
from stegojax.errors import InputError


class Photograph(NamedTuple):
    """One bundled file.

    package: the installed package that holds it.
    file:    its path inside the package.
    split:   "train" or "held_out".
    colour:  whether it has three channels.
    size:    height and width.
    """

    package: str
    file: str
    split: str
    colour: bool
    size: tuple[int, int]


PHOTOGRAPHS = {
    "astronaut": Photograph("skimage", "data/astronaut.png", "train", True, (512, 512)),
    "china": Photograph("sklearn", "datasets/images/china.jpg", "train", True, (427, 640)),
    "coffee": Photograph("skimage", "data/coffee.png", "train", True, (400, 600)),
    "hubble_deep_field": Photograph(
        "skimage", "data/hubble_deep_field.jpg", "train", True, (872, 1000)
    ),
    "motorcycle": Photograph("skimage", "data/motorcycle_left.png", "train", True, (500, 741)),
    "brick": Photograph("skimage", "data/brick.png", "train", False, (512, 512)),
    "camera": Photograph("skimage", "data/camera.png", "train", False, (512, 512)),
    "grass": Photograph("skimage", "data/grass.png", "train", False, (512, 512)),
    "gravel": Photograph("skimage", "data/gravel.png", "train", False, (512, 512)),
    "moon": Photograph("skimage", "data/moon.png", "train", False, (512, 512)),
    "chelsea": Photograph("skimage", "data/chelsea.png", "held_out", True, (300, 451)),
    "flower": Photograph("sklearn", "datasets/images/flower.jpg", "held_out", True, (427, 640)),
    "rocket": Photograph("skimage", "data/rocket.jpg", "held_out", True, (427, 640)),
    "coins": Photograph("skimage", "data/coins.png", "held_out", False, (303, 384)),
}


class Embedded:
    """The bundled photographs of one split, as a random-access sequence.

    Args:
      split: "train" or "held_out".
      kind: "" for all photographs, "colour" or "grey" for those alone.
    """

    def __init__(self, split: str, *, kind: str = ""):
        if kind not in ("", "colour", "grey"):
            raise InputError(
                f"data source embedded:{kind} is unknown; use embedded, embedded:colour or "
                "embedded:grey"
            )
        self.names = [
            name
            for name, photograph in PHOTOGRAPHS.items()
            if photograph.split == split and (not kind or photograph.colour == (kind == "colour"))
        ]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> np.ndarray:
        return _load(self.names[index])

    def __repr__(self) -> str:
        return f"Embedded({len(self)} photographs)"

    def sizes(self) -> Sequence[tuple[int, int]]:
        """Height and width of every photograph."""
        return [PHOTOGRAPHS[name].size for name in self.names]

    def files(self) -> Sequence[pathlib.Path]:
        """The files, for the search for overlaps between sources."""
        return [path_of(name) for name in self.names]


def path_of(name: str) -> pathlib.Path:
    """Where an embedded photograph is installed.

    Args:
      name: a key of `PHOTOGRAPHS`.

    Returns:
      The file's path.

    Raises:
      InputError: the installed package lacks the file.
    """
    photograph = PHOTOGRAPHS[name]
    package = importlib.util.find_spec(photograph.package)
    path = pathlib.Path(package.submodule_search_locations[0], photograph.file) if package else None
    if path is None or not path.is_file():
        raise InputError(
            f"the installed {photograph.package} lacks its photograph {photograph.file}; "
            "reinstall the package"
        )
    return path


@functools.cache
def _load(name: str) -> np.ndarray:
    pixels = images.read(path_of(name)).pixels
    pixels.setflags(write=False)
    return pixels
