"""What a steganalyzer's run is worth: its errors on held-out pairs of cover and stego."""

from __future__ import annotations

import pathlib
from typing import Any

import jax
import ml_collections
import numpy as np
from jax.experimental import multihost_utils

from stegojax import files, metrics, parallel, plots, run, security
from stegojax.tables import markdown


def evaluate(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, loaded: run.Loaded
) -> tuple[str, dict[str, Any]]:
    """Tests a steganalyzer's run on held-out pairs, and saves the ROC curve beside the run.

    Args:
      config: of the run; `report.batches` says how many batches are tested.
      workdir: of the run.
      loaded: the run.

    Returns:
      The table and its figures: P_E of the decisions at probability .5, the area under the ROC
      curve, and the stegos missed at 5 % false alarms.
    """
    covers, stegos = scores(config, loaded)
    figures = security.figures(covers, stegos, covers >= 0.5, stegos >= 0.5)
    what = config.data.get("stegos", "")
    what = what or f"{config.method.scheme} {config.method.payload:g} bpp"
    header = ["Network", "Stegos", "Pairs", *(f"{name} (%)" for name in figures)]
    cells = [f"{100 * value:.2f}" for value in figures.values()]
    row = [config.method.network, what, str(len(covers)), *cells]
    if parallel.is_writer():
        labels = np.repeat([0, 1], [len(covers), len(stegos)])
        curve = metrics.roc_curve(np.concatenate([covers, stegos]), labels)
        picture = plots.roc({config.method.network: {what: [curve]}})
        files.write_bytes(workdir / "roc.png", picture)
    return f"Held-out pairs, step {loaded.step}:\n\n" + markdown(header, [row]), figures


def scores(config: ml_collections.ConfigDict, loaded: run.Loaded) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities of being a stego that a steganalyzer gives held-out pairs.

    Args:
      config: of the run.
      loaded: the run.

    Returns:
      Those of the covers and those of their stegos, `[N]` each.
    """
    score, state = parallel.over_devices(loaded.method.predict), parallel.replicate(loaded.state)
    key = jax.random.fold_in(jax.random.key(config.seed), 5)
    sides: dict[str, list[np.ndarray]] = {"cover_score": [], "stego_score": []}
    changes = dict(
        held_out_examples=config.report.batches * config.batch_size,
        crop=config.evaluation.crop or config.data.crop,
    )
    with run.loader(config, "held_out", **changes) as loader:
        for index, batch in enumerate(loader):
            outputs = score(state, parallel.shard(batch), jax.random.fold_in(key, index))
            for side, values in sides.items():
                own = parallel.gather(outputs[side])
                values.append(multihost_utils.process_allgather(own, tiled=True))
    covers, stegos = (np.concatenate(values)[: loader.examples] for values in sides.values())
    return covers, stegos
