"""The evaluation of runs that make covers: SSGAN's three tables, an honest figure beside them, a
distance, and a sheet of samples.

The paper's steganalyzers are trained on pictures of one kind and tested on those of another, so its
tables show that the kinds differ, not that stegos cannot be found: whoever looks for them in
generated covers trains on generated covers. That is done too, always with other pictures for the
test than for the training, and set beside real pictures. Pictures are `[N, H, W, 3]`, float32 whole
values 0..255.

What is trained for it lies in WORKDIR/covers/..., a folder for every step of the run and every
setting; what is there already is not trained again.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np

from stegojax import batches, files, optimizers, parallel, plots, run, security, train
from stegojax.checkpoint import Checkpoints
from stegojax.data import array, pipeline
from stegojax.errors import InputError
from stegojax.hiders.generated import generator
from stegojax.methods import generation, steganalyzer
from stegojax.models import dcgan
from stegojax.protocols.distance import distance
from stegojax.tables import markdown
from stegojax.types import Key, Method, State

SAMPLES_NAME = "samples.png"

_TIMED = 3
_ACROSS = 8
_GENERATED = 64
_SEEDS_TRAIN, _SEEDS_TEST = 0, 1


class Pictures(NamedTuple):
    """What steganalyzers are trained and tested on.

    real:      photographs of the training split.
    held_out:  photographs that nothing was trained on.
    generated: made from the first list of seeds.
    fresh:     made from the second list.
    tuned:     made from the second list by the generator after more training.
    """

    real: np.ndarray
    held_out: np.ndarray
    generated: np.ndarray
    fresh: np.ndarray
    tuned: np.ndarray


def evaluate(
    config: ml_collections.ConfigDict, workdir: str | pathlib.Path, loaded: run.Loaded
) -> tuple[str, dict[str, Any]]:
    """SSGAN's Tables 1 to 3, the steganalyzers retrained on what they are tested on, the distance,
    and `samples.png`.

    Args:
      config: of the run; `report.covers` says how many pictures, how long the steganalyzers are
        trained, on which schemes, how many further steps the generator gets for S3, and which
        runs, evaluated before, have a column beside this one's (`beside`).
      workdir: of the run.
      loaded: the run.

    Returns:
      The text, and all figures by name.

    Raises:
      InputError: a setting cannot be used, or the data cannot.
    """
    settings, workdir = config.report.covers, pathlib.Path(workdir)
    if min(settings.pictures, settings.test_pictures, settings.steps) < 2 or not settings.schemes:
        raise InputError(
            "report.covers needs at least two pictures, test_pictures and steps, and a scheme"
        )
    beside = _beside(settings.get("beside", ()))
    folder = workdir / "covers" / f"{loaded.step}-{_digest(config)}"
    tuned = tune(config, folder / "tuned", loaded, settings.tuning_steps)
    fresh_noise = seeds(_SEEDS_TEST, settings.test_pictures)
    pictures = Pictures(
        photographs(config, "train", settings.pictures),
        photographs(config, "held_out", settings.test_pictures),
        generate(loaded, loaded.state, seeds(_SEEDS_TRAIN, settings.pictures)),
        generate(loaded, loaded.state, fresh_noise),
        generate(loaded, tuned, fresh_noise),
    )
    if parallel.is_writer():
        files.write_bytes(workdir / SAMPLES_NAME, plots.png(sheet(pictures.fresh)))
    steps = run.lengths(config).steps
    seconds = float(np.median(train.timed(config, steps=_TIMED).steps))
    results = {
        "hours": seconds * steps / 3600,
        "distances": distances(workdir, loaded, pictures, weights=settings.weights),
        "schemes": {
            scheme: attacked(config, folder, pictures, scheme) for scheme in settings.schemes
        },
    }
    return _text(config, results, steps, beside), {"covers": results}


def trains(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> list[train.Planned]:
    """What the tables train before they can be measured.

    Args:
      config: of the run.
      workdir: of the run.

    Returns:
      The generator's tuning, and two steganalyzers for every scheme.
    """
    settings, planned = config.report.covers, []
    folder = pathlib.Path(workdir) / "covers" / f"{run.load(workdir).step}-{_digest(config)}"
    if settings.tuning_steps:
        tuning = _short(config, settings.tuning_steps)
        own = run.method(config, run.lengths(config), restored=True)._replace(stages=())
        title = f"the generator further ({settings.tuning_steps} steps)"
        planned.append(train.Planned(title, tuning, folder / "tuned", own))
    for scheme in settings.schemes:
        made = _steganalyzer(config, scheme, settings.pictures)
        for name in ("real", "generated"):
            title = f"a steganalyzer of {scheme} in {name} pictures ({settings.steps} steps)"
            place = folder / f"{scheme}-{name}" / "run"
            planned.append(train.Planned(title, _short(config, settings.steps), place, made))
    return planned


def seeds(which: int, count: int) -> np.ndarray:
    """The noise of a list of seeds: of evaluations alone, so that their figures can be had again.

    Args:
      which: number of the list.
      count: how many.

    Returns:
      `[count, 100]`, uniform in (-1, 1), float32.
    """
    return (
        np.random.default_rng([which, 64])
        .uniform(-1.0, 1.0, (count, dcgan.NOISE))
        .astype(np.float32)
    )


def generate(loaded: run.Loaded, state: State, noise: np.ndarray) -> np.ndarray:
    """The pictures that a state of a run makes from noise.

    Args:
      loaded: the run.
      state: its own, or a later one.
      noise: `[N, 100]`.

    Returns:
      `[N, H, W, 3]`.
    """
    compiled = generator(loaded.method.predict)
    return batches.apply(lambda part: compiled(state, part), noise, size=_GENERATED)


def photographs(config: ml_collections.ConfigDict, split: str, count: int) -> np.ndarray:
    """Photographs of one split, cropped as the run's.

    Args:
      config: of the run.
      split: "train" or "held_out".
      count: how many.

    Returns:
      `[count, H, W, 3]`.
    """
    section, found = run.data_section(config, held_out_examples=count), []
    # Every host takes all of them.
    with pipeline.make(
        section, split=split, batch_size=min(count, _GENERATED), seed=config.seed
    ) as loader:
        while sum(map(len, found)) < count:
            found.append(next(loader)["cover"])
    return np.concatenate(found)[:count]


def sheet(pictures: np.ndarray) -> np.ndarray:
    """Up to 64 pictures side by side.

    Args:
      pictures: `[N, H, W, 3]`, 0..255.

    Returns:
      One picture `[H', W', 3]` uint8.
    """
    rows = min(_ACROSS, len(pictures) // _ACROSS) or 1
    shown = pictures[: rows * _ACROSS].astype(np.uint8)
    return np.concatenate(
        [np.concatenate(list(row), axis=1) for row in np.array_split(shown, rows)]
    )


def distances(
    workdir: str | pathlib.Path, loaded: run.Loaded, pictures: Pictures, *, weights: str = ""
) -> dict[str, Any]:
    """How far the pictures of every kept checkpoint, and held-out photographs, are from the
    photographs of the training.

    Args:
      workdir: of the run.
      loaded: the run.
      pictures: as `Pictures` says.
      weights: see `distance.distance`.

    Returns:
      "name" of the distance; "steps", step -> distance; "held_out".
    """
    noise, found = seeds(_SEEDS_TEST, len(pictures.fresh)), {}
    for step in Checkpoints(pathlib.Path(workdir) / "checkpoints").steps():
        found[str(step)] = distance(
            pictures.real,
            generate(loaded, run.load(workdir, step=step).state, noise),
            weights=weights,
        )[1]
    name, held_out = distance(pictures.real, pictures.held_out, weights=weights)
    return {"name": name, "steps": found, "held_out": held_out}


def tune(
    config: ml_collections.ConfigDict, folder: pathlib.Path, loaded: run.Loaded, steps: int
) -> State:
    """A run's state after some further training; the run itself stays as it is.

    Args:
      config: of the run.
      folder: where the training is kept.
      loaded: the run.
      steps: how many; 0 for the state as it is.

    Returns:
      The state.
    """
    if not steps:
        return loaded.state
    _say("S3: the generator is tuned")
    longer = _short(config, steps)
    own = run.method(config, run.lengths(config), restored=True)
    made = own._replace(init=lambda key, batch: jax.tree.map(np.asarray, loaded.state), stages=())
    return train.to_the_end(longer, folder, made=made).state


def attacked(
    config: ml_collections.ConfigDict, folder: pathlib.Path, pictures: Pictures, scheme: str
) -> dict[str, dict[str, float]]:
    """Trains the run's S* on real and on generated pictures and tests both.

    Args:
      config: of the run.
      folder: where the trainings are kept.
      pictures: as `Pictures` says.
      scheme: of the embedding, see `generation.simulator`.

    Returns:
      For each case the figures of `security.figures` and "accuracy", 1 - P_E: "real" and
      "generated" of the S* of real pictures, "S1", "S2" and "S3" of the S* of generated ones.
    """
    count = config.report.covers.test_pictures
    key = jax.random.fold_in(jax.random.key(config.seed), 6)
    cases: dict[str, tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]] = {
        "real": (
            pictures.real,
            pictures.held_out,
            {"real": pictures.held_out, "generated": pictures.fresh},
        ),
        "generated": (
            pictures.generated,
            pictures.fresh,
            {"S1": pictures.generated[:count], "S2": pictures.fresh, "S3": pictures.tuned},
        ),
    }
    figures = {}
    for name, (covers, held_out, tests) in cases.items():
        _say(f"S* on {name} pictures, {scheme}")
        made, state = trained(config, folder / f"{scheme}-{name}", covers, held_out, scheme)
        for number, (case, test) in enumerate(tests.items()):
            own = jax.random.fold_in(key, 1 + number)
            figures[case] = tested(own, made, state, test, batch_size=config.batch_size)
    return figures


def trained(
    config: ml_collections.ConfigDict,
    folder: pathlib.Path,
    covers: np.ndarray,
    held_out: np.ndarray,
    scheme: str,
) -> tuple[Method, State]:
    """Trains a run's S* on covers and their stegos, which are drawn anew in every step.

    Args:
      config: of the run.
      folder: where the training is kept.
      covers: `[N, H, W, 3]`, 0..255.
      held_out: those whose accuracy is shown in between.
      scheme: of the embedding, see `generation.simulator`.

    Returns:
      The training, and its last state.
    """
    settings, made = config.report.covers, _steganalyzer(config, scheme, len(covers))
    if parallel.is_writer() and not (folder / "covers.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        array.write(folder / "covers.npy", {"train": covers, "held_out": held_out})
    parallel.wait("covers")
    training = run.changed(
        _short(config, settings.steps),
        {
            "method": ml_collections.ConfigDict({"name": "attack", "scheme": scheme}),
            "data": ml_collections.ConfigDict(
                dict(
                    kind="pictures",
                    source=f"array:{folder / 'covers.npy'}",
                    crop="x".join(map(str, covers.shape[1:3])),
                    colour=True,
                    held_out_crop="centre",
                )
            ),
            "evaluation.batches": -(-len(held_out) // config.batch_size),
            "evaluation.crop": 0,
        },
    )
    return made, train.to_the_end(training, folder / "run", made=made).state


def _steganalyzer(config: ml_collections.ConfigDict, scheme: str, covers: int) -> Method:
    """A run's S* as what is trained on so many covers and their stegos."""
    settings, (named, section) = config.report.covers, run.entry(config)
    embed = generation.simulator(scheme, payload=config.method.payload)

    def stegos(frozen, batch, key, payload):
        del frozen, payload
        return batch["cover"] + embed(key, batch["cover"])

    descent = optimizers.make(
        **settings.optimizer.to_dict(), steps_per_epoch=max(1, covers // config.batch_size)
    )
    return steganalyzer.make(named.steganalyzer(section), descent, steganalyzer.Simulator(stegos))


def tested(
    key: Key, made: Method, state: State, covers: np.ndarray, *, batch_size: int
) -> dict[str, float]:
    """Tests a steganalyzer on covers and one stego of each.

    Args:
      key: of the stegos.
      made: the steganalyzer, a method of `steganalyzer.make`.
      state: its state.
      covers: `[N, H, W, 3]`, 0..255.
      batch_size: covers at a time, over all hosts.

    Returns:
      The figures of `security.figures`, and "accuracy", 1 - P_E.
    """
    predict, number = parallel.over_devices(made.predict), iter(range(len(covers)))

    def scores(part):
        own = jax.random.fold_in(key, next(number))
        outputs = parallel.gather(predict(state, parallel.shard({"cover": part}), own))
        return outputs["cover_score"], outputs["stego_score"]

    cover, stego = batches.apply(scores, covers, size=batch_size // jax.process_count())
    figures = security.figures(cover, stego, cover >= 0.5, stego >= 0.5)
    return {"accuracy": 1 - figures["P_E"], **figures}


def _short(config: ml_collections.ConfigDict, steps: int) -> ml_collections.ConfigDict:
    """The config of a training that serves a table: evaluated at its end, its last state kept."""
    return run.changed(
        config,
        {
            "steps": steps,
            "epochs": 0.0,
            "log_every": max(1, steps // 20),
            "evaluation.every": steps,
            "evaluation.refresh_batches": 0,
            "checkpoint": ml_collections.ConfigDict(
                dict(every=max(1, min(steps, 1000)), keep=1, milestones=0)
            ),
        },
    )


def _digest(config: ml_collections.ConfigDict) -> str:
    """Eight letters for the settings that decide what is trained."""
    covers = run.plain(config.report.covers)
    covers.pop("beside", None)
    settings = {"seed": config.seed, "batch_size": config.batch_size, **covers}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]


def _say(line: str) -> None:
    if parallel.is_writer():
        print(line, file=sys.stderr)


class _Evaluated(NamedTuple):
    """A run and what was measured of it: a column of Tables 1 and 2."""

    name: str
    results: Mapping[str, Any]


def _beside(places: Sequence[str]) -> list[_Evaluated]:
    """The runs that a table shows beside this one, as they were evaluated."""
    found = []
    for place in places:
        path = pathlib.Path(place) / "evaluation.json"
        try:
            results = json.loads(path.read_text())["covers"]
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"report.covers.beside: {path} holds no figures of generated covers; run "
                f"--mode=evaluate with --workdir={place} first"
            ) from error
        found.append(_Evaluated(run.read_config(pathlib.Path(place)).method.name, results))
    return found


def _text(
    config: ml_collections.ConfigDict,
    results: Mapping[str, Any],
    steps: int,
    beside: Sequence[_Evaluated] = (),
) -> str:
    columns = [_Evaluated(config.method.name, results), *beside]
    parts = [
        f"Time for {steps} steps of {config.batch_size} (Table 1), projected from a few steps on "
        "this machine:",
        markdown(
            ["", *(column.name for column in columns)],
            [["Time (mins)", *(f"{60 * column.results['hours']:.1f}" for column in columns)]],
        ),
        "Accuracy of the steganalyser trained on real images (Table 2; another distribution than "
        "generated ones, so the "
        "second line is no figure of security):",
        markdown(
            ["Embedding", "Type of images", *(column.name for column in columns)],
            [
                [
                    scheme,
                    f"{kind.capitalize()} images",
                    *(_accuracy(column.results, scheme, kind) for column in columns),
                ]
                for scheme in results["schemes"]
                for kind in ("real", "generated")
            ],
        ),
        "Trained on generated images according to experimental conditions S1-S3 (Table 3; S1 the "
        "covers that it was trained "
        "on, S2 covers of other seeds, S3 those of a generator trained further):",
        markdown(
            ["Embedding", "Experimental conditions", "Accuracy"],
            [
                [scheme, case, _accuracy(results, scheme, case)]
                for scheme in results["schemes"]
                for case in ("S1", "S2", "S3")
            ],
        ),
        "Security: steganalysers trained on what they are tested on, other pictures in the test:",
    ]
    rows = []
    for scheme, cases in results["schemes"].items():
        for kind, case in (("real", "real"), ("generated", "S2")):
            found = cases[case]
            rows.append(
                [
                    f"{scheme} {config.method.payload:g} bpp",
                    kind,
                    f"{found['accuracy']:.3f}",
                    f"{100 * found['P_E']:.1f}",
                    f"{100 * found['AUC']:.1f}",
                ]
            )
    apart = results["distances"]
    parts += [
        markdown(["Embedding", "Covers", "Accuracy", "P_E (%)", "AUC (%)"], rows),
        f"Distance from the training images, {apart['name']}; held-out photographs "
        f"{apart['held_out']:.2f}:",
        markdown(
            ["Step", *apart["steps"]],
            [["Generated images", *(f"{value:.2f}" for value in apart["steps"].values())]],
        ),
        f"Samples: {SAMPLES_NAME}",
    ]
    return "\n\n".join(parts)


def _accuracy(results: Mapping[str, Any], scheme: str, case: str) -> str:
    """A cell; empty where a run was not evaluated on that embedding."""
    cases = results["schemes"].get(scheme)
    return f"{cases[case]['accuracy']:.2f}" if cases else ""
