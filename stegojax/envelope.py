"""Where a message's salt, header and body lie in a stego, whatever carries them: the wire format.

A carrier has N elements, numbered from 0, that take bits: the samples of all channels of a picture,
or the bits that networks write into one. A stego holds

    salt     in the first S elements of the public order
    header   in the first H of the others, in the keyed order
    body     in the rest, in the keyed order

What these three strings are, and the orders: `secret.py`. How elements take bits is the carrier's:
`write` and `read` are given functions for it.

By costs. The elements run plane by plane, row by row, and S = min(R, max(N // 12, min(N // 6,
384))), H = min(R, max(N // 8, min(N // 3, 672))), where R is 4096 for pixels and 16384 for the
coefficients of JPEG files: of each component, in the order of the file, rows of coefficients as
they lie in a plane, coefficient (u, v) of block (i, j) at [8 i + u, 8 j + v]. Salt and header are
binary syndromes of the lowest bits (constraint height 10, one segment). The body is embedded first,
phase by phase, in the two lowest bits; the header's `upper` says how many bits of each phase lie in
the upper layer. The header's layout byte is 16 times the partition's number plus the code's, plus
128 or not:

    partition  0 one lattice, 1 quarters, 2 checkerboard, 5 quarters of blocks of 8 x 8, 6 parts of
               such blocks (the recipes in `RECIPES`), 3 masks
    code       0 polar, 7 to 12 a syndrome-trellis code of that constraint height
    128        set in all that is written today: the lower layer takes the elements in strides, and
               lattices have a grain (`GRAIN`). Without it both layers take all elements as they
               come.

`segments` counts the independent trellises of the code, one in all that is written today. Of masks
it holds the weights instead, and there is one trellis: two to four weights of 1 to 15, four bits
each, the first mask's lowest, 0 for masks that there are not. Masks are consecutive parts of the
keyed order: of n elements the first k masks hold floor(n times the first k weights' sum / the sum
of all). They have no grain. Of the three parts of blocks, too, it holds weights, likewise: by them,
and not by their elements, the parts share the message.

By networks. The elements run as the networks take their bits: `[H, W, depth]` of a picture, or
block by block and bit by bit where a run hides so many bits in a picture of one size; a larger
picture is cut into such blocks from the top left. A run for grey pictures hides in each channel of
a colour picture by itself, and the channels' elements follow each other. S = 512 R and H = 1024 R,
where R is 1, 2, 4, 8 or 16, which the receiver tries. All strings are coded against errors
(`coding.correction`), salt and header in 512 and 1024 elements R times over, the body in all that
is left. The coded bits are added to a stream, the salt's to that of `PUBLIC_BITS_KEY` and the
others', in the order of their elements, to that of the key "signs": so the networks write fair
bits. The layout byte is 64, `segments` is 1, and the 16 bytes of `upper` say how much to trust the
networks' outputs (`correction.calibrate`).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from stegojax import secret
from stegojax.errors import InputError

SALT_BITS = 8 * secret.SALT_BYTES
HEADER_BITS = 8 * secret.HEADER_BYTES
PUBLIC_BITS_KEY = hashlib.sha256(b"stegojax 1 public bits").digest()

RECIPES = {"plain": 0, "cmd": 1, "synch": 2, "bbc": 5, "bbm": 6}
"""The number of the partition of every recipe of a domain."""
WEIGHTED = ("bbm",)
"""Recipes whose lattices carry by weights."""
MASKS = 3
"""The number of masks among partitions."""
MOST_MASKS, LARGEST_SHARE = secret.PHASES, 15
"""How many masks a header can describe, and the largest weight of one."""
GRAIN = 1024
"""Of quarters and checkerboards, each lattice is used up to a multiple of N // 1024 elements."""
BY_NETWORKS = 64
"""The layout byte where networks write."""
HEIGHTS = range(7, 13)
"""Constraint heights of the syndrome-trellis code that a header can tell."""

_STRIDED = 128
_NIBBLE = 16


class Sizes(NamedTuple):
    """How many elements a carrier has, and how many of them carry the salt and the header."""

    elements: int
    salt: int
    header: int


class Part(NamedTuple):
    """Elements that carry one string of bits.

    places: their numbers, in order.
    key:    whose stream may be added to the bits: a public one for the salt, which is read before
            there are keys, "signs" for the others.
    first:  where in that stream the part begins, in bits.
    """

    places: np.ndarray
    key: bytes
    first: int


class Layout(NamedTuple):
    """How a body lies in elements that have costs, as its header says.

    recipe:   a name in `RECIPES`, "" for masks.
    shares:   the masks' weights, or those of a weighted recipe's lattices; empty for others.
    height:   constraint height of the syndrome-trellis code, 0 for polar codes.
    segments: independent trellises.
    strided:  whether the two layers take the elements in two orders, and lattices have a grain.
    """

    recipe: str
    shares: tuple[int, ...] = ()
    height: int = 0
    segments: int = 1
    strided: bool = True


def check_shares(shares: Sequence[int]) -> None:
    """Refuses masks that a header cannot describe.

    Args:
      shares: their weights.

    Raises:
      InputError: there are too many or too few, or a weight is out of range.
    """
    if not 1 <= len(shares) <= MOST_MASKS or not all(
        share == int(share) and 1 <= share <= LARGEST_SHARE for share in shares
    ):
        raise InputError(
            f"the shares of the sub-images are one to {MOST_MASKS} whole numbers from 1 to "
            f"{LARGEST_SHARE}, such as 3, 7 for 30 % and 70 %; got {tuple(shares)}"
        )


def described(layout: Layout) -> tuple[int, int]:
    """A layout as the header holds it.

    Args:
      layout: what `described` in reverse, `layout_of`, shall give.

    Returns:
      The layout byte and the field `segments`.

    Raises:
      InputError: the header cannot describe these masks.
    """
    number, segments = RECIPES.get(layout.recipe, MASKS), layout.segments
    if layout.shares:
        check_shares(layout.shares)
        segments = sum(share * _NIBBLE**place for place, share in enumerate(layout.shares))
    return _STRIDED * layout.strided + _NIBBLE * number + layout.height, segments


def layout_of(header: secret.Header) -> Layout:
    """The layout that a header describes.

    Args:
      header: as read.

    Returns:
      The layout.

    Raises:
      InputError: there is no such layout.
    """
    number, height = divmod(header.layout % _STRIDED, _NIBBLE)
    shares, strided = _shares(header.segments), header.layout >= _STRIDED
    if height and height not in HEIGHTS or header.segments < 1:
        raise InputError(secret.NO_MESSAGE)
    name = {known: name for name, known in RECIPES.items()}.get(number, "")
    if name and name not in WEIGHTED:
        return Layout(name, (), height, header.segments, strided)
    if not shares or not name and number != MASKS:
        raise InputError(secret.NO_MESSAGE)
    return Layout(name, shares, height, 1, strided)


def _shares(field: int) -> tuple[int, ...]:
    """The weights of masks that the header's field holds; empty where it cannot be such."""
    nibbles = [field // _NIBBLE**place % _NIBBLE for place in range(MOST_MASKS)]
    count = nibbles.index(0) if 0 in nibbles else len(nibbles)
    return tuple(nibbles[:count]) if count > 1 and not any(nibbles[count:]) else ()


@functools.lru_cache(maxsize=16)
def salt_part(sizes: Sizes) -> Part:
    """The elements of the salt, which anybody can compute.

    Args:
      sizes: of the carrier.

    Returns:
      The part.
    """
    places = secret.public_order(sizes.elements)[: sizes.salt].copy()
    places.flags.writeable = False
    return Part(places, PUBLIC_BITS_KEY, 0)


def keyed_parts(keys: secret.Keys, sizes: Sizes) -> tuple[Part, Part]:
    """The elements of header and body.

    Args:
      keys: of the stego.
      sizes: of the carrier.

    Returns:
      Both parts; with the salt's they are all elements.
    """
    taken = np.zeros(sizes.elements, bool)
    taken[salt_part(sizes).places] = True
    order = secret.order(keys.order, sizes.elements)
    order = order[~taken[order]]
    return (
        Part(order[: sizes.header], keys.signs, 0),
        Part(order[sizes.header :], keys.signs, sizes.header),
    )


def stream(part: Part) -> np.ndarray:
    """The bits of a part's stream, one for each of its elements.

    Args:
      part: from `salt_part` or `keyed_parts`.

    Returns:
      `[n]` uint8.
    """
    last = part.first + part.places.size
    return secret.to_bits(secret.keystream(part.key, -(-last // 8)))[part.first : last]


def known(keys: secret.Keys, salt: bytes) -> Callable[[bytes], secret.Keys]:
    """What `read` is given by who has written a stego and looks whether it can be read.

    Args:
      keys: of the stego.
      salt: that they were derived with.

    Returns:
      `salt -> keys`, which raises `InputError` for any other salt.
    """

    def keys_of(read_salt: bytes) -> secret.Keys:
        if read_salt != salt:
            raise InputError(secret.NO_MESSAGE)
        return keys

    return keys_of


def write(
    keys: Sequence[secret.Keys],
    salts: Sequence[bytes],
    packed: Sequence[bytes],
    *,
    sizes: Sizes,
    layout: int,
    segments: int,
    put_bodies: Callable[[list[Part], np.ndarray], Sequence[Sequence[int]]],
    put: Callable[[int, Part, np.ndarray], None],
) -> None:
    """Puts messages of one length into carriers of one size, side by side.

    Args:
      keys: of each carrier; they must not have sealed anything else.
      salts: that the keys were derived with.
      packed: messages from `secret.pack`, of one length.
      sizes: of every carrier.
      layout, segments: what the headers say.
      put_bodies: `(parts, bits [B, M]) -> upper`: puts every body into its carrier and gives the
        numbers that the header's `upper` begins with.
      put: `(which carrier, part, bits)`: puts a salt or a header into a carrier; the body is there
        already.
    """
    parts = [keyed_parts(own, sizes) for own in keys]
    bodies = [
        secret.seal(own, message, layout=layout, segments=segments)
        for own, message in zip(keys, packed, strict=True)
    ]
    upper = put_bodies(
        [body for _, body in parts], np.stack([secret.to_bits(body) for body in bodies])
    )
    for number, (own, salt, body) in enumerate(zip(keys, salts, bodies, strict=True)):
        said = (*upper[number], *(0,) * (secret.PHASES - len(upper[number])))
        header = secret.write_header(own, secret.Header(layout, segments, len(body), said))
        put(number, salt_part(sizes), secret.to_bits(salt))
        put(number, parts[number][0], secret.to_bits(header))


def read(
    keys_of: Callable[[bytes], secret.Keys],
    *,
    sizes: Sizes,
    get: Callable[[Part, int], np.ndarray],
    get_body: Callable[[Part, secret.Header], np.ndarray],
) -> bytes:
    """Reads the message that `write` put into a carrier.

    Args:
      keys_of: salt -> keys: `secret.derive` under the secret, or what `known` gives.
      sizes: of the carrier.
      get: `(part, M) -> bits [M]`: reads a salt or a header.
      get_body: `(part, header) -> bits`: reads the body that the header describes. A `ValueError`
        that it raises means that there is none.

    Returns:
      The message, exactly.

    Raises:
      InputError: there is no message for this secret, or it is of a later format.
    """
    salt = secret.to_bytes(get(salt_part(sizes), SALT_BITS))
    keys = keys_of(salt)
    header_part, body_part = keyed_parts(keys, sizes)
    header = secret.read_header(keys, secret.to_bytes(get(header_part, HEADER_BITS)))
    try:
        body = secret.to_bytes(get_body(body_part, header))
    except ValueError as error:
        raise InputError(secret.NO_MESSAGE) from error
    return secret.unseal(keys, body, header)
