"""The evaluation of runs that make covers: SSGAN's three tables, an honest figure beside them, a
distance, and a sheet of samples.

The paper's steganalyzers are trained on pictures of one kind and tested on those of another, so its
tables show that the kinds
differ, not that stegos cannot be found: whoever looks for them in generated covers trains on
  generated covers. That is done too,
always with other pictures for the test than for the training, and set beside real pictures.
Pictures are `[N, H, W, 3]`, float32 whole values 0..255.
"""

from __future__ import annotations

import pathlib
import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import tqdm

from stegojax import files, losses, optimizers, parallel, plots, run, security
from stegojax.checkpoint import Checkpoints
from stegojax.data import pipeline
from stegojax.errors import InputError
from stegojax.hiders.generated import generator
from stegojax.journal import markdown
from stegojax.methods import generation, network
from stegojax.models import dcgan
from stegojax.protocols.distance import distance
from stegojax.types import Key, State

SAMPLES_NAME = "samples.png"

JUDGE = "judge"

_TIMED = 3
_ACROSS = 8
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
        trained, on which schemes, and how many further steps the generator gets for S3.
      workdir: of the run.
      loaded: the run.

    Returns:
      The text, and all figures by name.

    Raises:
      InputError: a setting cannot be used, or the data cannot.
    """
    settings = config.report.covers
    if min(settings.pictures, settings.test_pictures, settings.steps) < 2 or not settings.schemes:
        raise InputError(
            "report.covers needs at least two pictures, test_pictures and steps, and a scheme"
        )
    seconds, tuned = _tuned(config, loaded, settings.tuning_steps)
    fresh_noise = seeds(_SEEDS_TEST, settings.test_pictures)
    pictures = Pictures(
        photographs(config, "train", settings.pictures),
        photographs(config, "held_out", settings.test_pictures),
        generate(loaded, loaded.state, seeds(_SEEDS_TRAIN, settings.pictures)),
        generate(loaded, loaded.state, fresh_noise),
        generate(loaded, tuned, fresh_noise),
    )
    if parallel.is_writer():
        files.write_bytes(pathlib.Path(workdir) / SAMPLES_NAME, plots.png(sheet(pictures.fresh)))
    steps = run.lengths(config).steps
    results = {
        "hours": seconds * steps / 3600,
        "distances": distances(workdir, loaded, pictures, weights=settings.weights),
        "schemes": {scheme: attacked(config, pictures, scheme) for scheme in settings.schemes},
    }
    return _text(config, results, steps), {"covers": results}


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
    """The pictures that a state of a run makes from noise `[N, 100]`."""
    compiled = generator(loaded.method.predict)
    return _in_batches(lambda part: compiled(state, part), noise, 64)


def photographs(config: ml_collections.ConfigDict, split: str, count: int) -> np.ndarray:
    """Photographs of one split, cropped as the run's."""
    section = run.data_section(config, held_out_examples=count)
    found = []
    with pipeline.make(section, split=split, batch_size=min(count, 64), seed=config.seed) as loader:
        while sum(map(len, found)) < count:
            found.append(next(loader)["cover"])
    return np.concatenate(found)[:count]


def sheet(pictures: np.ndarray) -> np.ndarray:
    """Up to 64 pictures side by side, `[H, W, 3]` uint8."""
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


def attacked(
    config: ml_collections.ConfigDict, pictures: Pictures, scheme: str
) -> dict[str, dict[str, float]]:
    """Trains the run's S* on real and on generated pictures and tests both.

    Args:
      config: of the run.
      pictures: as `Pictures` says.
      scheme: of the embedding, see `generation.simulator`.

    Returns:
      For each case the figures of `security.figures` and "accuracy", (1 - P_E): "real" and
        "generated" of the S* of real pictures,
      "S1", "S2" and "S3" of the S* of generated ones.
    """
    settings, (named, section) = config.report.covers, run.entry(config)
    module = named.steganalyzer(section)
    simulator = generation.simulator(scheme, payload=config.method.payload)
    key = jax.random.fold_in(jax.random.key(config.seed), 6)
    options = dict(
        steps=settings.steps,
        batch_size=config.batch_size // jax.process_count(),
        optimizer=settings.optimizer.to_dict(),
    )
    found = {}
    for name, covers, tests in (
        ("real", pictures.real, {"real": pictures.held_out, "generated": pictures.fresh}),
        (
            "generated",
            pictures.generated,
            {
                "S1": pictures.generated[: settings.test_pictures],
                "S2": pictures.fresh,
                "S3": pictures.tuned,
            },
        ),
    ):
        state = train_judge(
            key, module, covers, simulator, title=f"S* on {name} pictures, {scheme}", **options
        )
        for number, (case, test) in enumerate(tests.items()):
            found[case] = judged(
                jax.random.fold_in(key, 1 + number),
                module,
                state,
                test,
                simulator,
                batch_size=options["batch_size"],
            )
    return found


def train_judge(
    key: Key,
    module: nn.Module,
    covers: np.ndarray,
    simulator: generation.Simulator,
    *,
    steps: int,
    batch_size: int,
    optimizer: Mapping[str, Any],
    title: str = "S*",
) -> State:
    """Trains a steganalyzer on covers and their stegos, which are drawn anew in every step.

    Args:
      key: everything random follows from it.
      module: pictures `[B, H, W, 3]` -> logits `[B, 2]` of cover and stego, with batch statistics
        over `parallel.AXIS`.
      covers: `[N, H, W, 3]`, 0..255.
      simulator: the embedding, see `generation.simulator`.
      steps: how many.
      batch_size: covers in a step on this host; as many stegos come with them.
      optimizer: the arguments of `optimizers.make`; an epoch is once through the covers.
      title: what the progress bar says.

    Returns:
      The state, with the one network "judge".
    """
    descent = optimizers.make(**optimizer, steps_per_epoch=max(1, len(covers) // batch_size))
    params, stats = jax.jit(
        lambda key: network.initialise(key, module, jnp.zeros((1, *covers.shape[1:])))
    )(key)
    state = State(jnp.int32(0), {JUDGE: params}, {JUDGE: stats}, {JUDGE: descent.init(params)})

    def step(state, batch, key):
        cover = batch["cover"]
        stego = cover + simulator(jax.random.fold_in(key, state.step), cover)

        def loss_fn(params):
            logits, stats = network.apply_training(
                module, params, state.batch_stats[JUDGE], jnp.concatenate([cover, stego])
            )
            labels = jnp.repeat(jnp.asarray([generation.COVER, generation.STEGO]), len(cover))
            return jnp.mean(losses.softmax_cross_entropy(logits, labels)), stats

        (loss, stats), gradients = jax.value_and_grad(loss_fn, has_aux=True)(state.params[JUDGE])
        params, opt_state, _ = network.descend(
            descent, gradients, state.opt_state[JUDGE], state.params[JUDGE]
        )
        return State(
            state.step + 1, {JUDGE: params}, {JUDGE: stats}, {JUDGE: opt_state}
        ), parallel.mean(loss)

    compiled, state = parallel.train_step(step), parallel.replicate(jax.tree.map(np.asarray, state))
    order, own = np.random.default_rng([64, len(covers)]), jax.random.fold_in(key, 0)
    for _ in tqdm.trange(
        steps, desc=title, disable=not parallel.is_writer(), mininterval=10.0, file=sys.stderr
    ):
        chosen = order.choice(len(covers), batch_size, replace=len(covers) < batch_size)
        state, _ = compiled(state, parallel.shard({"cover": covers[chosen]}), own)
    return state


def judged(
    key: Key,
    module: nn.Module,
    state: State,
    covers: np.ndarray,
    simulator: generation.Simulator,
    *,
    batch_size: int,
) -> dict[str, float]:
    """Tests a steganalyzer on covers and one stego of each.

    Args:
      key: of the stegos.
      module, state: the steganalyzer, as `train_judge` gives it.
      covers: `[N, H, W, 3]`, 0..255.
      simulator: the embedding.
      batch_size: covers at a time on this host.

    Returns:
      The figures of `security.figures`, and "accuracy", 1 - P_E.
    """

    def score(state, batch, key):
        cover = batch["cover"]

        def of(pictures):
            logits = network.apply(module, state.params[JUDGE], state.batch_stats[JUDGE], pictures)
            return jax.nn.softmax(logits)[:, generation.STEGO]

        return {"cover": of(cover), "stego": of(cover + simulator(key, cover))}

    compiled, count = parallel.over_devices(score), iter(range(len(covers)))
    scores = _in_batches(
        lambda part: np.stack(
            list(
                parallel.gather(
                    compiled(
                        state, parallel.shard({"cover": part}), jax.random.fold_in(key, next(count))
                    )
                ).values()
            ),
            axis=1,
        ),
        covers,
        batch_size,
    )
    cover, stego = scores.T
    found = security.figures(cover, stego, cover >= 0.5, stego >= 0.5)
    return {"accuracy": 1 - found["P_E"], **found}


def _in_batches(function, values: np.ndarray, size: int) -> np.ndarray:
    """Applies a function to batches of one size, the last filled up with what is left out of the
    result again.
    """
    found = []
    for first in range(0, len(values), size):
        part = values[first : first + size]
        filled = np.concatenate([part, np.repeat(part[:1], size - len(part), axis=0)])
        found.append(np.asarray(function(filled))[: len(part)])
    return np.concatenate(found)


def _tuned(
    config: ml_collections.ConfigDict, loaded: run.Loaded, steps: int
) -> tuple[float, State]:
    """Seconds of a training step, and the run's state after some further ones; the run itself stays
    as it is.
    """
    step = parallel.train_step(loaded.method.train_step)
    state = parallel.replicate(jax.tree.map(np.asarray, loaded.state))
    key, spent = jax.random.fold_in(jax.random.key(config.seed), 7), []
    with pipeline.make(
        run.data_section(config),
        split="train",
        batch_size=config.batch_size,
        seed=config.seed,
        put=parallel.shard,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    ) as loader:
        for number in tqdm.trange(
            max(steps, 1 + _TIMED),
            desc="S3: the generator is tuned",
            disable=not parallel.is_writer(),
            mininterval=10.0,
            file=sys.stderr,
        ):
            batch, begin = next(loader), time.perf_counter()
            state, values = step(state, batch, jax.random.fold_in(key, number))
            jax.block_until_ready(values)
            spent.append(time.perf_counter() - begin)
    return float(np.median(spent[1:])), jax.tree.map(np.asarray, state)


def _text(config: ml_collections.ConfigDict, results: Mapping[str, Any], steps: int) -> str:
    name, first = config.method.name, results["schemes"][config.report.covers.schemes[0]]
    parts = [
        f"Time for {steps} steps of {config.batch_size} (Table 1), projected from a few steps on "
        "this machine:",
        markdown(["Method", "Time (mins)"], [[name, f"{60 * results['hours']:.1f}"]]),
        "Accuracy of the steganalyser trained on real images (Table 2; another distribution than "
        "generated ones, so the "
        "second line is no figure of security):",
        markdown(
            ["Type of images", name],
            [
                [f"{kind.capitalize()} images", f"{first[kind]['accuracy']:.2f}"]
                for kind in ("real", "generated")
            ],
        ),
        "Trained on generated images according to experimental conditions S1-S3 (Table 3; S1 the "
        "covers that it was trained "
        "on, S2 covers of other seeds, S3 those of a generator trained further):",
        markdown(
            ["Experimental conditions", "Accuracy"],
            [[case, f"{first[case]['accuracy']:.2f}"] for case in ("S1", "S2", "S3")],
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
