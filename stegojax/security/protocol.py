"""The course of the security protocol; see `stegojax.security`."""

from __future__ import annotations

import io
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np
import tqdm

from stegojax import files, metrics, plots, run
from stegojax.domains import DOMAINS
from stegojax.errors import InputError
from stegojax.security import covers, ensembles, networks, parts, stegos, tables
from stegojax.security.ensembles import FEATURES
from stegojax.security.sources import Case, parse
from stegojax.steganalysis import ensemble
from stegojax.types import State

EXTENDABLE = (
    "schemes",
    "payloads",
    "steganalyzers",
    "networks",
    "splits.count",
    "splits.networks",
    "loader",
)
"""Config fields that may change between two starts: what they ask for is added to what is there."""

STEGANALYZERS = "steganalyzers"
_OLDER_STEGANALYZERS = "detectors"

Result = dict[str, np.ndarray]
"""Scores and decisions on the test pictures, as a file in WORKDIR/results holds them."""


def evaluate(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> str:
    """Runs the protocol that a config describes, and saves tables and plots.

    Args:
      config: see `configs/security.py`.
      workdir: where everything is kept.

    Returns:
      The tables, in Markdown.

    Raises:
      InputError: the config cannot be used, the folder belongs to another one, or data are missing.
    """
    workdir = pathlib.Path(workdir)
    protocol = _Protocol(config, workdir)
    with run.held(config, workdir, free=EXTENDABLE):
        if (workdir / _OLDER_STEGANALYZERS).is_dir() and not (workdir / STEGANALYZERS).exists():
            (workdir / _OLDER_STEGANALYZERS).rename(workdir / STEGANALYZERS)
        return protocol.go()


def of_a_run(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    *,
    schemes: Sequence[str],
    payload: float,
) -> str:
    """Runs the protocol that a run's config asks for, in WORKDIR/security.

    Args:
      config: of the run; `report.security` holds the protocol's sections.
      workdir: of the run.
      schemes: sources of stegos, see `sources.parse`.
      payload: bits per pixel.

    Returns:
      The tables, in Markdown.

    Raises:
      InputError: as `evaluate`.
    """
    section = config.report.security.to_dict()
    section.pop("coded", None)
    whole = {
        "experiment": "security",
        "seed": config.seed,
        "payloads": (payload,),
        "schemes": tuple(schemes),
        "networks": {},
        "loader": config.loader.to_dict(),
        **section,
    }
    return evaluate(ml_collections.ConfigDict(whole), pathlib.Path(workdir) / "security")


def cases_of(config: ml_collections.ConfigDict) -> list[Case]:
    """The cases that a config asks for.

    Args:
      config: of the protocol.

    Returns:
      Every source at every payload, from the highest payload down, so that networks can start from
      the next higher one's; a source that has its own payload, once.

    Raises:
      InputError: a source is not understood, or a payload is out of range.
    """
    domain = covers.domain_of(config.covers)
    sources = [parse(text, domain=domain) for text in config.schemes]
    if len({source.text for source in sources}) < len(sources) or not sources:
        raise InputError("schemes must be listed, each once")
    if not config.payloads:
        raise InputError("payloads must be listed")
    for payload in config.payloads:
        if not 0 < payload <= 1.58:
            raise InputError(
                f"payloads are above 0 and at most log2 3 bits per pixel; got {payload}"
            )
    payloads = sorted(map(float, config.payloads), reverse=True)
    return [
        Case(source, source.payload if source.own_payload else payload)
        for source in sources
        for payload in (payloads[:1] if source.own_payload else payloads)
    ]


def check(config: ml_collections.ConfigDict) -> None:
    """Refuses steganalyzers and shares that cannot be used.

    Args:
      config: of the protocol.

    Raises:
      InputError: with what is wrong.
    """
    domain = covers.domain_of(config.covers)
    for name in config.steganalyzers:
        if name in FEATURES and DOMAINS[FEATURES[name].domain] is not domain:
            taken = [other for other in FEATURES if DOMAINS[FEATURES[other].domain] is domain]
            raise InputError(
                f"steganalyzer {name!r} does not look at covers of this covers.domain; "
                f"{', '.join((*taken, *config.networks))} do"
            )
        if name not in FEATURES and name not in config.networks:
            raise InputError(
                f"steganalyzer {name!r} is unknown; there are "
                f"{', '.join((*FEATURES, *config.networks))}"
            )
    shares = [config.splits[part] for part in covers.PARTS]
    if (
        min(shares) < 0
        or not shares[0]
        or not shares[2]
        or sum(shares) > 1 + 1e-6
        or config.splits.count < 1
    ):
        raise InputError(
            "splits.train, .validation and .test are shares that add up to at most 1, the first "
            f"and last above 0, and splits.count is at least 1; got {shares} and "
            f"{config.splits.count}"
        )
    if not shares[1] and any(name not in FEATURES for name in config.steganalyzers):
        raise InputError(
            "networks are chosen by validation pictures; set splits.validation above 0"
        )


class _Seen(NamedTuple):
    """Planes `[N, H, W]`, and the file that holds them."""

    planes: np.ndarray
    path: pathlib.Path


class _Protocol:
    """One call of `evaluate`."""

    def __init__(self, config: ml_collections.ConfigDict, workdir: pathlib.Path):
        self.config, self.workdir = config, workdir
        self.cases = cases_of(config)
        check(config)
        self._kept: dict[tuple[str, str], np.ndarray] = {}

    def go(self) -> str:
        self.covers = covers.prepare(self.workdir, self.config.covers)
        planes, photographs = self.covers.planes, self.covers.photographs
        _say(
            f"{len(planes)} covers of {planes.shape[2]}x{planes.shape[1]} from "
            f"{len(set(photographs))} photographs"
        )
        self.splits = [
            covers.split(self.workdir, number, self.covers, self.config)
            for number in range(self.config.splits.count)
        ]
        results = []
        for case in self.cases:
            self._stegos(case)
            for name in self.config.steganalyzers:
                splits = self.config.splits
                count = splits.count if name in FEATURES else splits.networks
                for number in range(min(count, splits.count)):
                    results.append((case, name, number, self._result(case, name, number)))
        return self._report(results)

    def _stegos(self, case: Case) -> np.ndarray:
        if case.source.kind == "covers":
            return self.covers.planes
        folder = self.workdir / "stegos"
        path, notes = (folder / f"{case.label}{ending}" for ending in (".npy", ".json"))
        if not notes.exists():
            folder.mkdir(parents=True, exist_ok=True)
            make, how = stegos.maker(case, self.covers, self.config)
            title, unfinished = f"stegos of {case.label}", path.with_suffix("")
            planes = parts.collect(unfinished, len(self.covers.planes), make, title=title)
            if planes.shape != self.covers.planes.shape:
                raise InputError(
                    f"{case.source.text} gives stegos {planes.shape} of covers "
                    f"{self.covers.planes.shape}; they must be of one size"
                )
            parts.save(path, planes)
            said = {
                "scheme": case.source.text,
                "payload": case.payload,
                "made by": how,
                "change rate": float((planes != self.covers.planes).mean()),
            }
            files.write_bytes(notes, json.dumps(said).encode())
            parts.remove(unfinished)
        return np.load(path, mmap_mode="r")

    def _pairs(self, case: Case, number: int) -> networks.Pairs:
        split = self.splits[number]
        if case.source.kind != "covers":
            return {part: (places, places) for part, places in split.items()}
        # Nothing to detect: half of a part's pictures against the other half.
        return {
            part: (places[: len(places) // 2], places[len(places) // 2 : len(places) // 2 * 2])
            for part, places in split.items()
        }

    def _folder(self, case: Case, name: str, number: int) -> pathlib.Path:
        return self.workdir / STEGANALYZERS / case.label / name / str(number)

    def _result(self, case: Case, name: str, number: int) -> Result:
        path = self.workdir / "results" / case.label / name / f"{number}.npz"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            test = self._ensemble if name in FEATURES else self._network
            buffer = io.BytesIO()
            np.savez(buffer, **test(case, name, number))
            files.write_bytes(path, buffer.getvalue())
        with np.load(path) as saved:
            result = dict(saved)
        error = (result["cover_decision"].mean() + 1 - result["stego_decision"].mean()) / 2
        _say(f"{case.label}, {name}, split {number}: P_E {100 * error:.2f} %")
        return result

    def _features(self, planes: np.ndarray, label: str, name: str) -> np.ndarray:
        """Features of all pictures; the covers' and the last stegos' are kept for the next split,
        others read again.
        """
        if (label, name) not in self._kept:
            self._kept = {
                key: value for key, value in self._kept.items() if key == ("covers", name)
            }
            folder = self.workdir / "features" / label / name
            self._kept[label, name] = ensembles.features_of(
                planes, folder, name, label=label, tables=self.covers.tables
            )
        return self._kept[label, name]

    def _ensemble(self, case: Case, name: str, number: int) -> Result:
        pairs, section = self._pairs(case, number), self.config.ensemble
        cover = stego = self._features(self.covers.planes, "covers", name)
        if case.source.kind != "covers":
            stego = self._features(self._stegos(case), case.label, name)
        key = jax.random.key(self.config.seed * 1009 + number)
        trained = ensemble.fit(
            key,
            cover[pairs["train"][0]],
            stego[pairs["train"][1]],
            subspace=section.subspace or None,
            learners=section.learners or None,
        )
        folder = self._folder(case, name, number)
        folder.mkdir(parents=True, exist_ok=True)
        ensembles.save(folder, trained, features=name, trained_on=case.label)
        result = {}
        for side, features, places in zip(("cover", "stego"), (cover, stego), pairs["test"]):
            coin = jax.random.fold_in(key, 1 if side == "cover" else 2)
            result[f"{side}_score"] = ensemble.votes(trained, features[places])
            result[f"{side}_decision"] = ensemble.predict(coin, trained, features[places])
        return result

    def _network(self, case: Case, name: str, number: int) -> Result:
        folder, pairs = self._folder(case, name, number), self._pairs(case, number)
        covers_, stegos_ = self._seen(None), self._seen(case)
        if case.source.kind == "covers":
            pictures = networks.halves(folder, covers_.planes, pairs)
        else:
            paths = (covers_.path, stegos_.path, self.workdir / "splits" / f"{number}.json")
            pictures = networks.Pictures(covers_.planes, stegos_.planes, paths)
        section = run.changed(
            self.config.networks[name],
            {"seed": self.config.seed + number, "loader": self.config.loader},
        )
        start = self._higher(case, name, number)
        _say(
            f"{name} on {case.label}, split {number}"
            + (", from the next higher payload's" if start is not None else "")
        )
        validated = len(pairs["validation"][0])
        loaded = networks.fit(section, folder, pictures, validated=validated, start=start)
        cover, stego = networks.scores(loaded, pictures, pairs["test"])
        return {
            "cover_score": cover,
            "stego_score": stego,
            "cover_decision": cover >= 0.5,
            "stego_decision": stego >= 0.5,
        }

    def _seen(self, case: Case | None) -> _Seen:
        """What networks see of a case's stegos, or of the covers."""
        if case is None or case.source.kind == "covers":
            planes, path = self.covers.planes, self.workdir / "covers.npy"
        else:
            planes, path = self._stegos(case), self.workdir / "stegos" / f"{case.label}.npy"
        if self.covers.tables is None:
            return _Seen(planes, path)
        path = self.workdir / "decompressed" / path.name
        return _Seen(networks.decompressed(path, planes, self.covers.tables), path)

    def _higher(self, case: Case, name: str, number: int) -> State | None:
        """The state of the same network on the same source at the next higher payload, where the
        config asks to start from it.
        """
        if not self.config.splits.curriculum or case.source.own_payload:
            return None
        higher = [
            other.payload
            for other in self.cases
            if other.source == case.source and other.payload > case.payload
        ]
        if not higher:
            return None
        return run.load(self._folder(Case(case.source, min(higher)), name, number)).state

    def _report(self, results: Sequence[tuple[Case, str, int, Result]]) -> str:
        rows, curves, unit = [], {}, self.covers.domain.words.unit
        for case, name, number, result in results:
            sides = result["cover_score"], result["stego_score"]
            rows.append(
                {
                    "steganalyzer": name,
                    "scheme": case.source.text,
                    "base": case.source.column,
                    "row": case.source.row,
                    "payload": "" if case.payload is None else case.payload,
                    "unit": unit,
                    "split": number,
                    **tables.figures(*sides, result["cover_decision"], result["stego_decision"]),
                    "test pairs": len(sides[0]),
                    "made by": self._how(case),
                }
            )
            labels = np.repeat([0, 1], [len(side) for side in sides])
            curve = metrics.roc_curve(np.concatenate(sides), labels)
            title = name if case.payload is None else f"{name}, {case.payload:g} {unit}"
            curves.setdefault(title, {}).setdefault(case.source.text, []).append(curve)
        text = self._tables(rows)
        series = tables.against_payload(rows)
        for file_name, content in {
            "security.csv": tables.as_csv(rows),
            "security.md": (text + "\n").encode(),
            "roc.png": plots.roc(curves),
            "payloads.png": plots.error_against_payload(series),
        }.items():
            files.write_bytes(self.workdir / file_name, content)
        return text

    def _how(self, case: Case) -> str:
        if case.source.kind == "covers":
            return "other covers"
        return json.loads((self.workdir / "stegos" / f"{case.label}.json").read_text())["made by"]

    def _tables(self, rows: list[dict[str, Any]]) -> str:
        split, planes = self.splits[0], self.covers.planes
        lines = [
            f"{len(planes)} covers of {planes.shape[2]}x{planes.shape[1]} "
            f"({self.config.covers.source}); {len(split['train'])} pairs for training, "
            f"{len(split['validation'])} for validation, {len(split['test'])} for testing; mean "
            "(standard deviation) over the splits.",
            "Stegos: "
            + "; ".join(sorted({f"{row['scheme']}: {row['made by']}" for row in rows}))
            + ".",
        ]
        for figure, title in tables.TITLES.items():
            lines += ["", title, "", tables.table(rows, figure)]
        across = tables.by_method(rows, "P_E")
        if across:
            lines += ["", f"{tables.TITLES['P_E']}, steganalyzers across", "", across]
        return "\n".join(lines)


def _say(line: str) -> None:
    tqdm.tqdm.write(line, file=sys.stderr)
