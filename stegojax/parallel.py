"""Devices and hosts: the only file that says `pmap`.

A step runs once per device on its share of the batch, under one named axis, `AXIS`. The state has
  no device axis: it goes in
and comes out replicated (`in_axes=None`, `out_axes=None`), so it is the same tree on one device and
on many, and donated buffers are reused on every device. A batch on its way to the devices is `[D, B
/ D, ...]` with D the local device count.

What must not depend on the number of devices does not: gradients, metrics and BatchNorm statistics
  are averaged over `AXIS`,
and randomness per example is drawn from `example_keys`, which counts examples through the whole
batch.
"""

from __future__ import annotations

import os
import pathlib
import signal
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from stegojax.errors import InputError
from stegojax.types import Array, Key

AXIS = "devices"


def start(
    *, coordinator: str = "", process_count: int = 0, process_id: int = -1, pod: bool = False
) -> None:
    """Joins this process to the others of a run on several hosts; with no argument the run has this
    process alone.

    Call it before anything asks JAX for its devices. What is compiled is kept in the user's cache
    folder (`keep_what_is_compiled`). Products of float32 arrays are from then on
      computed in float32: a GPU's or
    TPU's faster default drops digits, and what a stego adds to a cover is small.
    JAX_DEFAULT_MATMUL_PRECISION overrides it.

    Args:
      coordinator: `host:port` of process 0, the same on every process.
      process_count: number of processes.
      process_id: this process's number from 0.
      pod: on a TPU pod or under Slurm or MPI everything is found from the environment instead.

    Raises:
      InputError: only some of the three values are given, or the processes cannot be joined.
    """
    keep_what_is_compiled()
    if "JAX_DEFAULT_MATMUL_PRECISION" not in os.environ:
        jax.config.update("jax_default_matmul_precision", "float32")
    given = (bool(coordinator), process_count > 0, process_id >= 0)
    if not any(given) and not pod:
        return
    if any(given) and not all(given):
        raise InputError(
            "a run on several hosts needs --coordinator=HOST:PORT, --process_count and "
            "--process_id together"
        )
    try:
        if all(given):
            jax.distributed.initialize(coordinator, process_count, process_id)
        else:
            jax.distributed.initialize()
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"the processes of this run could not be joined: {str(error).splitlines()[0]}"
        ) from error


def keep_what_is_compiled() -> None:
    """Keeps compiled functions on disk, in the user's cache folder ($XDG_CACHE_HOME, or ~/.cache),
    so that the second start of a command or a training compiles nothing.

    JAX_COMPILATION_CACHE_DIR names another folder, or none where it is empty; nothing is kept where
    the folder cannot be written.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    try:
        base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
        folder = pathlib.Path(base) / "stegojax" / "xla"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no such place, or nobody's home
        return
    if os.access(folder, os.W_OK):
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def is_writer() -> bool:
    """True in the one process that writes logs, pictures and checkpoints."""
    return jax.process_index() == 0


def wait(name: str) -> None:
    """Waits until every process of the run has come here; one process goes on at once.

    Args:
      name: of the place, the same in all processes.
    """
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def check_batch_size(batch_size: int) -> int:
    """This host's share of a global batch.

    Args:
      batch_size: examples in the global batch.

    Returns:
      Examples in the share.

    Raises:
      InputError: the batch cannot be divided among all devices.
    """
    devices = jax.device_count()
    if batch_size < 1 or batch_size % devices:
        raise InputError(
            f"batch_size={batch_size} cannot be divided among {devices} devices; take a multiple "
            f"of {devices}"
        )
    return batch_size // jax.process_count()


def _local_mesh() -> Mesh:
    return Mesh(np.asarray(jax.local_devices()), (AXIS,))


def shard(batch: Any) -> Any:
    """Puts this host's share of a batch on its devices.

    Args:
      batch: tree of `[B, ...]`.

    Returns:
      The tree with leaves `[D, B / D, ...]`, split over D devices.
    """
    count = jax.local_device_count()
    sharding = NamedSharding(_local_mesh(), PartitionSpec(AXIS))

    def put(leaf):
        leaf = np.asarray(leaf)
        if leaf.shape[0] % count:
            raise ValueError(
                f"a batch of {leaf.shape[0]} cannot be divided among {count} local devices"
            )
        return jax.device_put(
            leaf.reshape((count, leaf.shape[0] // count) + leaf.shape[1:]), sharding
        )

    return jax.tree.map(put, batch)


def replicate(tree: Any) -> Any:
    """Puts a copy of every leaf on every local device.

    Args:
      tree: of arrays.

    Returns:
      The tree on the devices.
    """
    return jax.device_put(tree, NamedSharding(_local_mesh(), PartitionSpec()))


def gather(tree: Any) -> Any:
    """Brings the results of `over_devices` for one batch back to this host.

    Args:
      tree: of `[D, B / D, ...]`.

    Returns:
      The tree with leaves `[B, ...]`, NumPy.
    """
    return jax.tree.map(lambda leaf: np.asarray(leaf).reshape((-1,) + leaf.shape[2:]), tree)


def train_step(step: Callable) -> Callable:
    """Compiles a step to run on all devices; the given state's buffers are reused.

    Args:
      step: `(state, batch, key) -> (state, metrics)`.

    Returns:
      The step, which takes a batch from `shard`.
    """
    return jax.pmap(
        step, axis_name=AXIS, in_axes=(None, 0, None), out_axes=(None, None), donate_argnums=(0,)
    )


def over_devices(function: Callable) -> Callable:
    """Compiles a function to run on all devices, each on its share of the batch.

    Args:
      function: `(state, batch, key) -> tree of [B, ...]`.

    Returns:
      The function, which takes a batch from `shard`; `gather` brings its results back.
    """
    return jax.pmap(function, axis_name=AXIS, in_axes=(None, 0, None), out_axes=0)


def example_keys(key: Key, count: int) -> Key:
    """One key per example, which depends on the example's place in the whole batch alone, not on
    how the batch is divided among devices.

    Args:
      key: of the batch.
      count: examples in this device's share; outside of a step on devices the whole batch.

    Returns:
      Keys `[count]`.
    """
    first = jax.lax.axis_index(AXIS) * count if _on_devices() else 0
    return jax.vmap(lambda i: jax.random.fold_in(key, i))(first + jnp.arange(count))


def mean(tree: Any) -> Any:
    """Averages over all devices, inside a step; outside of one everything is its own mean.

    Args:
      tree: of gradients, statistics or metrics.

    Returns:
      The tree of means.
    """
    return jax.lax.pmean(tree, AXIS) if _on_devices() else tree


def device_count() -> int:
    """How many devices share the batch of a step; outside of one it is one.

    Returns:
      The size of `AXIS`.
    """
    return jax.lax.axis_size(AXIS) if _on_devices() else 1


def _on_devices() -> bool:
    """Whether this is traced under `AXIS`, by `train_step` or `over_devices`."""
    try:
        return bool(jax.lax.axis_size(AXIS))
    except NameError:  # no such axis
        return False


def all_finite(tree: Any) -> bool:
    """Whether no floating-point leaf of a tree holds NaN or infinity.

    Args:
      tree: of arrays.

    Returns:
      True if all are finite.
    """
    leaves = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return bool(_all_finite(leaves))


@jax.jit
def _all_finite(leaves: list[Array]) -> Array:
    return jnp.all(jnp.asarray([jnp.all(jnp.isfinite(leaf)) for leaf in leaves] or [True]))


class StopSignal:
    """Remembers that this run was asked to stop (SIGTERM, or Ctrl-C), so that the loop can save
    first.

    On several hosts all of them stop at the same step, whichever was asked: JAX's preemption
      service agrees on it.
    A second Ctrl-C stops at once.
    """

    def __init__(self):
        self.received = 0
        self._before = {}

    def __enter__(self) -> StopSignal:
        caught = [signal.SIGINT] if jax.process_count() > 1 else [signal.SIGINT, signal.SIGTERM]
        for number in caught:
            self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _remember(self, number, frame):
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number

    def asked(self, step: int) -> bool:
        """True once the run should stop; every process calls it with the same steps in the same
        order.
        """
        if jax.process_count() > 1 and multihost_utils.reached_preemption_sync_point(step):
            self.received = self.received or signal.SIGTERM
            return True
        return bool(self.received) and jax.process_count() == 1
