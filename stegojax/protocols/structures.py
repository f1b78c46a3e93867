"""SFTN's Table II: how well the bits are read after every epoch, structure beside structure.

The run's own figures are in its record. The other structures are trained in WORKDIR/structures/NAME
with the run's config; what is there already is not trained again. The figures are those of the
evaluations during the trainings, on held-out pictures: those by which the joint stage's state is
chosen.
"""

from __future__ import annotations

import pathlib
from typing import Any

import ml_collections

from stegojax import files, journal, plots, run, train
from stegojax.tables import markdown

STAGES = {
    "joint": ("accuracy_rounded", "Test in JT-stage with rounding"),
    "separable": ("accuracy", "Test in SF-stage"),
}
"""The halves of the table: the figure of each stage, and the paper's title."""

ROWS = 8
"""From twice as many evaluations of a stage on some are left out, so that so many or a few more are
shown, the last among them.
"""


def evaluate(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, loaded: run.Loaded
) -> tuple[str, dict[str, Any]]:
    """The table of all structures, and a plot of it, WORKDIR/structures.png.

    Args:
      config: of the run; `report.structures.names` says which structures, the run's own among them.
      workdir: of the run.
      loaded: the run.

    Returns:
      The table; and "structures", by stage and structure [epoch or step, accuracy] of every
      evaluation.

    Raises:
      InputError: a training was interrupted.
    """
    del loaded
    names, found = _names(config), {stage: {} for stage in STAGES}
    if not names:
        return "", {}
    for planned in trains(config, workdir):
        train.to_the_end(planned.config, planned.folder)
    for name in names:
        for stage, (figure, _) in STAGES.items():
            points = _course(config, _folder(config, workdir, name), stage, figure)
            if points:
                found[stage][name] = points
    series = {
        title: {_title(name): points for name, points in found[stage].items()}
        for stage, (_, title) in STAGES.items()
    }
    unit = _unit(config)
    files.write_bytes(workdir / "structures.png", plots.lines(series, across=unit.lower()))
    text = "Accuracy of message extraction by structure (Table II of the SFTN paper):"
    for stage, (_, title) in STAGES.items():
        text += f"\n\n{title}\n\n{table(found[stage], names, unit=unit)}"
    return text, {"structures": found}


def trains(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> list[train.Planned]:
    """The structures that are trained beside the run's own.

    Args:
      config: of the run.
      workdir: of the run.

    Returns:
      A training for each; none where the config asks for no structures.
    """
    return [
        train.Planned(
            f"structure {name}",
            run.changed(config, {"method.structure": name}),
            _folder(config, workdir, name),
        )
        for name in _names(config)
        if name != config.method.structure
    ]


def table(
    courses: dict[str, list[tuple[float, float]]], names: tuple[str, ...], *, unit: str
) -> str:
    """Half of the paper's table: a row for an epoch, a column for a structure.

    Args:
      courses: structure -> (epoch or step, accuracy) of its evaluations.
      names: the structures, in the order of the columns.
      unit: what the rows are numbered by.

    Returns:
      The table in Markdown.
    """
    at = sorted({place for points in courses.values() for place, _ in points})
    rows = []
    for place in at[(len(at) - 1) % max(1, len(at) // ROWS) :: max(1, len(at) // ROWS)]:
        cells = [dict(courses.get(name, ())).get(place) for name in names]
        rows.append([f"{place:g}", *("" if cell is None else f"{cell:.4f}" for cell in cells)])
    return markdown([unit, *map(_title, names)], rows)


def _names(config: ml_collections.ConfigDict) -> tuple[str, ...]:
    section = config.report.get("structures", None)
    names = tuple(section.names) if section else ()
    return names and tuple(dict.fromkeys((*names, config.method.structure)))


def _folder(config: ml_collections.ConfigDict, workdir: pathlib.Path, name: str) -> pathlib.Path:
    return workdir if name == config.method.structure else workdir / "structures" / name


def _title(name: str) -> str:
    return "Proposed" if name == "proposed" else f"Structure {name.upper()}"


def _unit(config: ml_collections.ConfigDict) -> str:
    return "Epoch" if config.method.stage_unit == "epochs" else "Step"


def _course(
    config: ml_collections.ConfigDict, folder: pathlib.Path, stage: str, figure: str
) -> list[tuple[float, float]]:
    """(epoch or step of the stage, figure) at every evaluation; epochs count from 0, as in the
    paper, where warm-up and joint stage are one.
    """
    sizes = run.lengths(config)
    lengths = {each.name: each.steps for each in run.stages(run.method(config, sizes), sizes)}
    if stage not in lengths:
        return []
    own = ("warm_up", "joint") if stage == "joint" else (stage,)
    first = 0 if stage == "joint" else sum(lengths.values()) - lengths[stage]
    points = []
    for record in journal.read(folder):
        if record["kind"] == "held_out" and record["stage"] in own and record["step"] > first:
            place = record["step"] - first
            if _unit(config) == "Epoch":
                place = place / sizes.steps_per_epoch - 1
            points.append((round(place, 2), record[figure]))
    return points
