"""A run: a config and its work directory, and what is made of them (method, lengths, state).

WORKDIR/config.json      the config, resolved; a later start must bring the same, or a longer one
WORKDIR/versions.json    of Python, JAX and the rest, with the resolved lengths, one entry per
                         start
WORKDIR/checkpoints/     state and input position (`checkpoint.py`)
WORKDIR/best/            the state with the best held-out figure, where `checkpoint.best` names
                         one
WORKDIR/best_of_STAGE/   the best state of a stage, where the next one begins from it
                         (`Stage.choice`)
WORKDIR/vocabulary.json  of a run of sentences: which word has which number; later starts must
                         bring the same
WORKDIR/metrics.jsonl, tensorboard/, curves.png, panel.png, panels/

A run is also used from a folder that `stegojax export` wrote, or by the name of one (`zoo`).
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import json
import pathlib
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np

from stegojax import embed, files, longer, settings
from stegojax.checkpoint import Checkpoints, first_line
from stegojax.data import pipeline
from stegojax.errors import InputError
from stegojax.methods import METHODS, Entry
from stegojax.methods.trained import RUN, Trained, without_beginnings
from stegojax.older import renew
from stegojax.types import Method, Stage, State
from stegojax.zoo import shelves, weights

CONFIG_NAME = "config.json"
VERSIONS_NAME = "versions.json"
BEST_NAME = "best"
FREE = ("loader", "report")
"""Sections that change nothing in training and may differ between two starts of one run."""
PACKAGES = (
    "stegojax",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "grain",
    "numpy",
    "Pillow",
)


class Lengths(NamedTuple):
    """How long a run is.

    steps_per_epoch: training steps that go once through the training set.
    steps:           steps of the whole run.
    """

    steps_per_epoch: int
    steps: int


def changed(
    config: ml_collections.ConfigDict, fields: Mapping[str, Any]
) -> ml_collections.ConfigDict:
    """A copy of a config with some fields set anew.

    Args:
      config: stays as it is.
      fields: by their names, `section.field`.

    Returns:
      The copy.
    """
    copy = config.copy_and_resolve_references()
    with copy.unlocked():
        for name, value in fields.items():
            *sections, last = name.split(".")
            section = copy
            for part in sections:
                section = section[part]
            section[last] = value
    return copy


def data_section(config: ml_collections.ConfigDict, **changes) -> dict[str, Any]:
    """What `pipeline.make` takes.

    Args:
      config: of a run.
      **changes: fields that are set anew.

    Returns:
      The data's fields and the loader's.
    """
    return {**config.data.to_dict(), **config.loader.to_dict(), **changes}


def loader(
    config: ml_collections.ConfigDict,
    split: str,
    *,
    start: int = 0,
    put: Callable[[dict], Any] | None = None,
    **changes,
) -> pipeline.Loader:
    """This host's batches of a run's data.

    Args:
      config: of the run.
      split: "train", "held_out" or, of pictures, "test".
      start: batches consumed before.
      put: see `pipeline.make`.
      **changes: fields of the data or the loader that are set anew.

    Returns:
      The loader.

    Raises:
      InputError: the data cannot be used.
    """
    return pipeline.make(
        data_section(config, **changes),
        split=split,
        batch_size=config.batch_size,
        seed=config.seed,
        start=start,
        put=put,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )


def example(config: ml_collections.ConfigDict) -> dict[str, np.ndarray]:
    """A batch of one black example, or empty sentence; no data is read.

    Args:
      config: of a run.

    Returns:
      Arrays of the shapes that the config's data have.
    """
    return pipeline.example(config.data.to_dict())


def plain(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """A config as the nested dict that a JSON file would give back.

    Args:
      config: any.

    Returns:
      The dict.

    Raises:
      InputError: a value is none that JSON knows.
    """
    try:
        return json.loads(json.dumps(config.to_dict()))
    except TypeError as error:
        raise InputError(
            f"the config holds a value that cannot be saved ({error}); use numbers, strings and "
            "lists"
        ) from error


def lengths(config: ml_collections.ConfigDict, made: Method | None = None) -> Lengths:
    """How long a run is: as long as the stages of its method together; where it has none, `steps`,
    or `epochs` times the training set.

    Args:
      config: of a run.
      made: the method, in place of the one that the config names.

    Returns:
      The lengths.

    Raises:
      InputError: none of them says, two of them do, or the data cannot be used.
    """
    examples = pipeline.examples_per_epoch(data_section(config), split="train")
    steps_per_epoch = max(1, examples // config.batch_size)
    made = made or method(config, Lengths(steps_per_epoch, 0), restored=True)
    said = f"steps={config.steps} and epochs={config.epochs}"
    if made.stages and (config.steps > 0 or config.epochs > 0):
        raise InputError(
            f"the stages say how long the run is, and so do {said}; set both of these to 0"
        )
    if config.steps > 0 and config.epochs > 0:
        raise InputError(f"{said} are two lengths; set one of them to 0")
    steps = max(config.steps, round(config.epochs * steps_per_epoch), 0)
    steps = sum(stage.steps for stage in made.stages) or steps
    if not steps:
        raise InputError(f"{said} leave nothing to train; set one of them above 0")
    return Lengths(steps_per_epoch, int(steps))


def method(
    config: ml_collections.ConfigDict, sizes: Lengths | None = None, *, restored: bool = False
) -> Method:
    """The method that a config names.

    Args:
      config: of a run.
      sizes: its lengths; None where it is not trained here, and the data need not be at hand.
      restored: whether the state comes from a checkpoint: the runs from which networks began need
        not be at hand then.

    Returns:
      The method.

    Raises:
      InputError: there is none of that name, or a field of its section is unknown.
    """
    named, section = entry(config)
    section = without_beginnings(section) if restored else section
    # How long an epoch is changes schedules and the lengths of stages alone.
    steps_per_epoch = sizes.steps_per_epoch if sizes else 1
    return named.from_config(section, steps_per_epoch=steps_per_epoch, load=trained)


def entry(config: ml_collections.ConfigDict) -> tuple[Entry, dict[str, Any]]:
    """What is known of the method that a config names, and the rest of the config's method section.

    Args:
      config: of a run.

    Raises:
      InputError: there is no method of that name.
    """
    section = config.method.to_dict()
    name = section.pop("name", "")
    if name not in METHODS:
        raise InputError(f"method {name!r} is unknown; there are {', '.join(sorted(METHODS))}")
    return METHODS[name], section


def stages(made: Method, sizes: Lengths) -> tuple[Stage, ...]:
    """The stages of a run, one that lasts all of it where the method lists none.

    Args:
      made: the method.
      sizes: the run's, from `lengths`.

    Returns:
      At least one.
    """
    return made.stages or (Stage("train", sizes.steps, made.train_step),)


def state_like(made: Method, batch: Mapping[str, Any], stage: int) -> State:
    """Shapes and dtypes of the state in one stage, without computing it.

    Args:
      made: the method.
      batch: an example; only shapes and dtypes matter.
      stage: number of the stage; 0 where the method lists none.

    Returns:
      A state of `jax.ShapeDtypeStruct`.
    """
    key = jax.random.key(0)
    like = jax.eval_shape(made.init, key, batch)
    for each in made.stages[: stage + 1]:
        like = jax.eval_shape(each.begin, like, key)
    return like


def read_config(workdir: str | pathlib.Path) -> ml_collections.ConfigDict:
    """The config of an existing run; one of an earlier version in today's form.

    Args:
      workdir: the folder, or a model's name, see `zoo.shelves.locate`.

    Returns:
      The config.

    Raises:
      InputError: the folder is not a run.
    """
    path = shelves.locate(workdir).folder / CONFIG_NAME
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(listed, dict):
            raise InputError(f"it holds no fields, but a {type(listed).__name__}")
        config = ml_collections.ConfigDict(listed)
        renew(config)
        settings.check(config.to_dict())
    except FileNotFoundError:
        raise InputError(
            f"{workdir} is not the work directory of a run: it holds no {CONFIG_NAME}"
        ) from None
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is damaged ({first_line(error)}); take it from a copy of the run"
        ) from error
    return config


def use(workdir: str | pathlib.Path) -> str:
    """What a run hides with; only its config is read.

    Args:
      workdir: of the run; an exported folder or a model's name, too.

    Returns:
      A name, see `methods.Entry.use`.

    Raises:
      InputError: the folder is not a run, or nothing can be hidden with it.
    """
    name = read_config(workdir).get("method", {}).get("name", "")
    if name not in METHODS or not METHODS[name].use:
        hide = ", ".join(name for name, known in METHODS.items() if known.use)
        raise InputError(
            f"the run in {workdir} ({name or 'the security protocol'}) hides nothing; there are "
            f"runs of {hide} for that"
        )
    return METHODS[name].use


def difference(
    saved: Mapping[str, Any], given: Mapping[str, Any], prefix: str = "", free: Sequence[str] = FREE
) -> list[str]:
    """How two configs differ.

    A field that the saved one lacks is no difference where it is empty, zero or false: fields that
    are added to configs mean that nothing has changed then.

    Args:
      saved: a config, as `plain` gives it.
      given: another.
      prefix: of the fields' names, which ends with a dot where it is a section's.
      free: names of fields that may differ.

    Returns:
      A line for every field that differs.
    """
    lines = []
    for name in sorted(set(saved) | set(given)):
        if prefix + name in free or (name not in saved and not given[name]):
            continue
        left, right = saved.get(name, "(absent)"), given.get(name, "(absent)")
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            lines += difference(left, right, f"{prefix}{name}.", free)
        elif left != right:
            lines.append(f"{prefix}{name} is {left!r} there and {right!r} is asked for")
    return lines


def check_workdir(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, *, free: Sequence[str] = FREE
) -> list[str]:
    """Checks that a work directory, if it is one already, is of the same config and the same data.

    Args:
      config: what is asked for.
      workdir: the folder.
      free: fields and sections in which the existing one may differ; it may be shorter besides
        (`longer`).

    Returns:
      A line for every length that grows.

    Raises:
      InputError: the folder belongs to another config; the message lists the differences.
    """
    grown = []
    if (workdir / CONFIG_NAME).exists():
        saved, given = plain(read_config(workdir)), plain(config)
        grown = longer.changes(saved, given)
        lines = difference(saved, given, free=(*free, *(longer.LENGTHS if grown else ())))
        if lines:
            raise InputError(
                f"{workdir} holds a run of another config; name another --workdir or undo the "
                "difference: " + "; ".join(lines)
            )
    for name, content in _kept(config).items():
        if (workdir / name).exists() and (workdir / name).read_bytes() != content:
            raise InputError(
                f"{workdir / name} is not what the data give now; bring back the data that the "
                "run began with, or name another --workdir"
            )
    return grown


def with_lengths_of(
    workdir: pathlib.Path, config: ml_collections.ConfigDict
) -> ml_collections.ConfigDict:
    """A config that is as long as an existing run, which may have been made longer.

    Args:
      workdir: of the run.
      config: of the same run, or a shorter or longer one.

    Returns:
      The config with the run's lengths.

    Raises:
      InputError: the folder is not a run.
    """
    saved = read_config(pathlib.Path(workdir))
    fields = {}
    for name in longer.LENGTHS:
        section, _, field = name.rpartition(".")
        whole = saved.get(section, {}) if section else saved
        if field in whole:
            fields[name] = whole[field]
    return changed(config, fields)


def open_workdir(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    sizes: Lengths | None = None,
    *,
    free: Sequence[str] = FREE,
) -> list[str]:
    """Makes a work directory for a config, or goes on with the existing one of the same config.

    Args:
      config: what is asked for.
      workdir: the folder.
      sizes: the lengths that the config resolves to, written down beside the versions; None where
        nothing is trained.
      free: as for `check_workdir`.

    Returns:
      As `check_workdir`.

    Raises:
      InputError: as `check_workdir`, or the folder cannot be written.
    """
    workdir = pathlib.Path(workdir)
    grown = check_workdir(config, workdir, free=free)
    _make(workdir)
    for name, content in _kept(config).items():
        files.write_bytes(workdir / name, content)
    given = json.dumps(plain(config), indent=2)
    files.write_bytes(workdir / CONFIG_NAME, given.encode())
    _add_versions(workdir / VERSIONS_NAME, sizes)
    return grown


@contextlib.contextmanager
def held(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    sizes: Lengths | None = None,
    *,
    free: Sequence[str] = FREE,
) -> Iterator[list[str]]:
    """A work directory that is opened for this process alone.

    Args:
      config, workdir, sizes, free: as for `open_workdir`.

    Yields:
      As `open_workdir` returns. Where another process trains there, nothing was written.

    Raises:
      InputError: as `open_workdir`, or another process trains there.
    """
    workdir = pathlib.Path(workdir)
    check_workdir(config, workdir, free=free)
    _make(workdir)
    with only_one(workdir):
        yield open_workdir(config, workdir, sizes, free=free)


def _make(workdir: pathlib.Path) -> None:
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{workdir} cannot be made: {error.strerror}; name another --workdir"
        ) from error


def pin(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> ml_collections.ConfigDict:
    """A config in which models are named by version and hash, so that it means the same for ever.

    Args:
      config: of a run; its method may begin from models or stand on them.
      workdir: of the run; what its config has pinned already stays as it is.

    Returns:
      A copy, or the config itself where it names no model.

    Raises:
      InputError: a shelf of models is damaged.
    """
    saved = {}
    if (pathlib.Path(workdir) / CONFIG_NAME).exists():
        saved = read_config(workdir).get("method", {})
    pinned = {}
    for field, value in config.get("method", {}).items():
        if not isinstance(value, str) or not (field.endswith("_from") or RUN in value):
            continue
        before, colon, place = value.rpartition(RUN)
        if not place or (pathlib.Path(place) / CONFIG_NAME).exists():
            continue
        older = str(saved.get(field, ""))
        if older.startswith((f"{value}@", f"{value}#")):
            pinned[f"method.{field}"] = older
        elif (model := shelves.find(place)) is not None:
            pinned[f"method.{field}"] = before + colon + model.pinned
    return changed(config, pinned) if pinned else config


def _kept(config: ml_collections.ConfigDict) -> dict[str, bytes]:
    return pipeline.files(config.data.to_dict()) if "data" in config else {}


def _add_versions(path: pathlib.Path, sizes: Lengths | None) -> None:
    entries = []
    with contextlib.suppress(FileNotFoundError, ValueError):
        listed = json.loads(path.read_text(encoding="utf-8"))
        entries = listed if isinstance(listed, list) else []
    versions = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": jax.devices()[0].device_kind,
        "devices": jax.device_count(),
        **(sizes._asdict() if sizes else {}),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    files.write_bytes(path, json.dumps(entries + [versions], indent=2).encode())


@contextlib.contextmanager
def only_one(workdir: pathlib.Path) -> Iterator[None]:
    """Holds a work directory for this process; the lock ends with the process, however it ends.

    Args:
      workdir: of the run.

    Yields:
      Nothing, once the directory is held.

    Raises:
      InputError: another process trains there.
    """
    with open(pathlib.Path(workdir) / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"another process is training in {workdir}; wait for it or name another --workdir"
            ) from None
        yield


class Loaded(NamedTuple):
    """A trained run, ready to be used.

    config:  as it was trained.
    method:  what it trained.
    state:   of the checkpoint, as numpy.
    step:    of the checkpoint.
    workdir: the folder of the run.
    stage:   index of the stage that the state belongs to.
    model:   the model that it was named as; None where a folder was.
    """

    config: ml_collections.ConfigDict
    method: Method
    state: State
    step: int
    workdir: pathlib.Path = pathlib.Path()
    stage: int = 0
    model: shelves.Model | None = None

    @property
    def title(self) -> str:
        """What a person calls it: the model's name and version, or the folder."""
        return self.model.label if self.model else str(self.workdir)


def load(
    workdir: str | pathlib.Path, *, step: int | None = None, made: Method | None = None
) -> Loaded:
    """Reads a trained run; the training data is not touched.

    Args:
      workdir: the folder that training or `stegojax export` wrote; or the name of a model, such as
        "sftn" or "sftn@1" (`stegojax models` lists them).
      step: of the checkpoint; None for the best, where the run keeps one, or else for the newest.
      made: the method, in place of the one that the config names.

    Returns:
      The run.

    Raises:
      InputError: the folder is not a run, has no checkpoint (of that step), the checkpoint cannot
        be read, or config or checkpoint do not fit this version; the message names what does not.
    """
    workdir, model = shelves.locate(workdir)
    config = read_config(workdir)
    try:
        settings.check_complete(config.to_dict())
    except InputError as error:
        raise InputError(f"{workdir / CONFIG_NAME} {error}") from error
    try:
        made = made or method(config, restored=True)
        batch = example(config)
    except InputError as error:
        raise InputError(f"the run in {workdir} cannot be used: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the run in {workdir} cannot be used: its config does not fit this version "
            f"({first_line(error)})"
        ) from error
    if weights.exist(workdir):
        notes = weights.read(workdir)[0]
        if step not in (None, notes.step):
            raise InputError(f"{workdir} is of step {notes.step} alone; it has no step {step}")
        state = weights.read(workdir, state_like(made, batch, notes.stage))[1]
        return Loaded(config, made, state, notes.step, workdir, notes.stage, model)
    checkpoints = Checkpoints(workdir / "checkpoints")
    if step is None and config.checkpoint.get("best", ""):
        best = Checkpoints(workdir / BEST_NAME)
        checkpoints = best if best.steps() else checkpoints
    steps = checkpoints.steps()
    if not steps:
        raise InputError(f"{workdir} has no checkpoint yet; train it first")
    if step is not None and step not in steps:
        raise InputError(
            f"{workdir} has no checkpoint of step {step}; there are {', '.join(map(str, steps))}"
        )
    step = steps[-1] if step is None else step
    stage = checkpoints.position(step).stage
    state = checkpoints.restore(step, state_like(made, batch, stage))
    checkpoints.close()
    return Loaded(config, made, state, step, workdir, stage, model)


def trained(place: str) -> Trained:
    """Another run, as far as a method can use it.

    Args:
      place: its work directory, an exported folder, or a model's name.

    Returns:
      Its section, its state, and what it embeds with.

    Raises:
      InputError: as `load`.
    """
    loaded = load(place)
    scheme = scheme_of(loaded) if entry(loaded.config)[0].scheme is not None else None
    return Trained(loaded.config.method.to_dict(), loaded.state, scheme)


def load_scheme(workdir: str | pathlib.Path) -> embed.Scheme:
    """The costs and the recipe that a run has learned.

    Args:
      workdir: of the run; an exported folder or a model's name, too.

    Returns:
      The scheme, named as `Loaded.title`.

    Raises:
      InputError: the folder is not a run, has no checkpoint, or its method embeds otherwise.
    """
    return scheme_of(load(workdir))


def scheme_of(loaded: Loaded) -> embed.Scheme:
    """The costs and the recipe of a run that has learned them.

    Args:
      loaded: the run.

    Returns:
      The scheme, named as `Loaded.title`.

    Raises:
      InputError: the run's method embeds otherwise.
    """
    named, section = entry(loaded.config)
    if named.scheme is None:
        learn = ", ".join(name for name, known in METHODS.items() if known.scheme)
        raise InputError(
            f"the run in {loaded.title} ({loaded.config.method.name}) has no costs to embed "
            f"with; there are some in runs of {learn}"
        )
    return named.scheme(loaded.state, section, name=loaded.title, load=trained)
