"""What the buttons of the page do, on the bytes of files.

Files get names of their own in a folder that is gone afterwards; of a name that the browser gives,
only the ending counts.
"""

from __future__ import annotations

import io
import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import NamedTuple

from PIL import Image

from stegojax import domains, hiders, images, secret, verdicts
from stegojax.detection import Steganalyzer, judge
from stegojax.errors import InputError
from stegojax.hiders import comparison, in_files

SCORE_MEANS = (
    "of how much the picture looks like a stego to this one steganalyzer, from 0 to 1; a "
    "probability only for pictures like those that it was trained on"
)
"""What stands beside a score."""

VERDICTS_MEAN = "at false-alarm rates measured on other photographs; no sign does not mean clean"
"""What stands beside verdicts."""

Judges = Callable[[Sequence[str]], list[str]]
"""Paths -> a line for each, and one that says what is meant."""


class File(NamedTuple):
    """A file as a browser gives it.

    name:    whatever it is called.
    content: its bytes.
    """

    name: str
    content: bytes


class Shown(NamedTuple):
    """What the page shows of a stego.

    stego:    the file.
    changes:  a PNG of the cover with the changes over it: red up, blue down.
    said:     what was done, and what a person should know of the cover, a line each.
    """

    stego: File
    changes: bytes
    said: tuple[str, ...]


def hide(cover: File, message: bytes, password: str, *, scheme: str = "") -> Shown:
    """Hides a message in a picture file.

    Args:
      cover: the picture.
      message: any bytes.
      password: as it is typed.
      scheme: as for `stegojax hide`; "" for the default of such files.

    Returns:
      The stego, which has been revealed once, and what to show of it.

    Raises:
      InputError: as the command `hide`.
    """
    shared = secret.password(password)
    with tempfile.TemporaryDirectory() as folder:
        path = _put(folder, "cover", cover)
        domain = domains.of(path)
        stego = path.with_name(f"stego{_ending(domain)}")
        hider = hiders.load(None, hiders.Options(scheme=scheme or None, domain=domain))
        notes: list[str] = []
        hidden = _spoken(
            folder,
            lambda: hiders.hide_file(
                hider, lambda: shared, path, message, stego, tell=lambda note: notes.append(note)
            ),
        )
        before, after = (domain.read(each)[0] for each in (path, stego))
        changes = pathlib.Path(folder, "changes.png")
        picture = comparison.picture_of_changes(before, after, domain=domain)
        in_files.write_elements(changes, picture)
        name = f"{pathlib.PurePath(cover.name).stem or 'picture'}-stego{stego.suffix}"
        said = (hidden.said, *(_without(folder, note) for note in (*notes, *hidden.notes)))
        return Shown(File(name, stego.read_bytes()), changes.read_bytes(), said)


def reveal(stego: File, password: str) -> bytes:
    """The message that a picture file holds.

    Args:
      stego: the file as it was downloaded.
      password: as it was typed to hide.

    Returns:
      The message.

    Raises:
      InputError: as the command `reveal`.
    """
    shared = secret.password(password)
    with tempfile.TemporaryDirectory() as folder:
        path = _put(folder, "stego", stego)
        hider = hiders.load(None, hiders.Options(domain=domains.of(path)))
        return _spoken(folder, lambda: hiders.reveal_file(hider, lambda: shared, path))


def capacity(cover: File, *, scheme: str = "") -> tuple[str, ...]:
    """What a picture file can carry, in words.

    Args:
      cover: the picture.
      scheme: as for `hide`.

    Returns:
      Lines.

    Raises:
      InputError: as the command `capacity`.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = _put(folder, "cover", cover)
        hider = hiders.load(None, hiders.Options(scheme=scheme or None, domain=domains.of(path)))
        picture, found = _spoken(folder, lambda: hiders.capacity_of_file(hider, path))
    first = f"{picture}, {found.elements} {found.unit}"
    if found.most is None:
        return first, "cannot carry a message, not even an empty one", *found.said
    return first, *found.said


def judged_by_models(panel: verdicts.Panel) -> Judges:
    """What the models that ship say of pictures.

    Args:
      panel: from `verdicts.load`.

    Returns:
      What `detect` takes.
    """

    def lines(paths):
        found = verdicts.judge(panel, paths)
        said = [each.error or verdicts.line(panel, each) for each in found]
        return [*said, f"judged by {', '.join(panel.sources)}, {VERDICTS_MEAN}"]

    return lines


def judged_by(steganalyzer: Steganalyzer) -> Judges:
    """What one steganalyzer says of pictures.

    Args:
      steganalyzer: a trained one.

    Returns:
      What `detect` takes.
    """

    def lines(paths):
        found = judge(steganalyzer, paths)
        said = [each.error or f"{each.score:.4f}  {each.path}" for each in found]
        return [*said, f"scores of {steganalyzer.trained_on}, {SCORE_MEANS}"]

    return lines


def detect(judges: Judges, files: Sequence[File]) -> tuple[str, ...]:
    """What steganalyzers say of picture files, in words.

    Args:
      judges: from `judged_by` or `judged_by_models`.
      files: the pictures.

    Returns:
      A line for each, and one that says what is meant.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [_put(folder, f"picture{n}", file) for n, file in enumerate(files)]
        lines = judges([str(path) for path in paths])
        for path, file in zip(paths, files):
            lines = [_without(folder, line).replace(path.name, file.name) for line in lines]
    return tuple(lines)


def shown(picture: File) -> bytes:
    """A picture file as browsers can show it.

    Args:
      picture: of any format that covers may have.

    Returns:
      A PNG.

    Raises:
      InputError: the file is no such picture.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = _put(folder, "picture", picture)
        pixels = _spoken(folder, lambda: images.read(path)).pixels
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _put(folder: str, stem: str, file: File) -> pathlib.Path:
    if not file.content:
        raise InputError("there is no picture yet; choose a file")
    path = pathlib.Path(folder, stem + pathlib.PurePath(file.name).suffix.lower()[:8])
    path.write_bytes(file.content)
    return path


def _ending(domain: domains.Domain) -> str:
    return ".png" if domain is domains.PIXELS else domain.endings[0]


def _without(folder: str, text: str) -> str:
    """What is said of a file, without the folder that nobody knows."""
    return text.replace(f"{folder}/", "")


def _spoken(folder: str, work: Callable):
    try:
        return work()
    except InputError as error:
        raise InputError(_without(folder, str(error))) from error
