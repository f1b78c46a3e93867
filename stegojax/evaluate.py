"""Evaluation of trained runs: the tables of the papers, printed and saved beside the run.

What is measured of a method, its `methods.Entry` says; what a measurement is, its module in
`protocols` says. Most of them read what is there. Those that train, for minutes or hours, are made
only where they are asked for by name.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_collections

from stegojax import files, longer, parallel, progress, run, security, train
from stegojax.errors import InputError
from stegojax.protocols import (
    bits,
    costs,
    covers,
    deception,
    detection,
    noise,
    quality,
    sentences,
    simulators,
    steganalyzer,
    structures,
    transfer,
    users,
)


class Report(NamedTuple):
    """A measurement.

    measure: `(config, workdir, loaded) -> (text, results)`, "" and {} where the config asks for
             none of it.
    trains:  `(config, workdir) -> what it trains first`, none where the config asks for none of it;
             None for a report that only reads.
    """

    measure: Callable[..., tuple[str, dict[str, Any]]]
    trains: Callable[..., list[train.Planned]] | None = None


REPORTS = {
    "quality": Report(quality.evaluate),
    "detection": Report(steganalyzer.evaluate),
    "transfer": Report(transfer.evaluate, transfer.trains),
    "simulators": Report(simulators.evaluate),
    "deception": Report(deception.evaluate),
    "times": Report(costs.times),
    "security": Report(detection.evaluate, detection.trains),
    "bits": Report(bits.evaluate),
    "covers": Report(covers.evaluate, covers.trains),
    "noise": Report(noise.evaluate, noise.trains),
    "structures": Report(structures.evaluate, structures.trains),
    "sentences": Report(sentences.evaluate),
    "users": Report(users.evaluate, users.trains),
}
"""What `methods.Entry.reports` names."""


def evaluate(
    config: ml_collections.ConfigDict, workdir: str | pathlib.Path, *, only: str = ""
) -> str:
    """Evaluates a trained run, prints the tables, and saves them in its folder: as `evaluation.md`
    and `evaluation.json`, or under the name of the one report that is asked for.

    Args:
      config: the config of the run, or of the security protocol.
      workdir: its folder.
      only: the report that is made, a name in `REPORTS`; "" for all that the method has and that
        train nothing.

    Returns:
      What was printed.

    Raises:
      InputError: the folder is not a run of this config, or holds no checkpoint; or there is no
        such report of its method, or the config asks for none of it.
    """
    if config.get("experiment", "") == "security":
        text = security.evaluate(config, workdir)
        print(text)
        return text
    workdir = pathlib.Path(workdir)
    config = run.pin(config, workdir)
    # What is read is as long as it is, whatever the config file says.
    run.check_workdir(config, workdir, free=(*run.FREE, *longer.LENGTHS))
    config = run.with_lengths_of(workdir, config)
    parallel.check_batch_size(config.batch_size)
    loaded, known = run.load(workdir), run.entry(config)[0].reports
    if only and only not in known:
        raise InputError(
            f"there is no report {only} of {config.method.name}; there are {', '.join(known)}"
        )
    texts, results = [], {"step": loaded.step}
    for name in [only] if only else known:
        report = REPORTS[name]
        trains = report.trains(config, workdir) if report.trains else []
        if only and report.trains and not trains:
            raise InputError(f"the config asks for no report {name}: see its section report.{name}")
        if trains and not only:
            _say(f"not measured here, since it trains {_listed(trains)}: --mode={name}")
            continue
        if trains:
            _say(f"this trains {_listed(trains)}")
            _say(_expected(trains))
        tables, figures = report.measure(config, workdir, loaded)
        texts += [tables] if tables else []
        results |= figures
    text = "\n\n".join(texts)
    if parallel.is_writer():
        print(text)
        stem = only or "evaluation"
        files.write_bytes(workdir / f"{stem}.md", (text + "\n").encode())
        files.write_bytes(workdir / f"{stem}.json", json.dumps(results, indent=2).encode())
    return text


def _listed(trains: list[train.Planned]) -> str:
    return ", ".join(planned.title for planned in trains)


def _expected(trains: list[train.Planned]) -> str:
    """How long trainings take on this machine, from a few steps of each."""
    _say("timing a few steps of it ...")
    seconds, unknown = 0.0, False
    for planned in trains:
        spent = train.seconds_left(planned)
        unknown |= spent is None
        seconds += spent or 0.0
    if unknown:
        return "how long that takes is shown once the first of it is done"
    if not seconds:
        return "all of it is trained already"
    return f"expected: about {progress.duration(seconds)} of training, and evaluations besides"


def _say(line: str) -> None:
    if parallel.is_writer():
        print(line, file=sys.stderr)
