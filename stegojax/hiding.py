"""Hiding any file in a picture file with a password or a key file, and getting it back: costs,
coding and keys put together.

Every sample of every channel is an element; flattened, they run channel by channel, row by row
(`[C, H, W]`). A stego carries

    salt     in the first min(4096, max(N // 12, min(N // 6, 384))) of the N elements, in the public
    order header   in the first min(4096, max(N // 8, min(N // 3, 672))) of the others, in the keyed
    order body     in the rest, in the keyed order, phase by phase

Salt and header are binary syndromes of the lowest bits (constraint height 10, one segment). The
body is embedded first, since the header says how each phase's bits are split between the two
layers. What the three strings of bits are: `secret.py`.

Layout byte of the header: 16 times the partition (0 one lattice, 1 quarters, 2 checkerboard, 3
  masks) plus the code (0 polar,
7..12 syndrome-trellis code of that constraint height), plus 128 where the lower layer takes the
elements in strides and the lattices have a grain (what is written today); without the 128 both
layers take them as they come, all of them. Masks are two to
four consecutive parts of the keyed order: their weights, 1..15, stand in the header's field
  `segments`, four bits each, the
first mask's lowest, 0 for masks that there are not; of n elements the first k masks hold floor(n
times the first k weights' sum / the sum of all), there is no grain, and the code has one segment.
Pixels are uint8 `[H, W, C]` here, as in files. The colour of fully transparent pixels is never
changed.
"""

from __future__ import annotations

import json
import math
import os
import pathlib
import secrets
from collections.abc import Iterable, Sequence
from concurrent import futures
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from stegojax import embed, files, images, metrics, recipes, secret
from stegojax.coding import stc, ternary
from stegojax.costs import COSTS
from stegojax.domains import PIXELS
from stegojax.errors import InputError
from stegojax.types import WET_COST, Costs

SCHEMES = ("plain", "cmd", "synch")
"""Names of `embed.RECIPES` by their number in the header."""
LOWEST_ELEMENTS = 768
"""Fewer do not hold salt, header and a tag."""
MANIFEST_NAME = "manifest.json"

_SALT_BITS = 8 * secret.SALT_BYTES
_HEADER_BITS = 8 * secret.HEADER_BYTES
_RESERVED = 4096
_POLAR_LIST_SIZE = 8
# Of what any code could hide (`embed.capacity`): what ours always did, and what is attempted.
_SAFE_SHARE = 0.5
_TRIED_SHARE = 0.55
_SALTS = 16
_ORDERS = 4
_LITERATURE_RATE = 0.4
_STRIDED = 128
_MASKS = 3
_NIBBLE = 16
_BATCH, _BATCH_SAMPLES = 16, 1 << 22


class Choices(NamedTuple):
    """How to embed. All but the costs is written in the header; the receiver need not be told.

    cost:              a name in `costs.COSTS`.
    scheme:            a name in `SCHEMES`.
    code:              "stc" or "polar".
    constraint_height: of the syndrome-trellis code, 7..12; polar codes do not use it.
    learned:           costs and recipe of a trained run (`run.load_scheme`), in place of cost and
                       scheme.
    """

    cost: str = "hill"
    scheme: str = "cmd"
    code: str = "stc"
    constraint_height: int = 10
    learned: embed.Scheme | None = None


class Capacity(NamedTuple):
    """What a cover can carry.

    elements: samples of all channels.
    most:     bytes of message (after compression) that fit, None where not even an empty message
              does. Where much of a cover is wet, a message of that length may still be refused.
    usual:    bytes at 0.4 bits per element, the literature's usual upper payload; at most `most`.
    """

    elements: int
    most: int | None
    usual: int | None


class Comparison(NamedTuple):
    """How a stego differs from its cover.

    elements: samples of all channels.
    raised:   elements that are larger in the stego.
    lowered:  elements that are smaller.
    largest:  the largest difference.
    psnr:     dB.
    """

    elements: int
    raised: int
    lowered: int
    largest: int
    psnr: float

    @property
    def changes(self) -> int:
        """Elements that differ."""
        return self.raised + self.lowered


class _Places(NamedTuple):
    """Positions in the flattened cover that carry each string of bits, in order."""

    salt: np.ndarray
    header: np.ndarray
    body: np.ndarray


def check_choices(choices: Choices) -> None:
    """Refuses choices that there are not.

    Args:
      choices: how to embed.

    Raises:
      InputError: one is unknown; the message lists those that are known.
    """
    for value, known, what in (
        (choices.cost, COSTS, "cost"),
        (choices.scheme, SCHEMES, "scheme"),
        (choices.code, ("stc", "polar"), "code"),
        (choices.constraint_height, range(7, 13), "constraint height"),
    ):
        if value not in known:
            raise InputError(
                f"unknown {what} {value!r}; choose one of {', '.join(map(str, known))}"
            )


def capacity(picture: images.Picture, *, choices: Choices = Choices()) -> Capacity:
    """What a cover can carry with a cost and a scheme.

    Args:
      picture: the cover.
      choices: how to embed.

    Returns:
      The capacity.

    Raises:
      InputError: a choice is unknown.
    """
    check_choices(choices)
    planes, wet = _planes(picture)
    if planes.size < LOWEST_ELEMENTS:
        return Capacity(planes.size, None, None)
    order = secret.public_order(planes.size)
    salt, header, _ = _sizes(planes.size)
    places = _Places(order[:salt], order[salt : salt + header], order[salt + header :])
    most = _room(places, planes, wet, choices, _SAFE_SHARE)
    cost, recipe, _, _ = _scheme(choices)
    costs = embed.costs_after(planes, np.zeros(planes.shape), cost=cost, recipe=recipe, wet=wet)
    rest = order[salt:]
    headers = [rest[first : first + header] for first in range(0, rest.size - header, header)][
        :_ORDERS
    ]
    if (
        most < 0
        or not _fits(places.salt, planes, costs, _SALT_BITS)
        or not any(_fits(part, planes, costs, _HEADER_BITS) for part in headers)
    ):
        return Capacity(planes.size, None, None)
    usual = max(0, int(_LITERATURE_RATE * planes.size) // 8 - secret.OVERHEAD_BYTES)
    return Capacity(planes.size, most, min(usual, most))


def hide(
    shared: secret.Secret,
    cover: images.Picture,
    message: bytes,
    *,
    choices: Choices = Choices(),
    salt: bytes | None = None,
) -> np.ndarray:
    """Hides a message in the pixels of a picture.

    Args:
      shared: password or key.
      cover: the picture.
      message: any bytes, none included.
      choices: how to embed.
      salt: 16 bytes; by default fresh ones from the operating system. The same secret and salt must
        never be used for two messages.

    Returns:
      uint8 `[H, W, C]`, differing from the cover's pixels by at most 1.

    Raises:
      InputError: the message does not fit, or a choice is unknown.
    """
    check_choices(choices)
    planes, wet = _planes(cover)
    if planes.size < LOWEST_ELEMENTS:
        raise InputError(
            f"the cover has {planes.size} samples and cannot carry a message; take one of "
            f"{LOWEST_ELEMENTS} "
            "or more"
        )
    packed = secret.pack(message)
    # Where much of a cover is wet, a code may stumble over the order of the elements: another salt
    # is another order.
    for last in (True,) if salt is not None else (False,) * (_SALTS - 1) + (True,):
        try:
            salts = [salt or secrets.token_bytes(secret.SALT_BYTES)]
            return _pixels(
                _attempt(
                    shared,
                    planes[None],
                    None if wet is None else wet[None],
                    [packed],
                    choices,
                    salts,
                )[0]
            )
        except _Stumbled as error:
            if last:
                raise InputError(
                    f"the message takes {len(packed) - 1} bytes (after compression), which do not "
                    "fit: too much "
                    "of the cover is saturated, flat or transparent; shorten it or take another "
                    "cover"
                ) from error
    raise AssertionError("the last attempt returns or raises")


def hide_batch(
    shared: secret.Secret,
    covers: Sequence[images.Picture],
    messages: Sequence[bytes],
    *,
    choices: Choices = Choices(),
) -> list[np.ndarray | InputError]:
    """Hides a message in each of several pictures; those of one size with messages of one length
    are embedded into together.

    Args:
      shared: password or key.
      covers: the pictures.
      messages: one for each.
      choices: how to embed.

    Returns:
      For every cover uint8 `[H, W, C]`, as `hide` gives, or the error that it raises.

    Raises:
      InputError: a choice is unknown.
    """
    check_choices(choices)
    found: list[np.ndarray | InputError | None] = [None] * len(covers)
    packed = [secret.pack(message) for message in messages]
    alike: dict[tuple, list[int]] = {}
    for row, cover in enumerate(covers):
        if cover.pixels.size >= LOWEST_ELEMENTS:
            alike.setdefault((cover.pixels.shape, len(packed[row])), []).append(row)
    for rows in alike.values():
        if len(rows) > 1:
            given = [_planes(covers[row]) for row in rows]
            wet = np.stack(
                [np.zeros(planes.shape, bool) if wet is None else wet for planes, wet in given]
            )
            try:
                stegos = _attempt(
                    shared,
                    np.stack([planes for planes, _ in given]),
                    wet if wet.any() else None,
                    [packed[row] for row in rows],
                    choices,
                    [secrets.token_bytes(secret.SALT_BYTES) for _ in rows],
                )
            except (_Stumbled, InputError):
                continue  # one of them does not take its message: each by itself, below
            for row, stego in zip(rows, stegos, strict=True):
                found[row] = _pixels(stego)
    for row, pixels in enumerate(found):
        if pixels is None:
            try:
                found[row] = hide(shared, covers[row], messages[row], choices=choices)
            except InputError as error:
                found[row] = error
    return found


def reveal(shared: secret.Secret, pixels: np.ndarray) -> bytes:
    """Reads the message that `hide` put into a picture.

    Args:
      shared: password or key.
      pixels: uint8 `[H, W, C]`.

    Returns:
      The message, exactly.

    Raises:
      InputError: there is no message for this secret; nothing tells a wrong secret from a picture
        without or with a damaged message.
    """
    planes = np.moveaxis(np.asarray(pixels), -1, 0)
    if planes.size < LOWEST_ELEMENTS:
        raise InputError(secret.NO_MESSAGE)
    values = planes.ravel()
    first = secret.public_order(planes.size)[: _sizes(planes.size)[0]]
    keys = secret.derive(shared, secret.to_bytes(_get(first, values, _SALT_BITS)))
    places = _places(keys, planes.size)
    header = secret.read_header(keys, secret.to_bytes(_get(places.header, values, _HEADER_BITS)))
    strided, number, code_number = (
        header.layout & _STRIDED,
        header.layout % _STRIDED // 16,
        header.layout % 16,
    )
    weights, segments = (
        (_weights(header.segments), 1) if number == _MASKS else ((), header.segments)
    )
    if (
        (number >= len(SCHEMES) and len(weights) < 2)
        or code_number not in (0, *range(7, 13))
        or segments < 1
    ):
        raise InputError(secret.NO_MESSAGE)
    recipe = (
        embed.masks(weights, [embed.no_adjustment] * len(weights))
        if weights
        else embed.RECIPES[SCHEMES[number]]
    )
    recipe = recipe if strided else recipe._replace(grain=0)
    code = (
        ternary.polar_code()
        if code_number == 0
        else ternary.stc_code(constraint_height=code_number, segments=segments)
    )
    if 8 * header.length > planes.size * math.log2(3):
        raise InputError(secret.NO_MESSAGE)
    shares = embed.shares(places.body, planes.shape, 8 * header.length, recipe=recipe)
    lengths = tuple((upper, share - upper) for upper, share in zip(header.upper, shares))
    try:
        body = secret.to_bytes(
            embed.reveal(
                places.body,
                planes,
                lengths,
                recipe=recipe,
                code=code,
                order="strided" if strided else "same",
            )
        )
    except ValueError as error:
        raise InputError(secret.NO_MESSAGE) from error
    return secret.unseal(keys, body, header)


def hide_file(
    shared: secret.Secret,
    cover: str | os.PathLike,
    message: bytes,
    stego: str | os.PathLike,
    *,
    choices: Choices = Choices(),
    overwrite: bool = False,
) -> Comparison:
    """Hides a message in a picture file, and reads it back from the written file.

    Args:
      shared: password or key.
      cover: the picture file; it is not touched.
      message: any bytes.
      stego: the lossless picture file to write.
      choices: how to embed.
      overwrite: whether `stego` may replace a file (never the cover).

    Returns:
      How the written file differs from the cover.

    Raises:
      InputError: a file cannot be read or written, or the message does not fit.
    """
    _check_stego(cover, stego, overwrite=overwrite)
    picture = images.read(cover)
    try:
        pixels = hide(shared, picture, message, choices=choices)
    except InputError as error:
        raise InputError(f"{cover}: {error}") from error
    return write_checked(shared, picture, pixels, message, stego, overwrite=overwrite)


def _check_stego(cover: str | os.PathLike, stego: str | os.PathLike, *, overwrite: bool) -> None:
    check_output(stego, overwrite=overwrite)
    images.lossless_format(stego)
    if os.path.exists(stego) and os.path.samefile(cover, stego):
        raise InputError(
            f"{stego}: is the cover itself, which is never modified; choose another name"
        )


def write_checked(
    shared: secret.Secret,
    picture: images.Picture,
    pixels: np.ndarray,
    message: bytes,
    stego: str | os.PathLike,
    *,
    overwrite: bool = False,
) -> Comparison:
    """Writes a stego and reads the message back from the written file.

    Args:
      shared: password or key.
      picture: the cover.
      pixels: the stego, what `hide` gave.
      message: what is hidden in it.
      stego: the lossless picture file to write.
      overwrite: whether it may replace a file.

    Returns:
      How the written file differs from the cover.

    Raises:
      InputError: the file cannot be written, or does not give the message back; then it is removed.
    """
    images.write(stego, pixels, like=picture, overwrite=overwrite)
    written = None
    try:
        written = images.read(stego).pixels
        right = np.array_equal(written, pixels) and reveal(shared, written) == message
    except InputError:
        right = False
    if not right:
        pathlib.Path(stego).unlink(missing_ok=True)
        raise InputError(
            f"{stego}: did not give the message back and was removed; check the disk and try again"
        )
    return compare(picture, images.Picture(written))


def reveal_file(shared: secret.Secret, stego: str | os.PathLike) -> bytes:
    """Reads the message hidden in a picture file.

    Args:
      shared: password or key.
      stego: the file.

    Returns:
      The message.

    Raises:
      InputError: the file cannot be read, or there is no message for this secret.
    """
    picture = images.read(stego)
    try:
        return reveal(shared, picture.pixels)
    except InputError as error:
        raise InputError(f"{stego}: {error}") from error


def write_message(path: str | os.PathLike, message: bytes, *, overwrite: bool = False) -> None:
    """Writes a file, whole or not at all.

    Args:
      path: where to.
      message: its content.
      overwrite: whether an existing file may be replaced.

    Raises:
      InputError: the file exists or cannot be written.
    """
    files.write(path, lambda file: file.write(message), overwrite=overwrite)


def check_output(path: str | os.PathLike, *, overwrite: bool) -> None:
    """Refuses a file to write that exists, before any work is done for it.

    Args:
      path: the file.
      overwrite: whether it may be replaced.

    Raises:
      InputError: it may not.
    """
    if os.path.exists(path) and not overwrite:
        raise InputError(f"{path}: exists already; choose another name or add --overwrite")


def notes(picture: images.Picture) -> list[str]:
    """What a person should know about a cover.

    Args:
      picture: the cover.

    Returns:
      One sentence each, without a full stop.
    """
    return list(PIXELS.notes(picture))


def compare(cover: images.Picture, stego: images.Picture) -> Comparison:
    """How a stego differs from its cover.

    Args:
      cover, stego: pictures of one size.

    Returns:
      The figures.

    Raises:
      InputError: the pictures differ in size or channels.
    """
    difference = _difference(cover, stego)
    psnr = metrics.psnr(
        *(jnp.asarray(pixels[None], jnp.float32) for pixels in (cover.pixels, stego.pixels))
    )
    return Comparison(
        difference.size,
        int((difference > 0).sum()),
        int((difference < 0).sum()),
        int(np.abs(difference).max()),
        float(psnr[0]),
    )


def picture_of_changes(cover: images.Picture, stego: images.Picture) -> np.ndarray:
    """The cover, grey and dimmed, with its changes over it: red where samples went up, blue where
    down, white where both.

    Args:
      cover, stego: pictures of one size.

    Returns:
      uint8 `[H, W, 3]`.

    Raises:
      InputError: the pictures differ in size or channels.
    """
    difference = _difference(cover, stego)
    raised, lowered = (difference > 0).any(axis=-1), (difference < 0).any(axis=-1)
    grey = np.asarray(images.grey(jnp.asarray(cover.pixels, jnp.float32)))[..., 0]
    shown = np.repeat((64 + grey / 4).astype(np.uint8)[..., None], 3, axis=-1)
    shown[raised], shown[lowered], shown[raised & lowered] = (
        (255, 48, 32),
        (48, 96, 255),
        (255, 255, 255),
    )
    return shown


def hide_many(
    shared: secret.Secret,
    covers: Sequence[pathlib.Path],
    messages: Sequence[tuple[str, bytes]],
    folder: pathlib.Path,
    *,
    choices: Choices = Choices(),
    overwrite: bool = False,
) -> Iterable[dict]:
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
      overwrite: whether files may be replaced.

    Yields:
      One entry of the manifest after another.

    Raises:
      InputError: there are fewer covers than messages, or the manifest cannot be written.
    """
    if not covers or not messages or len(covers) < len(messages):
        raise InputError(
            f"{len(messages)} messages need at least as many covers, one each; there are "
            f"{len(covers)}"
        )
    manifest = folder / MANIFEST_NAME
    check_output(manifest, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    stems = [path.stem for path in covers]
    entries = []
    for chunk in _chunks(covers):
        waiting = []
        for number, cover, picture in chunk:
            name, message = messages[number % len(messages)]
            stego = folder / f"{cover.stem if stems.count(cover.stem) == 1 else cover.name}.png"
            entry = {"cover": str(cover), "message": name, "message_bytes": len(message)}
            try:
                if isinstance(picture, InputError):
                    raise picture
                _check_stego(cover, stego, overwrite=overwrite)
                waiting.append((entry, cover, picture, message, stego))
            except (InputError, OSError) as error:
                waiting.append((entry | {"error": str(error)}, cover, None, message, stego))
        ready = [item for item in waiting if item[2] is not None]
        pixels = iter(
            hide_batch(
                shared, [item[2] for item in ready], [item[3] for item in ready], choices=choices
            )
        )
        for entry, cover, picture, message, stego in waiting:
            if picture is not None:
                found = next(pixels)
                try:
                    if isinstance(found, InputError):
                        raise InputError(f"{cover}: {found}")
                    done = write_checked(
                        shared, picture, found, message, stego, overwrite=overwrite
                    )
                    entry |= {
                        "stego": stego.name,
                        "elements": done.elements,
                        "changes": done.changes,
                        "change_rate": done.changes / done.elements,
                        "psnr": done.psnr,
                    }
                except (InputError, OSError) as error:
                    entry["error"] = str(error)
            entries.append(entry)
            yield entry
    said = choices._asdict()
    learned = said.pop("learned")
    if learned is not None:
        said = {
            "run": learned.name,
            "code": said["code"],
            "constraint_height": said["constraint_height"],
        }
    text = json.dumps({"choices": said, "pictures": entries}, indent=2) + "\n"
    write_message(manifest, text.encode(), overwrite=overwrite)


def _chunks(
    covers: Sequence[pathlib.Path],
) -> Iterable[list[tuple[int, pathlib.Path, images.Picture | InputError]]]:
    """The covers with their numbers, read as many at a time as are embedded into together."""
    chunk, samples = [], 0
    for number, cover in enumerate(covers):
        try:
            picture = images.read(cover)
            samples += picture.pixels.size
        except InputError as error:
            picture = error
        except OSError as error:
            picture = InputError(str(error))
        chunk.append((number, cover, picture))
        if len(chunk) == _BATCH or samples >= _BATCH_SAMPLES:
            yield chunk
            chunk, samples = [], 0
    if chunk:
        yield chunk


def _pixels(planes: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1).astype(np.uint8))


def _code(choices: Choices) -> ternary.Code:
    if choices.code == "polar":
        return ternary.polar_code(list_size=_POLAR_LIST_SIZE)
    return ternary.stc_code(constraint_height=choices.constraint_height)


def _scheme(choices: Choices) -> tuple[embed.CostFunction, embed.Recipe, int, int]:
    """Costs, recipe, and what the header says of the recipe: the partition's number and the field
    `segments`.
    """
    if choices.learned is None:
        return COSTS[choices.cost], embed.RECIPES[choices.scheme], SCHEMES.index(choices.scheme), 1
    _, cost, recipe = choices.learned
    if not recipe.shares:
        return cost, recipe, SCHEMES.index("plain"), 1
    return (
        cost,
        recipe,
        _MASKS,
        sum(share * _NIBBLE**place for place, share in enumerate(recipe.shares)),
    )


def _weights(field: int) -> tuple[int, ...]:
    """The weights of masks that the header's field holds; empty where it cannot be such."""
    nibbles = [field // _NIBBLE**place % _NIBBLE for place in range(recipes.MOST_MASKS)]
    count = nibbles.index(0) if 0 in nibbles else len(nibbles)
    return tuple(nibbles[:count]) if count > 1 and not any(nibbles[count:]) else ()


def _or_stumble(code: ternary.Code) -> ternary.Code:
    """The code, giving up at once where it finds no solution, without a search for what would
    fit.
    """

    def put(*arguments):
        try:
            return code.embed(*arguments)
        except InputError as error:
            raise _Stumbled from error

    return code._replace(embed=put)


def _planes(picture: images.Picture) -> tuple[np.ndarray, np.ndarray | None]:
    """The samples as float32 planes `[C, H, W]`, and which must not change because nobody sees
    them.
    """
    planes = np.ascontiguousarray(np.moveaxis(picture.pixels, -1, 0)).astype(np.float32)
    if picture.alpha is None or picture.alpha.all():
        return planes, None
    return planes, np.broadcast_to(picture.alpha == 0, planes.shape)


def _sizes(count: int) -> tuple[int, int, int]:
    salt = min(_RESERVED, max(count // 12, min(count // 6, 3 * _SALT_BITS)))
    header = min(_RESERVED, max(count // 8, min(count // 3, 3 * _HEADER_BITS)))
    return salt, header, count - salt - header


def _places(keys: secret.Keys, count: int) -> _Places:
    salt, header, _ = _sizes(count)
    public = secret.public_order(count)[:salt]
    taken = np.zeros(count, bool)
    taken[public] = True
    order = secret.order(keys.order, count)
    order = order[~taken[order]]
    return _Places(public, order[:header], order[header:])


def _room(
    places: _Places, planes: np.ndarray, wet: np.ndarray | None, choices: Choices, share: float
) -> int:
    """Bytes of message that take a share of what any code could hide, negative where none do."""
    cost, recipe, _, _ = _scheme(choices)
    bits = embed.capacity(places.body, planes, cost=cost, recipe=recipe, wet=wet)
    return int(share * bits) // 8 - secret.OVERHEAD_BYTES


class _Stumbled(Exception):
    """No solution was found with this order of the elements."""


def _attempt(
    shared: secret.Secret,
    covers: np.ndarray,
    wet: np.ndarray | None,
    packed: Sequence[bytes],
    choices: Choices,
    salts: Sequence[bytes],
) -> np.ndarray:
    """The stego planes `[B, C, H, W]` of covers of one shape and messages of one packed length,
    each with its salt.
    """
    (cost, recipe, number, segments), length = _scheme(choices), len(packed[0]) - 1
    with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        keys = list(pool.map(lambda salt: secret.derive(shared, salt), salts))
    places = [_places(own, covers[0].size) for own in keys]
    room = min(
        _room(where, planes, None if wet is None else wet[row], choices, _TRIED_SHARE)
        for row, (where, planes) in enumerate(zip(places, covers, strict=True))
    )
    if room < 0:
        raise InputError(
            "the cover cannot carry a message with these costs: too flat, saturated or "
            "transparent; take another"
        )
    if length > room:
        raise InputError(
            f"the message takes {length} bytes (after compression), and the cover carries at most "
            f"{room} "
            "with these costs; shorten it or take a larger cover"
        )
    layout = _STRIDED | number << 4 | (choices.constraint_height if choices.code == "stc" else 0)
    bodies = [
        secret.seal(own, message, layout=layout, segments=segments)
        for own, message in zip(keys, packed, strict=True)
    ]
    try:
        modifications, lengths = embed.embed_many(
            np.stack([where.body for where in places]),
            covers,
            np.stack([secret.to_bits(body) for body in bodies]),
            cost=cost,
            recipe=recipe,
            code=_or_stumble(_code(choices)),
            wet=wet,
        )
        costs = embed.costs_after(covers, modifications, cost=cost, recipe=recipe, wet=wet)
        stegos = (covers + modifications).reshape(len(covers), -1)
        for row, (own, where) in enumerate(zip(keys, places, strict=True)):
            upper = [pair[0] for pair in lengths[row]] + [0] * (secret.PHASES - len(lengths[row]))
            header = secret.write_header(
                own, secret.Header(layout, segments, len(bodies[row]), tuple(upper))
            )
            there = Costs(costs.plus[row], costs.minus[row])
            for part, data in ((where.salt, salts[row]), (where.header, header)):
                stegos[row, part] += _put(part, covers[row], there, secret.to_bits(data), own.signs)
    except InputError as error:
        raise _Stumbled from error
    return stegos.reshape(covers.shape)


def _put(
    part: np.ndarray, planes: np.ndarray, costs: Costs, bits: np.ndarray, signs: bytes
) -> np.ndarray:
    """Modifications of some elements that put bits in the syndrome of their lowest bits; ties in
    cost go by `signs`.
    """
    plus, minus = (rho.ravel()[part] for rho in costs)
    lowest = planes.ravel()[part].astype(np.uint8) & 1
    changed = stc.embed(lowest, np.minimum(plus, minus), bits) != lowest
    heads = np.frombuffer(secret.keystream(signs, part.size), np.uint8) & 1 == 1
    up = (plus < minus) | ((plus == minus) & heads & (plus < WET_COST))
    return np.where(changed, np.where(up, 1, -1), 0)


def _fits(part: np.ndarray, planes: np.ndarray, costs: Costs, length: int) -> bool:
    try:
        _put(part, planes, costs, np.arange(length, dtype=np.uint8) & 1, bytes(32))
    except InputError:
        return False
    return True


def _get(part: np.ndarray, values: np.ndarray, length: int) -> np.ndarray:
    return stc.extract((values[part] & 1).astype(np.uint8), message_length=length)


def _difference(cover: images.Picture, stego: images.Picture) -> np.ndarray:
    if cover.pixels.shape != stego.pixels.shape:
        sizes = [
            "{1}x{0} with {2} channels".format(*picture.pixels.shape) for picture in (cover, stego)
        ]
        raise InputError(
            f"the pictures differ in size or channels ({sizes[0]}, {sizes[1]}); compare a stego "
            "with its cover"
        )
    return stego.pixels.astype(np.int16) - cover.pixels
