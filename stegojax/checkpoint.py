"""Checkpoints: the state and the input's position, written whole or not at all (Orbax), the last
few and milestones kept.

A checkpoint is a folder `WORKDIR/checkpoints/STEP`; Orbax writes it under another name and renames
it at the end, so a process killed while it writes leaves the one before. What is stored is host
memory (numpy), so a run may continue on another number of devices or hosts. `STEP/digests.json`
holds the SHA-256 digest of every file of a checkpoint; one that does not match is not read.
Checkpoints of earlier versions have none and are taken as they are.
"""

from __future__ import annotations

import hashlib
import json
import logging
import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from stegojax import files
from stegojax.errors import InputError
from stegojax.types import State

DIGESTS_NAME = "digests.json"

# Orbax tells of every save, and of every error that it raises besides, through absl's logger, which
# carries this package's own warnings too.
logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)


class Damaged(InputError):
    """A checkpoint that cannot be read, or does not hold what was written.

    found: what is wrong, without what to do.
    """

    def __init__(self, found: str):
        super().__init__(f"{found}; delete that folder to go on from the one before")
        self.found = found


class Position(NamedTuple):
    """Where a run stands beside its state.

    batches: global batches consumed from the training input.
    stage:   index of the stage that the state belongs to.
    """

    batches: int
    stage: int


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, folder: pathlib.Path, *, keep: int = 2, milestone: int = 0):
        """Opens the folder, which need not exist yet.

        Args:
          folder: where the checkpoints are.
          keep: how many of the newest are kept.
          milestone: those at multiples of this many steps are kept for good; 0 for none.
        """
        self.folder = pathlib.Path(folder).absolute()
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep,
            keep_period=milestone or None,
            enable_async_checkpointing=False,
            create=False,
        )
        self._options = options
        self._verified: set[int] = set()
        self._manager = None

    def _open(self, *, create: bool) -> ocp.CheckpointManager:
        if self._manager is None:
            if create:
                self.folder.mkdir(parents=True, exist_ok=True)
            self._manager = ocp.CheckpointManager(self.folder, options=self._options)
        return self._manager

    def steps(self) -> list[int]:
        """The steps of the complete checkpoints, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(
            int(path.name)
            for path in self.folder.iterdir()
            if path.name.isdigit() and path.is_dir()
        )

    def save(self, step: int, state: State, position: Position) -> None:
        """Writes one checkpoint; every process of the run calls it.

        Raises:
          InputError: it could not be written (a full disk, say); the ones before are untouched.
        """
        host = jax.tree.map(np.asarray, state)
        try:
            self._open(create=True).save(
                step,
                force=True,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(host),
                    position=ocp.args.JsonSave(position._asdict()),
                ),
            )
            if jax.process_index() == 0:
                self._write_digests(self.folder / str(step))
        except Exception as error:
            kept = self.steps()
            last = (
                f"the last good one is {self.folder / str(kept[-1])}"
                if kept
                else "there is none yet"
            )
            raise InputError(
                f"the checkpoint of step {step} could not be written to {self.folder} "
                f"({first_line(error)}); {last}; make room and run the same command again"
            ) from error

    def position(self, step: int) -> Position:
        """Where the run stood at a checkpoint.

        Raises:
          Damaged: it cannot be read, or is not what was written.
        """
        self._verify(step)
        restored = self._restore(step, position=ocp.args.JsonRestore())
        try:
            return Position(**restored.position)
        except TypeError as error:
            raise self._unreadable(step, error) from error

    def restore(self, step: int, like: Any) -> State:
        """The state of one checkpoint, as numpy.

        Args:
          step: one of `steps()`.
          like: a state of arrays or `jax.ShapeDtypeStruct` with the structure to be filled.

        Raises:
          Damaged: it cannot be read, or is not what was written.
          InputError: it belongs to other networks.
        """
        target = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), like)
        self._verify(step)
        self._compare(step, target)
        return self._restore(step, state=ocp.args.StandardRestore(target)).state

    def _write_digests(self, folder: pathlib.Path) -> None:
        digests = {
            path.relative_to(folder).as_posix(): _digest(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        files.write_bytes(folder / DIGESTS_NAME, json.dumps(digests, indent=2).encode())

    def set_aside(self, step: int) -> pathlib.Path:
        """Renames a damaged checkpoint, so that the one before is the newest.

        Args:
          step: one of `steps()`.

        Returns:
          Where it is now.
        """
        self.close()
        place = self.folder / str(step)
        aside = self.folder / f"{step}.damaged"
        number = 1
        while aside.exists():
            number += 1
            aside = self.folder / f"{step}.damaged-{number}"
        place.rename(aside)
        return aside

    def _verify(self, step: int) -> None:
        """Refuses files that are not what was written, before anything else reads them."""
        if step in self._verified:
            return
        folder = self.folder / str(step)
        try:
            listed = json.loads((folder / DIGESTS_NAME).read_text(encoding="utf-8"))
            for name, digest in listed.items():
                if _digest(folder / name) != digest:
                    raise ValueError(f"{name} is not what was written")
        except FileNotFoundError as error:
            if pathlib.Path(error.filename).name != DIGESTS_NAME:
                raise self._unreadable(step, ValueError(f"{error.filename} is missing")) from error
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise self._unreadable(step, error) from error
        self._verified.add(step)

    def _compare(self, step: int, target: State) -> None:
        """Refuses a checkpoint of other networks, and names the first array that differs."""
        try:
            with ocp.StandardCheckpointer() as reader:
                metadata = reader.metadata(self.folder / str(step) / "state")
            saved = _shapes(metadata.item_metadata.tree)
        except Exception as error:
            raise self._unreadable(step, error) from error
        wanted = _shapes(target)
        # What is wrong with a network says more than what is wrong with its optimiser's state.
        for name in sorted({*saved, *wanted}, key=lambda name: (name[:7] != "params.", name)):
            if saved.get(name) != wanted.get(name):
                raise InputError(
                    f"checkpoint {self.folder / str(step)} holds other networks than the config "
                    f"describes: {name} is {saved.get(name, 'absent')} there and "
                    f"{wanted.get(name, 'absent')} by the config"
                )

    def _restore(self, step: int, **args):
        try:
            return self._open(create=False).restore(step, args=ocp.args.Composite(**args))
        except Exception as error:
            raise self._unreadable(step, error) from error

    def _unreadable(self, step: int, error: Exception) -> Damaged:
        return Damaged(f"checkpoint {self.folder / str(step)} cannot be read ({first_line(error)})")

    def close(self) -> None:
        """Waits for what is being written."""
        if self._manager is not None:
            self._manager.close()
            self._manager = None


def _digest(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _shapes(tree: Any) -> dict[str, str]:
    """Type and shape of every array of a tree, by its dotted name."""
    leaves, _ = jax.tree.flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): (
            f"{np.dtype(leaf.dtype).name} {list(leaf.shape)}"
        )
        for path, leaf in leaves
    }


def first_line(error: Exception) -> str:
    """What an exception says, in one line of bounded length.

    Args:
      error: any.

    Returns:
      At most 200 characters; the exception's type where it says nothing.
    """
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
