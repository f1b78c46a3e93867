"""Config files as modules, and one step of a method."""

import pathlib

import jax

from configs import presets
from stegojax import parallel

FOLDER = pathlib.Path(presets.__file__).parent
NAMES = sorted(
    path.stem for path in FOLDER.glob("*.py") if "def get_config(" in path.read_text("utf-8")
)
"""Of all config files."""


def load(name):
    return presets.load(FOLDER / f"{name}.py")


def one_step(made, state, batch):
    return parallel.train_step(made.train_step)(
        parallel.replicate(state), parallel.shard(batch), jax.random.key(1)
    )
