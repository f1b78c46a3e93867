"""Hiding in the pictures of a folder by costs: covers of one size are embedded into together. JPEG
files and others may lie side by side: each is hidden in by the choices of its domain.

The manifest stands in the folder from the beginning and says whether the work is finished. Where it
is not, because the program was killed, the same call goes on: a stego that reveals its message
under the secret is done.
"""

from __future__ import annotations

import collections
import functools
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from stegojax import domains, edge, files, images, secret
from stegojax.errors import InputError
from stegojax.hiders import by_costs, comparison
from stegojax.hiders.contract import Stego
from stegojax.hiders.in_files import check_cover, writable, write_elements
from stegojax.types import Cover

MANIFEST_NAME = "manifest.json"

_BATCH, _BATCH_ELEMENTS = 16, 1 << 22


class _Task(NamedTuple):
    """One cover with what shall be hidden in it.

    entry:    of the manifest, as far as it is known.
    path:     of the cover.
    elements: of the cover; None where there is nothing to do, and `entry` says why.
    rest:     of its file.
    choices:  how to embed.
    message:  what to hide.
    stego:    the file to write.
    """

    entry: dict[str, Any]
    path: pathlib.Path
    elements: Cover | None
    rest: Any
    choices: by_costs.Choices
    message: bytes
    stego: pathlib.Path


def hide_many(
    shared: secret.Secret,
    covers: Sequence[pathlib.Path],
    messages: Sequence[tuple[str, bytes]],
    folder: pathlib.Path,
    *,
    choices: by_costs.Choices,
    others: Sequence[by_costs.Choices] = (),
    inputs: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> Iterator[dict[str, Any]]:
    """Hides messages in many picture files, one in each; cover i carries message i, and messages
    start over at the end.

    `manifest.json` in the folder lists what is done. A cover that fails is listed with its error,
    and the next one follows. Where an earlier call with the same choices was killed, this one goes
    on: what is done is listed and not done again.

    Args:
      shared: password or key.
      covers: picture files.
      messages: names and contents.
      folder: where the stegos and the manifest are written; it is made where it is missing.
      choices: how to embed.
      others: how to embed into files of other domains, which then stay files of these.
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
    said = {
        "scheme": choices.scheme.name,
        "code": choices.code,
        "constraint_height": choices.constraint_height,
    }
    earlier, entries = _manifest(folder), []
    going_on = _unfinished(earlier) and earlier.get("choices") == said
    if _unfinished(earlier) and not going_on and not overwrite:
        raise InputError(
            f"{folder / MANIFEST_NAME}: tells of unfinished work with other choices; give the same "
            "options again, or another folder, or add --overwrite"
        )

    def write_down(*, finished: bool) -> None:
        listed = {"finished": finished, "choices": said, "pictures": entries}
        content = (json.dumps(listed, indent=2) + "\n").encode()
        files.write_bytes(folder / MANIFEST_NAME, content)

    write_down(finished=False)
    done = functools.partial(_done, shared) if going_on else lambda *cover_message_stego: None
    owners = [_owner(path, choices, others) for path in covers]
    for tasks in _batches(
        _tasks(covers, owners, messages, folder, inputs or {}, done=done, overwrite=overwrite)
    ):
        stegos = _stegos(shared, tasks)
        for number, task in enumerate(tasks):
            entry = task.entry
            if task.elements is not None:
                entry |= _written(task, stegos[number], overwrite=overwrite)
            entries.append(entry)
            yield entry
        write_down(finished=False)
    write_down(finished=True)


def covers_in(folder: pathlib.Path, stegos: pathlib.Path) -> tuple[list[pathlib.Path], int]:
    """The covers of a folder, by name, without the stegos that an earlier call wrote into it.

    Args:
      folder: of picture files.
      stegos: the folder to write to.

    Returns:
      The covers, and how many stegos were left out.

    Raises:
      InputError: there is no such folder, or it is the one to write to: stegos would be the covers
        of the next call.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder; give the folder of the covers")
    if stegos.exists() and folder.samefile(stegos):
        raise InputError(
            f"{stegos}: is the folder of the covers; write the stegos to another one, so that they "
            "are not taken for covers"
        )
    try:
        pictures = sorted(
            path for path in folder.iterdir() if path.suffix.lower() in images.READABLE
        )
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from error
    listed = _manifest(folder).get("pictures")
    own = {each.get("stego") for each in listed or () if isinstance(each, dict)}
    covers = [path for path in pictures if path.name not in own]
    return covers, len(pictures) - len(covers)


def _manifest(folder: pathlib.Path) -> dict[str, Any]:
    """The manifest of a folder; empty where there is none that can be read."""
    try:
        listed = json.loads((folder / MANIFEST_NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return listed if isinstance(listed, dict) else {}


def _unfinished(manifest: dict[str, Any]) -> bool:
    return manifest.get("finished") is False


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
        going_on = _unfinished(_manifest(folder))
        files.check_output(folder / MANIFEST_NAME, inputs=inputs, overwrite=overwrite or going_on)


def _owner(
    path: pathlib.Path, choices: by_costs.Choices, others: Sequence[by_costs.Choices]
) -> by_costs.Choices:
    """The choices for a cover: those of its own domain, if there are."""
    own = domains.of(path)
    return next((known for known in others if known.domain is own), choices)


def _stegos(shared: secret.Secret, tasks: Sequence[_Task]) -> dict[int, Cover | InputError]:
    """The stegos of a batch, by the places of their tasks."""
    stegos: dict[int, Cover | InputError] = {}
    for choices in {id(task.choices): task.choices for task in tasks}.values():
        places = [
            place
            for place, task in enumerate(tasks)
            if task.elements is not None and task.choices is choices
        ]
        covers = [tasks[place].elements for place in places]
        messages = [tasks[place].message for place in places]
        made = by_costs.hide_batch(shared, covers, messages, choices=choices)
        for place, stego in zip(places, made, strict=True):
            task = tasks[place]
            if not isinstance(stego, InputError) and choices.domain.unwritable(
                task.elements, stego, task.rest
            ):
                stego = _writable(shared, task)
            stegos[place] = stego
    return stegos


def _writable(shared: secret.Secret, task: _Task) -> Cover | InputError:
    def hide(cover):
        return Stego(by_costs.hide(shared, cover, task.message, choices=task.choices), "")

    try:
        return writable(task.choices.domain, task.elements, task.rest, hide).elements
    except InputError as error:
        return error


def _tasks(
    covers: Sequence[pathlib.Path],
    owners: Sequence[by_costs.Choices],
    messages: Sequence[tuple[str, bytes]],
    folder: pathlib.Path,
    inputs: Mapping[str, str],
    *,
    done: Callable[..., dict[str, Any] | None],
    overwrite: bool,
) -> Iterator[_Task]:
    """The covers, each read when it is its turn.

    Args:
      covers, messages, folder, inputs, overwrite: as for `hide_many`.
      owners: for each cover how to embed.
      done: `(cover, message, stego, choices) -> entry` of a stego that an earlier call wrote, or
        None.
    """
    stems = collections.Counter(path.stem for path in covers)
    names = [
        # Of another domain than pixels, a file keeps its ending, which says so.
        f"{path.stem if stems[path.stem] == 1 else path.name}"
        + (".png" if own.domain is domains.PIXELS else path.suffix)
        for path, own in zip(covers, owners, strict=True)
    ]
    count, places = collections.Counter(names), {os.path.realpath(path) for path in covers}
    for number, (path, stego_name) in enumerate(zip(covers, names, strict=True)):
        name, message = messages[number % len(messages)]
        stego = folder / stego_name
        entry = {"cover": str(path), "message": name, "message_bytes": len(message)}
        elements, rest = None, None
        try:
            domain = owners[number].domain
            if os.path.realpath(stego) in places or count[stego_name] > 1:
                raise InputError(
                    f"{stego}: is a cover itself, or would be the stego of two; write to another "
                    "folder, or name the covers apart"
                )
            elements, rest = domain.read(path)
            check_cover(domain, path, stego, elements, rest)
            if notes := domain.notes(rest):
                entry["notes"] = list(notes)
            if finished := done(elements, message, stego, owners[number]):
                entry |= finished
                elements = None
            else:
                files.check_output(stego, inputs={path: "the cover", **inputs}, overwrite=overwrite)
        except InputError as error:
            entry["error"], elements = str(error), None
        except OSError as error:
            entry["error"], elements = edge.in_words(error), None
        yield _Task(entry, path, elements, rest, owners[number], message, stego)


def _done(
    shared: secret.Secret,
    cover: Cover,
    message: bytes,
    stego: pathlib.Path,
    choices: by_costs.Choices,
) -> dict[str, Any] | None:
    """What the manifest says of a stego that an earlier call wrote for the same cover, message and
    secret; None where there is none.
    """
    try:
        found, _ = choices.domain.read(stego)
        if found.shapes != cover.shapes:
            return None
        if by_costs.reveal(shared, found, domain=choices.domain) != message:
            return None
    except (InputError, OSError):
        return None
    return _figures(stego, cover, found, choices)


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
        domain = task.choices.domain
        write_elements(task.stego, stego, task.rest, domain=domain, overwrite=overwrite)
    except (InputError, OSError) as error:
        return {"error": str(error)}
    return _figures(task.stego, task.elements, stego, task.choices)


def _figures(
    path: pathlib.Path, cover: Cover, stego: Cover, choices: by_costs.Choices
) -> dict[str, Any]:
    """What the manifest says of a stego."""
    figures = comparison.compare(cover, stego, domain=choices.domain)
    return {
        "stego": path.name,
        "scheme": choices.scheme.name,
        "elements": figures.elements,
        "changes": figures.changes,
        "change_rate": figures.changes / figures.elements,
        "psnr": figures.psnr,
    }
