"""Models from elsewhere, fetched when a person gives a URL and at no other time."""

from __future__ import annotations

import logging
import pathlib
import urllib.parse

import pooch

from stegojax import files
from stegojax.errors import InputError
from stegojax.zoo import shelves
from stegojax.zoo.shelves import Model


def fetch(url: str) -> list[Model]:
    """Fetches models to the user's cache; every file's SHA-256 is checked.

    Args:
      url: of a shelf's MANIFEST.json, for all of its models; or of one model's folder,
        "https://.../sftn@1", beside whose folder the manifest lies. "#sha256=HEX" after it is the
        SHA-256 that the manifest must have.

    Returns:
      What was fetched, as it lies on the cache's shelf.

    Raises:
      InputError: the URL cannot be read, a file is another than is said, or the cache already holds
        other weights under one of the names.
    """
    address, _, fragment = url.partition("#")
    said = fragment.removeprefix("sha256=")
    parts = urllib.parse.urlsplit(address)
    if parts.scheme not in ("http", "https", "ftp") or (fragment and said == fragment):
        raise InputError(
            f"{url}: is no URL of models; give https://.../NAME@VERSION or the URL of a "
            f"{shelves.MANIFEST_NAME}, with #sha256=HEX after it where its hash is known"
        )
    base, _, last = address.rstrip("/").rpartition("/")
    whole = last == shelves.MANIFEST_NAME
    shelf = shelves.cache()
    files.make_folder(shelf)
    manifest = f"{base}/{shelves.MANIFEST_NAME}"
    listed = shelves.parse_manifest(_download(manifest, said), shelf=shelf, title=manifest)
    last = urllib.parse.unquote(last)
    wanted = [model for model in listed if whole or last in (model.label, model.name)][
        0 if whole else -1 :
    ]
    if not wanted:
        raise InputError(
            f"{manifest} lists no model {last}; it has "
            f"{', '.join(model.label for model in listed) or 'none'}"
        )
    for model in wanted:
        _fetch_one(f"{base}/{urllib.parse.quote(model.label)}", model)
    return wanted


def _fetch_one(url: str, model: Model) -> None:
    known = {each.label: each for each in shelves.read_manifest(model.shelf)}
    if model.label in known and known[model.label].hashes != model.hashes:
        raise InputError(
            f"{model.folder}: holds another {model.label} already; remove it from "
            f"{model.shelf / shelves.MANIFEST_NAME} to fetch this one"
        )
    files.make_folder(model.folder)
    for name, expected in model.hashes.items():
        files.write_bytes(model.folder / name, _download(f"{url}/{name}", expected))
    known[model.label] = model
    files.write_bytes(model.shelf / shelves.MANIFEST_NAME, shelves.manifest([*known.values()]))


def _download(url: str, sha256: str) -> bytes:
    """The content of a URL; `sha256` is "" where it is not known."""
    folder = shelves.cache() / "downloads"
    pooch.get_logger().setLevel(logging.ERROR)
    try:
        path = pooch.retrieve(
            url, known_hash=f"sha256:{sha256}" if sha256 else None, path=folder, progressbar=False
        )
        content = pathlib.Path(path).read_bytes()
        pathlib.Path(path).unlink()
        return content
    # pooch raises what requests, ftplib and the operating system raise, which have no common base.
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise InputError(f"{url}: cannot be fetched ({lines[0][:200]})") from error
