"""How well a run's stegos are found: the security protocol on the run, in WORKDIR/security."""

from __future__ import annotations

import pathlib
from typing import Any

import ml_collections

from stegojax import run, security, train
from stegojax.protocols import bits, costs


def evaluate(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, loaded: run.Loaded
) -> tuple[str, dict[str, Any]]:
    """The protocol's tables for a run that embeds by costs, or that hides bits.

    Args:
      config: of the run; `report.security` holds the protocol's sections.
      workdir: of the run.
      loaded: the run.

    Returns:
      The tables, and figures as `bits.detection` has them.
    """
    measure = bits.detection if run.entry(config)[0].use == "bits" else costs.detection
    return measure(config, workdir, loaded)


def trains(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> list[train.Planned]:
    """What the protocol trains.

    Args:
      config: of the run.
      workdir: of the run.

    Returns:
      A training for every steganalyzer; nothing where the config asks for none.
    """
    settings = config.report.get("security", None)
    planned = []
    for name in settings.steganalyzers if settings else ():
        splits = settings.splits
        count = splits.count if name in security.FEATURES else min(splits.networks, splits.count)
        planned.append(train.Planned(f"{name} on the stegos of every scheme, {count} times"))
    return planned
