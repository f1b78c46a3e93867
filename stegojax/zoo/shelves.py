"""Names of models, and the shelves on which they are looked for: the folder that the environment
variable STEGOJAX_MODELS names, the package, and the user's cache, in this order.

A name is "sftn" (its newest version on the first shelf that has one), "sftn@1", or
"sftn@1#0123456789ab", which is refused where the weights are not of that SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
from collections.abc import Mapping
from typing import NamedTuple

from stegojax.errors import InputError

MANIFEST_NAME = "MANIFEST.json"
CONFIG_NAME = "config.json"
WEIGHTS_NAME = "weights.safetensors"
VARIABLE = "STEGOJAX_MODELS"
PACKAGE = pathlib.Path(__file__).parent

_NAME = re.compile(
    r"(?P<name>[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*)(?:@(?P<version>[1-9][0-9]*)(?:#(?P<hash>[0-9a-f]{12}))?)?"
)


class Model(NamedTuple):
    """A model on a shelf.

    name:    without the version.
    version: 1 and up.
    line:    what it is, in a line.
    sha256:  of its weights.
    bytes:   of its weights.
    config:  SHA-256 of its config.
    files:   SHA-256 of its other files, by name.
    shelf:   the folder in which its folder lies.
    """

    name: str
    version: int
    line: str
    sha256: str
    bytes: int
    config: str
    files: Mapping[str, str]
    shelf: pathlib.Path

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.name}@{self.version}"

    @property
    def pinned(self) -> str:
        """Name, version and hash: what a config writes down."""
        return f"{self.label}#{self.sha256[:12]}"

    @property
    def folder(self) -> pathlib.Path:
        """Where its files are."""
        return self.shelf / self.label

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file."""
        return {WEIGHTS_NAME: self.sha256, CONFIG_NAME: self.config, **self.files}


class Place(NamedTuple):
    """Where a run lies.

    folder: a work directory or an exported folder.
    model:  the model that was named; None where a folder was.
    """

    folder: pathlib.Path
    model: Model | None


def cache() -> pathlib.Path:
    """The shelf of what was fetched, in the user's cache; it need not be there."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "stegojax" / "models"


def shelves() -> list[pathlib.Path]:
    """The shelves that there are, in the order in which names are looked for.

    Raises:
      InputError: STEGOJAX_MODELS names no shelf.
    """
    given = os.environ.get(VARIABLE, "")
    if given and not (pathlib.Path(given) / MANIFEST_NAME).is_file():
        raise InputError(
            f"{VARIABLE} is {given}, which holds no {MANIFEST_NAME}; set it to a folder into which "
            "`stegojax export -o FOLDER/NAME@VERSION` has written, or unset it"
        )
    folders = [pathlib.Path(given)] if given else []
    folders += [PACKAGE, cache()]
    return [folder for folder in folders if (folder / MANIFEST_NAME).is_file()]


def read_manifest(shelf: pathlib.Path) -> list[Model]:
    """The models of a shelf.

    Args:
      shelf: a folder.

    Returns:
      In the order of names and versions; none where the folder has no manifest.

    Raises:
      InputError: the manifest is damaged.
    """
    path = pathlib.Path(shelf) / MANIFEST_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    return parse_manifest(content, shelf=pathlib.Path(shelf), title=str(path))


def parse_manifest(content: bytes, *, shelf: pathlib.Path, title: str) -> list[Model]:
    """The models that a manifest lists.

    Args:
      content: of the file.
      shelf: where the models lie.
      title: of the file, for messages.

    Returns:
      In the order of names and versions.

    Raises:
      InputError: it is no manifest.
    """
    models = []
    try:
        for label, fields in json.loads(content)["models"].items():
            name, version = split(label)
            hashes = {str(key): str(value) for key, value in fields["files"].items()}
            model = Model(
                name,
                int(version or 0),
                str(fields["line"]),
                str(fields["sha256"]),
                int(fields["bytes"]),
                str(fields["config"]),
                hashes,
                shelf,
            )
            if not version or any(pathlib.PurePath(file).name != file for file in model.hashes):
                raise ValueError(f"{label} is no model")
            models.append(model)
    except (AttributeError, InputError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{title} is not a whole manifest of models ({error}); fetch or export them again"
        ) from error
    return sorted(models, key=lambda model: (model.name, model.version))


def manifest(models: list[Model]) -> bytes:
    """A manifest of models, as `parse_manifest` takes it.

    Args:
      models: in any order.

    Returns:
      The file's content.
    """
    fields = ("line", "sha256", "bytes", "config", "files")
    ordered = sorted(models, key=lambda model: (model.name, model.version))
    entries = {each.label: {field: getattr(each, field) for field in fields} for each in ordered}
    return (json.dumps({"format": 1, "models": entries}, indent=2) + "\n").encode()


def split(text: str) -> tuple[str, str]:
    """Name and version of a model.

    Args:
      text: "NAME" or "NAME@VERSION".

    Returns:
      The name; the version, "" where none is said.

    Raises:
      InputError: it is no name of a model.
    """
    match = _NAME.fullmatch(text)
    if not match:
        raise InputError(
            f"{text!r} is no name of a model: write small letters, digits, - and _, and @VERSION "
            "after them where one is meant"
        )
    return match["name"], match["version"] or ""


def models() -> list[Model]:
    """All models on all shelves; of two with one name and version the one that is found first.

    Raises:
      InputError: a shelf is damaged.
    """
    found: dict[str, Model] = {}
    for shelf in shelves():
        for model in read_manifest(shelf):
            found.setdefault(model.label, model)
    return list(found.values())


def find(name: str) -> Model | None:
    """The model of a name.

    Args:
      name: "NAME", "NAME@VERSION" or "NAME@VERSION#HASH".

    Returns:
      The model; None where no shelf has it.

    Raises:
      InputError: a shelf is damaged, or the model has other weights than the hash says.
    """
    match = _NAME.fullmatch(name)
    if not match:
        return None
    for shelf in shelves():
        known = [model for model in read_manifest(shelf) if model.name == match["name"]]
        if match["version"]:
            known = [model for model in known if model.version == int(match["version"])]
        if known:
            model = known[-1]
            if match["hash"] and not model.sha256.startswith(match["hash"]):
                raise InputError(
                    f"{model.label} in {model.shelf} has other weights than {name} means; name "
                    "the version or the folder that is meant"
                )
            return model
    return None


def locate(place: str | os.PathLike) -> Place:
    """Where a run lies.

    Args:
      place: a work directory, an exported folder, or the name of a model. A folder that holds a run
        goes before a model of its name.

    Returns:
      The place. What a folder holds is not looked at; a model's files are those of its manifest.

    Raises:
      InputError: there is neither such a folder nor such a model, or the model is damaged.
    """
    folder = pathlib.Path(place)
    if (folder / CONFIG_NAME).exists():
        return Place(folder, None)
    name = os.fspath(place)
    model = find(name)
    if model is not None:
        verify(model)
        return Place(model.folder, model)
    if _NAME.fullmatch(name) and not folder.exists():
        raise InputError(
            f"{name} is neither the work directory of a run nor a model; `stegojax models` lists "
            "the models"
        )
    return Place(folder, None)


def verify(model: Model) -> None:
    """Checks that a model's files are those that its manifest lists.

    Args:
      model: on a shelf.

    Raises:
      InputError: one is missing or another.
    """
    for name, expected in model.hashes.items():
        path = model.folder / name
        try:
            actual = sha256(path.read_bytes())
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror}); fetch or install {model.label} again"
            ) from error
        if actual != expected:
            raise InputError(
                f"{path}: is damaged or another file: its SHA-256 is not the one of "
                f"{MANIFEST_NAME}; fetch or install {model.label} again"
            )


def sha256(content: bytes) -> str:
    """The SHA-256 of a file's content.

    Args:
      content: all of it.

    Returns:
      Hexadecimal digits.
    """
    return hashlib.sha256(content).hexdigest()
