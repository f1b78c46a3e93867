"""Config files as modules (`configs` is a folder of files, not a package), and one step of a
method.
"""

import importlib.util
import pathlib

import jax

from stegojax import parallel


def load(name):
    path = pathlib.Path(__file__).resolve().parents[2] / "configs" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"config_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def one_step(made, state, batch):
    return parallel.train_step(made.train_step)(
        parallel.replicate(state), parallel.shard(batch), jax.random.key(1)
    )
