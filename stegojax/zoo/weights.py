"""Weights in a safetensors file: arrays by name, which reading never executes.

Arrays are called "params/NETWORK/..." and "batch_stats/NETWORK/...", as in `types.State`. The
file's notes say of which format it is, of which step and stage the state is, and the SHA-256 of the
config.json beside it.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
import safetensors
import safetensors.numpy

from stegojax.errors import InputError
from stegojax.types import State
from stegojax.zoo.shelves import CONFIG_NAME, WEIGHTS_NAME, sha256

FORMAT = "stegojax 1"
PARTS = ("params", "batch_stats")


class Notes(NamedTuple):
    """What a file of weights says of itself.

    step:     of the checkpoint.
    stage:    index of the stage that its state belongs to.
    config:   SHA-256 of the config.
    networks: the names of those that it holds.
    """

    step: int
    stage: int
    config: str
    networks: tuple[str, ...]


def exist(folder: pathlib.Path) -> bool:
    """Whether a folder is an exported one.

    Args:
      folder: any.
    """
    return (pathlib.Path(folder) / WEIGHTS_NAME).is_file()


def as_bytes(state: State, notes: Notes, *, half: bool = False) -> bytes:
    """The content of a file of weights.

    Args:
      state: of the run.
      notes: what the file says of itself; of the state its networks are written.
      half: whether parameters are float16.

    Returns:
      The content.
    """
    arrays = {}
    for part in PARTS:
        kept = {name: tree for name, tree in getattr(state, part).items() if name in notes.networks}
        for name, leaf in named({part: kept}).items():
            shorter = half and part == "params" and leaf.dtype == np.float32
            with np.errstate(over="ignore"):  # what does not fit changes the figures
                arrays[name] = np.asarray(leaf, np.float16 if shorter else leaf.dtype, order="C")
    said = {
        "format": FORMAT,
        **{name: str(value) for name, value in notes._asdict().items()},
        "networks": ",".join(notes.networks),
    }
    return pack(arrays, said)


def pack(arrays: Mapping[str, np.ndarray], said: Mapping[str, str]) -> bytes:
    """A safetensors file, the same bytes for the same arrays and notes.

    Args:
      arrays: by name, contiguous.
      said: what the file says of itself.

    Returns:
      The content.
    """
    whole = safetensors.numpy.save(dict(arrays), metadata=dict(said))
    # A header of JSON, whose order is by chance, after its length in eight bytes.
    end = 8 + int.from_bytes(whole[:8], "little")
    header = json.dumps(json.loads(whole[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + whole[end:]


def read(folder: pathlib.Path, like: State | None = None) -> tuple[Notes, State | None]:
    """What a file of weights holds.

    Args:
      folder: an exported folder.
      like: a state of shapes and dtypes, as the config describes it; None to read the notes alone.

    Returns:
      The notes, and the state as numpy, with the networks that the file has and no optimiser; None
      without `like`.

    Raises:
      InputError: the file is damaged, foreign, of other networks, or of another config.
    """
    path = pathlib.Path(folder) / WEIGHTS_NAME
    said, arrays = read_arrays(folder, notes_alone=like is None)
    try:
        names = tuple(filter(None, said["networks"].split(",")))
        notes = Notes(int(said["step"]), int(said["stage"]), said["config"], names)
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: is no run's file of weights ({error})") from error
    return notes, None if like is None else _state(path, notes, arrays, like)


def read_arrays(
    folder: pathlib.Path, *, notes_alone: bool = False
) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The arrays of a file of weights, whatever they are of.

    Args:
      folder: an exported folder.
      notes_alone: whether the arrays stay where they are.

    Returns:
      What the file says of itself, and the arrays by name.

    Raises:
      InputError: the file is damaged, foreign, or of another config than lies beside it.
    """
    path = pathlib.Path(folder) / WEIGHTS_NAME
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            said = file.metadata() or {}
            names = [] if notes_alone else file.keys()
            arrays = {name: file.get_tensor(name) for name in names}
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise InputError(
            f"{path}: is damaged or no file of weights ({error}); export or fetch it again"
        ) from error
    if said.get("format") != FORMAT:
        raise InputError(
            f"{path}: is not of stegojax ({said.get('format', 'it says no format')}); name a "
            "folder that `stegojax export` wrote"
        )
    if sha256((path.parent / CONFIG_NAME).read_bytes()) != said.get("config"):
        raise InputError(
            f"{path.parent / CONFIG_NAME}: is not the config that {WEIGHTS_NAME} belongs to; "
            "export or fetch the folder again"
        )
    return said, arrays


def _state(
    path: pathlib.Path, notes: Notes, arrays: Mapping[str, np.ndarray], like: State
) -> State:
    wanted = {
        part: {name: tree for name, tree in getattr(like, part).items() if name in notes.networks}
        for part in PARTS
    }
    shapes = named(wanted)
    for name in sorted({*shapes, *arrays}):
        there = list(arrays[name].shape) if name in arrays else "absent"
        here = list(shapes[name].shape) if name in shapes else "absent"
        if there != here:
            raise InputError(
                f"{path}: holds other networks than {CONFIG_NAME} describes: {name} is {there} "
                f"there and {here} by the config"
            )
    missing = sorted(set(notes.networks) - set(wanted["params"]))
    if missing:
        raise InputError(
            f"{path}: holds other networks than {CONFIG_NAME} describes: {missing[0]} is none of "
            f"{', '.join(sorted(like.params))}"
        )
    filled = jax.tree.map_with_path(lambda at, leaf: arrays[_name(at)].astype(leaf.dtype), wanted)
    return State(np.int32(notes.step), filled["params"], filled["batch_stats"], {})


def named(tree: Any) -> dict[str, Any]:
    """The leaves of a tree, by the names of their arrays in the file.

    Args:
      tree: dictionaries of dictionaries and lists.

    Returns:
      Name -> leaf.
    """
    return {_name(path): leaf for path, leaf in jax.tree.flatten_with_path(tree)[0]}


def _name(path) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
