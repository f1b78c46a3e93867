"""Hiding in the pictures of a folder by costs: covers of one size are embedded into together."""

from __future__ import annotations

import collections
import json
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from stegojax import domains, files, secret
from stegojax.errors import InputError
from stegojax.hiders import by_costs, comparison
from stegojax.hiders.in_files import write_elements
from stegojax.types import Cover

MANIFEST_NAME = "manifest.json"

_BATCH, _BATCH_ELEMENTS = 16, 1 << 22


class _Task(NamedTuple):
    """One cover with what shall be hidden in it.

    entry:    of the manifest, as far as it is known.
    path:     of the cover.
    elements: of the cover; None where `entry` holds an error.
    rest:     of its file.
    message:  what to hide.
    stego:    the file to write.
    """

    entry: dict[str, Any]
    path: pathlib.Path
    elements: Cover | None
    rest: Any
    message: bytes
    stego: pathlib.Path


def hide_many(
    shared: secret.Secret,
    covers: Sequence[pathlib.Path],
    messages: Sequence[tuple[str, bytes]],
    folder: pathlib.Path,
    *,
    choices: by_costs.Choices,
    inputs: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> Iterator[dict[str, Any]]:
    """Hides messages in many picture files, one in each; cover i carries message i, and messages
    start over at the end.

    At the end `manifest.json` in the folder lists what was done. A cover that fails is listed with
    its error, and the next one follows.

    Args:
      shared: password or key.
      covers: picture files.
      messages: names and contents.
      folder: where the PNG files and the manifest are written; it is made where it is missing.
      choices: how to embed.
      inputs: other files that are read, and what each is: they are never written over, as the
        covers are not.
      overwrite: whether other files may be replaced.

    Yields:
      One entry of the manifest after another.

    Raises:
      InputError: there are fewer covers than messages, or the manifest cannot be written.
    """
    check_many(covers, messages, folder, inputs=inputs, overwrite=overwrite)
    files.make_folder(folder)
    entries = []
    for tasks in _batches(_tasks(covers, messages, folder, inputs or {}, overwrite=overwrite)):
        ready = [task for task in tasks if task.elements is not None]
        stegos = iter(
            by_costs.hide_batch(
                shared,
                [task.elements for task in ready],
                [task.message for task in ready],
                choices=choices,
            )
        )
        for task in tasks:
            entry = task.entry
            if task.elements is not None:
                entry |= _written(task, next(stegos), overwrite=overwrite)
            entries.append(entry)
            yield entry
    said = {
        "scheme": choices.scheme.name,
        "code": choices.code,
        "constraint_height": choices.constraint_height,
    }
    text = json.dumps({"choices": said, "pictures": entries}, indent=2) + "\n"
    files.write(folder / MANIFEST_NAME, lambda file: file.write(text.encode()), overwrite=overwrite)


def check_many(
    covers: Sequence[pathlib.Path],
    messages: Sequence[Any],
    folder: pathlib.Path,
    *,
    inputs: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> None:
    """Refuses what `hide_many` cannot do, before any work is done for it.

    Args:
      covers, messages, folder, inputs, overwrite: as for `hide_many`; of the messages only the
        number matters.

    Raises:
      InputError: there are fewer covers than messages, or the folder or the manifest cannot be
        written.
    """
    if not covers or not messages or len(covers) < len(messages):
        raise InputError(
            f"{len(messages)} messages need at least as many covers, one each; there are "
            f"{len(covers)}"
        )
    files.check_folder(folder)
    if folder.is_dir():
        files.check_output(folder / MANIFEST_NAME, inputs=inputs, overwrite=overwrite)


def _tasks(
    covers: Sequence[pathlib.Path],
    messages: Sequence[tuple[str, bytes]],
    folder: pathlib.Path,
    inputs: Mapping[str, str],
    *,
    overwrite: bool,
) -> Iterator[_Task]:
    stems = collections.Counter(path.stem for path in covers)
    names = [f"{path.stem if stems[path.stem] == 1 else path.name}.png" for path in covers]
    count, places = collections.Counter(names), {os.path.realpath(path) for path in covers}
    for number, (path, stego_name) in enumerate(zip(covers, names, strict=True)):
        name, message = messages[number % len(messages)]
        stego = folder / stego_name
        entry = {"cover": str(path), "message": name, "message_bytes": len(message)}
        elements, rest = None, None
        try:
            if os.path.realpath(stego) in places or count[stego_name] > 1:
                raise InputError(
                    f"{stego}: is a cover itself, or would be the stego of two; write to another "
                    "folder, or name the covers apart"
                )
            files.check_output(stego, inputs={path: "the cover", **inputs}, overwrite=overwrite)
            elements, rest = domains.of(stego).read(path)
        except (InputError, OSError) as error:
            entry["error"] = str(error)
        yield _Task(entry, path, elements, rest, message, stego)


def _batches(tasks: Iterable[_Task]) -> Iterator[list[_Task]]:
    """As many at a time as are embedded into together."""
    batch, elements = [], 0
    for task in tasks:
        batch.append(task)
        if task.elements is not None:
            elements += task.elements.elements
        if len(batch) == _BATCH or elements >= _BATCH_ELEMENTS:
            yield batch
            batch, elements = [], 0
    if batch:
        yield batch


def _written(task: _Task, stego: Cover | InputError, *, overwrite: bool) -> dict[str, Any]:
    """What the manifest says of a stego, or of why there is none."""
    try:
        if isinstance(stego, InputError):
            raise InputError(f"{task.path}: {stego}")
        write_elements(task.stego, stego, task.rest, overwrite=overwrite)
    except (InputError, OSError) as error:
        return {"error": str(error)}
    figures = comparison.compare(task.elements, stego)
    return {
        "stego": task.stego.name,
        "elements": figures.elements,
        "changes": figures.changes,
        "change_rate": figures.changes / figures.elements,
        "psnr": figures.psnr,
    }
