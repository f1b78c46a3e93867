"""Makes a model of a run: the folder that `zoo` describes, whole or absent.

What a run cannot know of itself, a person says in a card, a JSON file with any of the fields in
`SAID`. The rest of card.json is found out: the networks that are used, what they give on the
bundled photographs (so that anyone can check a copy), hashes, versions.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

import jax
import ml_collections
import numpy as np
from jax.extend.core import Literal

from stegojax import files, run
from stegojax.data import pipeline
from stegojax.errors import InputError
from stegojax.methods.trained import freeze
from stegojax.zoo import shelves, weights

SAID = ("line", "command", "data", "licence", "hours", "figures", "not for", "notes")
"""Fields of a card that a person gives. `figures` is a list of {"what", "value", "command"} and, if
there is one, "spread"; all others are texts or numbers.
"""

CARD_NAME, TEXT_NAME = "card.json", "card.md"
CHECKED = "embedded"
"""The field of a card that holds figures on the bundled photographs."""

_CHECKED_BATCHES, _CHECKED_SIZE = 2, 4
_SAME_FIGURE = 5e-4
_FOLDER = re.compile(r"folder:.*?([^/\\]+)[/\\]*")


def export(
    place: str | os.PathLike,
    folder: str | os.PathLike,
    *,
    card: Mapping[str, Any] | None = None,
    half: bool = False,
) -> dict[str, Any]:
    """Writes a trained run for others: config, weights and card.

    Args:
      place: the run, see `run.load`.
      folder: the folder to write; it must not exist. One called NAME@VERSION is entered in the
        manifest of the folder in which it lies, which so becomes a shelf.
      card: what a person says of it, see `SAID`.
      half: whether parameters are written as float16; refused where that changes a figure.

    Returns:
      The content of card.json.

    Raises:
      InputError: the run cannot be loaded, the folder exists or cannot be written, a field of the
        card is unknown, or half precision changes a figure.
    """
    folder, said = pathlib.Path(folder), _checked(card or {})
    name, version = _name_of(folder)
    files.check_folder(folder)
    if folder.exists():
        raise InputError(f"{folder}: exists already; name a new folder")
    loaded = run.load(place)
    networks = used_networks(loaded)
    config = json.dumps(run.plain(_without_places(loaded.config)), indent=2).encode()
    notes = weights.Notes(loaded.step, loaded.stage, shelves.sha256(config), networks)
    whole = weights.as_bytes(loaded.state, notes)
    content = weights.as_bytes(loaded.state, notes, half=True) if half else whole
    with _beside(folder) as made:
        files.write_bytes(made / shelves.CONFIG_NAME, config)
        for kept in _kept(loaded):
            files.write_bytes(made / kept.name, kept.read_bytes())
        files.write_bytes(made / shelves.WEIGHTS_NAME, whole)
        exact = embedded_figures(run.load(made))
        files.write_bytes(made / shelves.WEIGHTS_NAME, content)
        figures = embedded_figures(run.load(made))
        changed = [key for key in figures if not same_figure(figures[key], exact[key])]
        if changed:
            key = changed[0]
            raise InputError(
                f"with float16 {key} on the bundled photographs is {figures[key]:.6g} in place of "
                f"{exact[key]:.6g}; export without --half"
            )
        full = {
            "name": name,
            "version": version,
            **said,
            "method": loaded.config.method.name,
            "step": loaded.step,
            "networks": list(networks),
            "precision": "float16" if half else "float32",
            CHECKED: figures,
            "evaluation": _json_of(loaded.workdir / "evaluation.json"),
            "versions": _json_of(loaded.workdir / run.VERSIONS_NAME),
            "sha256": shelves.sha256(content),
            "bytes": len(content),
            "config": shelves.sha256(config),
        }
        files.write_bytes(made / CARD_NAME, (json.dumps(full, indent=2) + "\n").encode())
        files.write_bytes(made / TEXT_NAME, as_text(full).encode())
    if version:
        enter(folder, full)
    return full


def used_networks(loaded: run.Loaded) -> tuple[str, ...]:
    """The networks of a run on which the outputs of its `predict` depend, or the scheme that it
    embeds with; what was trained beside them alone, such as the steganalyzer of a GAN, is none.

    Args:
      loaded: the run.

    Returns:
      Their names in the state, in order.
    """
    batch, state = run.example(loaded.config), loaded.state

    def outputs(params, stats, batch):
        given = state._replace(params=params, batch_stats=stats)
        held = []
        if run.entry(loaded.config)[0].scheme is not None:
            held = freeze(run.scheme_of(loaded._replace(state=given))).arrays
        return loaded.method.predict(given, batch, jax.random.key(0)), held

    traced = jax.make_jaxpr(outputs)(state.params, state.batch_stats, batch).jaxpr
    needed = {each for each in traced.outvars if not isinstance(each, Literal)}
    for equation in reversed(traced.eqns):
        if needed.intersection(equation.outvars):
            needed |= {each for each in equation.invars if not isinstance(each, Literal)}
    places = [path for path, _ in jax.tree.flatten_with_path((state.params, state.batch_stats))[0]]
    used = {place[1].key for place, given in zip(places, traced.invars) if given in needed}
    return tuple(
        name
        for name in sorted(state.params)
        if name in used or not jax.tree.leaves(state.params[name])
    )


def embedded_figures(loaded: run.Loaded) -> dict[str, float]:
    """What a run's method measures on a few of the bundled held-out photographs (or sentences).

    Args:
      loaded: the run.

    Returns:
      The mean of every figure; none where it was trained on ready-made stegos.
    """
    data = loaded.config.data.to_dict()
    if "stegos" in data:  # ready-made ones, of which none are bundled
        return {}
    bundled = {"secret_source": "", "photographs": "embedded:colour"}
    if not data["source"].startswith("embedded"):
        bundled["source"] = "embedded"
    data |= {name: value for name, value in bundled.items() if name in data}
    data |= dict(
        workers=0, threads=1, prefetch=1, held_out_examples=_CHECKED_BATCHES * _CHECKED_SIZE
    )
    predict = jax.jit(loaded.method.predict)
    values: dict[str, list[np.ndarray]] = {}
    with pipeline.make(data, split="held_out", batch_size=_CHECKED_SIZE, seed=0) as loader:
        for number, batch in enumerate(loader):
            batch = jax.tree.map(lambda leaf: np.asarray(leaf), dict(batch))
            outputs = predict(loaded.state, batch, jax.random.key(number))
            for name, value in loaded.method.measure(batch, outputs).items():
                values.setdefault(name, []).append(np.asarray(value, np.float64))
    return {name: float(np.nanmean(np.concatenate(rows))) for name, rows in values.items()}


def same_figure(left: float, right: float) -> bool:
    """Whether two figures are one, but for the rounding of another machine or of float16.

    Args:
      left: a figure.
      right: another.
    """
    return bool(np.isclose(left, right, rtol=_SAME_FIGURE, atol=_SAME_FIGURE, equal_nan=True))


def as_text(card: Mapping[str, Any]) -> str:
    """A card for people.

    Args:
      card: the content of card.json.

    Returns:
      Markdown.
    """
    title = f"{card['name']}@{card['version']}" if card["version"] else card["name"]
    lines = [f"# {title}", "", card["line"] or f"A run of {card['method']}.", ""]
    said = {
        "Trained with": card["command"] and f"`{card['command']}`",
        "On": card["data"],
        "Licence": card["licence"] or "not said",
        "Steps": str(card["step"] or ""),
        "Hours": card["hours"] and f"{card['hours']:g}",
        "With": ", ".join(
            f"{name} {card['versions'][-1][name]}"
            for name in ("stegojax", "jax", "python", "device")
            if card["versions"] and name in card["versions"][-1]
        ),
        "Weights": f"{card['bytes']} bytes, {card['precision']}, SHA-256 {card['sha256']}",
        "Not for": card["not for"],
        "Notes": card["notes"],
    }
    lines += [f"- {name}: {text}" for name, text in said.items() if text]
    if card["figures"]:
        lines += ["", "| what | figure | command |", "|---|---|---|"]
    for figure in card["figures"] or ():
        spread = f" ± {figure['spread']}" if "spread" in figure else ""
        lines.append(f"| {figure['what']} | {figure['value']}{spread} | `{figure['command']}` |")
    lines += ["", "On a few bundled photographs, to check a copy by (`tests/zoo`):", ""]
    lines += [f"- {name}: {value:.6g}" for name, value in card[CHECKED].items()]
    return "\n".join(lines) + "\n"


def enter(folder: pathlib.Path, card: Mapping[str, Any]) -> None:
    """Adds a model to the manifest of its shelf.

    Args:
      folder: of the model, whole.
      card: the content of its card.json.
    """
    shelf = folder.parent
    others = {
        path.name: shelves.sha256(path.read_bytes())
        for path in sorted(folder.iterdir())
        if path.name not in (shelves.WEIGHTS_NAME, shelves.CONFIG_NAME)
    }
    model = shelves.Model(
        card["name"],
        card["version"],
        card["line"] or f"a run of {card['method']}",
        card["sha256"],
        card["bytes"],
        card["config"],
        others,
        shelf,
    )
    known = [each for each in shelves.read_manifest(shelf) if each.label != model.label]
    files.write_bytes(shelf / shelves.MANIFEST_NAME, shelves.manifest([*known, model]))


def _checked(card: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(card) - set(SAID))
    if unknown:
        raise InputError(f"the card's field {unknown[0]!r} is unknown; there are {', '.join(SAID)}")
    said = {name: card.get(name, [] if name == "figures" else "") for name in SAID}
    for figure in said["figures"]:
        if not isinstance(figure, Mapping) or not {"what", "value", "command"} <= set(figure):
            raise InputError(
                f"a figure of the card says what, value and command; this one is {figure}"
            )
    if not isinstance(said["hours"], int | float) and said["hours"] != "":
        raise InputError(f"the card's hours are a number; got {said['hours']!r}")
    return said


def _name_of(folder: pathlib.Path) -> tuple[str, int]:
    """The name and the version of what is exported; 0 for a folder that is on no shelf."""
    if "@" not in folder.name:
        return folder.name, 0
    name, version = shelves.split(folder.name)
    return name, int(version)


def _without_places(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """The config with the names of folders in place of where they lie on this machine."""

    def shortened(value):
        if isinstance(value, str):
            match = _FOLDER.fullmatch(value)
            return f"folder:{match[1]}" if match else value
        if isinstance(value, Mapping):
            return {name: shortened(field) for name, field in value.items()}
        return [shortened(part) for part in value] if isinstance(value, list | tuple) else value

    return ml_collections.ConfigDict(shortened(config.to_dict()))


def _kept(loaded: run.Loaded) -> list[pathlib.Path]:
    """Files of the run without which it cannot be used."""
    return sorted(loaded.workdir.glob("vocabulary.json"))


def _json_of(path: pathlib.Path) -> Any:
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    return None


@contextlib.contextmanager
def _beside(folder: pathlib.Path):
    """A new folder that takes its name when all is written, and is gone if it is not."""
    files.make_folder(folder.parent)
    made = pathlib.Path(tempfile.mkdtemp(prefix=files.TEMPORARY, dir=folder.parent))
    try:
        yield made
        made.chmod(0o755)
        made.rename(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror or error}); check the folder and the "
            "disk"
        ) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
