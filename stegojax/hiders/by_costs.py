"""Hiding any file in a cover by costs and codes, and getting it back with the key alone.

The costs are computed, or learned by a run; the receiver needs neither. Where salt, header and body
lie, and what the header says: `envelope.py`, "By costs". Elements that a cover freezes, such as the
colour of fully transparent pixels, are never changed.
"""

from __future__ import annotations

import functools
import math
import os
import secrets
from collections.abc import Sequence
from concurrent import futures
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stegojax import domains, embed, envelope, recipes, secret
from stegojax.coding import stc, ternary
from stegojax.errors import InputError
from stegojax.hiders import comparison
from stegojax.hiders.contract import Capacity, Hider, Options, Stego, refuse
from stegojax.types import WET_COST, Costs, Cover, Domain

if TYPE_CHECKING:
    from stegojax import run

LOWEST_ELEMENTS = 768
"""Fewer do not hold salt, header and a tag."""

_RESERVED = 4096
_POLAR_LIST_SIZE = 8
# Of what any code could hide (`embed.capacity`): what ours always did, and what is attempted.
_SAFE_SHARE = 0.5
_TRIED_SHARE = 0.55
_SALTS = 16
_ORDERS = 4
_LITERATURE_RATE = 0.4


class Choices(NamedTuple):
    """How to embed. All but the costs is written in the header; the receiver need not be told.

    scheme:            costs and recipe.
    code:              "stc" or "polar".
    constraint_height: of the syndrome-trellis code, 7..12; polar codes do not use it.
    domain:            of the covers.
    """

    scheme: embed.Scheme
    code: str = "stc"
    constraint_height: int = 10
    domain: Domain = domains.PIXELS


class _Batch(NamedTuple):
    """Covers of one shape, and the costs `[B, N]` that the first visit of the scheme sees."""

    covers: Sequence[Cover]
    first: Costs


class _Stumbled(Exception):
    """No solution was found with this order of the elements."""


def choices_of(loaded: run.Loaded | None, options: Options) -> Choices:
    """What options ask for.

    Args:
      loaded: a run that has learned costs; None for costs that are computed.
      options: as a person gave them.

    Returns:
      The choices.

    Raises:
      InputError: an option is unknown or does not go with the others, or the run has no costs.
    """
    if loaded is not None:
        refuse(options, "scheme")
    if options.code == "polar" and options.constraint_height is not None:
        raise InputError(
            "--constraint-height belongs to the stc code; leave it out with --code polar"
        )
    if loaded is None:
        scheme = embed.parse_scheme(options.scheme or embed.DEFAULT_SCHEME, domain=options.domain)
    else:
        from stegojax import run  # with all networks, which computed costs do not need

        scheme = run.scheme_of(loaded)
    given = {name: getattr(options, name) for name in ("code", "constraint_height")}
    said = {name: value for name, value in given.items() if value is not None}
    return checked(Choices(scheme, **said, domain=options.domain))


def checked(choices: Choices) -> Choices:
    """Refuses codes that there are not.

    Args:
      choices: how to embed.

    Returns:
      The same.

    Raises:
      InputError: one is unknown; the message lists those that are known.
    """
    for value, known, what in (
        (choices.code, ("stc", "polar"), "code"),
        (choices.constraint_height, envelope.HEIGHTS, "constraint height"),
    ):
        if value not in known:
            raise InputError(
                f"unknown {what} {value!r}; choose one of {', '.join(map(str, known))}"
            )
    return choices


def hider(loaded: run.Loaded | None, options: Options) -> Hider:
    """What hides by costs.

    Args:
      loaded: a run that has learned costs; None for costs that are computed.
      options: as a person gave them.

    Returns:
      The hider.

    Raises:
      InputError: as `choices_of`.
    """
    choices = choices_of(loaded, options)

    def hide_and_say(shared, cover, message):
        stego = hide(shared, cover, message, choices=choices)
        changes = comparison.in_words(comparison.compare(cover, stego))
        return Stego(stego, f"{len(message)} bytes hidden with {changes}")

    return Hider(
        takes_cover=True,
        takes_secret=True,
        hide=hide_and_say,
        reveal=functools.partial(reveal, domain=choices.domain),
        capacity=functools.partial(capacity, choices=choices),
    )


def capacity(cover: Cover, *, choices: Choices) -> Capacity:
    """What a cover can carry.

    Args:
      cover: the cover.
      choices: how to embed.

    Returns:
      The capacity.
    """
    nothing = Capacity(cover.elements, "samples", None)
    if nothing.elements < LOWEST_ELEMENTS:
        return nothing
    sizes, unchanged = _sizes(nothing.elements), np.zeros((1, nothing.elements), np.int8)
    how = {"scheme": choices.scheme, "domain": choices.domain}
    first, last = (
        _one(costs, 0)
        for costs in (
            embed.first_costs([cover], **how),
            embed.costs_after([cover], unchanged, **how),
        )
    )
    values, order = cover.flat(), secret.public_order(sizes.elements)
    salt, rest = order[: sizes.salt], order[sizes.salt :]
    most = _room(_carriers(rest[sizes.header :], cover, choices), first, _SAFE_SHARE)
    headers = [
        rest[begin : begin + sizes.header]
        for begin in range(0, rest.size - sizes.header, sizes.header)
    ][:_ORDERS]
    if (
        most < 0
        or not _fits(salt, values, last, envelope.SALT_BITS)
        or not any(_fits(part, values, last, envelope.HEADER_BITS) for part in headers)
    ):
        return nothing
    usual = max(0, int(_LITERATURE_RATE * sizes.elements) // 8 - secret.OVERHEAD_BYTES)
    return nothing._replace(
        most=most,
        said=(
            f"carries up to {most} bytes ({choices.scheme.name}, after compression)",
            f"{min(usual, most)} bytes at {_LITERATURE_RATE} bits a sample; the fewer, the harder "
            "to detect",
        ),
    )


def hide(
    shared: secret.Secret,
    cover: Cover,
    message: bytes,
    *,
    choices: Choices,
    salt: bytes | None = None,
) -> Cover:
    """Hides a message in a cover; it has been read back from what is returned.

    Args:
      shared: password or key.
      cover: the cover.
      message: any bytes, none included.
      choices: how to embed.
      salt: 16 bytes; by default fresh ones from the operating system. The same secret and salt must
        never be used for two messages.

    Returns:
      The stego, whose elements differ from the cover's by at most 1.

    Raises:
      InputError: the message does not fit, or a choice is unknown.
    """
    checked(choices)
    elements = cover.elements
    if elements < LOWEST_ELEMENTS:
        raise InputError(
            f"the cover has {elements} samples and cannot carry a message; take one of "
            f"{LOWEST_ELEMENTS} or more"
        )
    packed, batch = secret.pack(message), _batch([cover], choices)
    # Where much of a cover is wet, a code may stumble over the order of the elements: another salt
    # is another order.
    for _ in range(1 if salt else _SALTS):
        try:
            salts = [salt or secrets.token_bytes(secret.SALT_BYTES)]
            return _embedded(shared, [cover], batch, [packed], salts, choices)[0]
        except _Stumbled:
            pass
    raise InputError(
        f"the message takes {len(packed) - 1} bytes (after compression), which do not fit: too "
        "much of the cover is saturated, flat or transparent; shorten it or take another cover"
    )


def hide_batch(
    shared: secret.Secret, covers: Sequence[Cover], messages: Sequence[bytes], *, choices: Choices
) -> list[Cover | InputError]:
    """Hides a message in each of several covers; those of one size with messages of one length
    are embedded into together.

    Args:
      shared: password or key.
      covers: the covers.
      messages: one for each.
      choices: how to embed.

    Returns:
      For every cover the stego, as `hide` gives it, or the error that `hide` raises.

    Raises:
      InputError: a choice is unknown.
    """
    checked(choices)
    stegos: list[Cover | InputError | None] = [None] * len(covers)
    packed = [secret.pack(message) for message in messages]
    alike: dict[tuple, list[int]] = {}
    for row, cover in enumerate(covers):
        if cover.elements >= LOWEST_ELEMENTS:
            alike.setdefault((cover.shapes, len(packed[row])), []).append(row)
    for rows in alike.values():
        if len(rows) > 1:
            given = [covers[row] for row in rows]
            salts = [secrets.token_bytes(secret.SALT_BYTES) for _ in rows]
            try:
                done = _embedded(
                    shared,
                    given,
                    _batch(given, choices),
                    [packed[row] for row in rows],
                    salts,
                    choices,
                )
            except (_Stumbled, InputError):
                continue  # one of them does not take its message: each by itself, below
            for row, stego in zip(rows, done, strict=True):
                stegos[row] = stego
    for row, stego in enumerate(stegos):
        if stego is None:
            try:
                stegos[row] = hide(shared, covers[row], messages[row], choices=choices)
            except InputError as error:
                stegos[row] = error
    return stegos


def reveal(shared: secret.Secret, stego: Cover, *, domain: Domain = domains.PIXELS) -> bytes:
    """Reads the message that `hide` put into a cover.

    Args:
      shared: password or key.
      stego: the elements as they were written.
      domain: of the stego.

    Returns:
      The message, exactly.

    Raises:
      InputError: there is no message for this secret; nothing tells a wrong secret from a picture
        without or with a damaged message.
    """
    return _read(functools.partial(secret.derive, shared), stego, domain)


def _batch(covers: Sequence[Cover], choices: Choices) -> _Batch:
    return _Batch(covers, embed.first_costs(covers, scheme=choices.scheme, domain=choices.domain))


def _one(costs: Costs, row: int) -> Costs:
    return Costs(*(rho[row] for rho in costs))


def _sizes(elements: int) -> envelope.Sizes:
    salt = min(_RESERVED, max(elements // 12, min(elements // 6, 3 * envelope.SALT_BITS)))
    header = min(_RESERVED, max(elements // 8, min(elements // 3, 3 * envelope.HEADER_BITS)))
    return envelope.Sizes(elements, salt, header)


def _carriers(body: np.ndarray, cover: Cover, choices: Choices) -> list[np.ndarray]:
    recipe = choices.scheme.recipe
    return embed.carriers(body, cover.shapes, recipe=recipe, grain=envelope.GRAIN)


def _room(carriers: Sequence[np.ndarray], first: Costs, share: float) -> int:
    """Bytes of message that take a share of what any code could hide, negative where none do."""
    return int(share * embed.capacity(carriers, first)) // 8 - secret.OVERHEAD_BYTES


def _layout(choices: Choices) -> tuple[int, int]:
    """What the header says of the choices: the layout byte and the field `segments`."""
    recipe, height = choices.scheme.recipe, choices.constraint_height
    height = height if choices.code == "stc" else 0
    if recipe.shares:
        return envelope.described(envelope.Layout("", recipe.shares, height))
    for name in envelope.RECIPES:
        if choices.domain.recipes[name].partition is recipe.partition:
            return envelope.described(envelope.Layout(name, (), height))
    raise InputError(f"no header can tell the receiver how {choices.scheme.name} divides the cover")


def _code(choices: Choices) -> ternary.Code:
    """The code, giving up at once where it finds no solution, without a search for what fits."""
    code = (
        ternary.polar_code(list_size=_POLAR_LIST_SIZE)
        if choices.code == "polar"
        else ternary.stc_code(constraint_height=choices.constraint_height)
    )

    def embed_or_stumble(*arguments):
        try:
            return code.embed(*arguments)
        except InputError as error:
            raise _Stumbled from error

    return code._replace(embed=embed_or_stumble)


def _embedded(
    shared: secret.Secret,
    covers: Sequence[Cover],
    batch: _Batch,
    packed: Sequence[bytes],
    salts: Sequence[bytes],
    choices: Choices,
) -> list[Cover]:
    """The stegos of covers of one shape and messages of one packed length, each with its salt,
    read back.
    """
    with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        keys = list(pool.map(lambda salt: secret.derive(shared, salt), salts))
    sizes = _sizes(covers[0].elements)
    values = np.stack([cover.flat() for cover in covers])
    stegos, last = values.copy(), batch.first
    layout, segments = _layout(choices)

    def put_bodies(parts, bodies):
        nonlocal last
        carriers = [
            _carriers(part.places, cover, choices)
            for part, cover in zip(parts, covers, strict=True)
        ]
        _check_room(carriers, batch, len(packed[0]) - 1)
        how = {"scheme": choices.scheme, "domain": choices.domain}
        modifications, lengths = embed.embed_many(
            carriers, covers, bodies, code=_code(choices), first=batch.first, **how
        )
        stegos[:] += modifications
        last = embed.costs_after(covers, modifications, **how)
        return [[upper for upper, _ in pairs] for pairs in lengths]

    def put(row, part, bits):
        stegos[row, part.places] += _syndrome_changes(
            part.places, values[row], _one(last, row), bits, keys[row].signs
        )

    envelope.write(
        keys,
        salts,
        packed,
        sizes=sizes,
        layout=layout,
        segments=segments,
        put_bodies=put_bodies,
        put=put,
    )
    written = [cover.with_elements(values) for cover, values in zip(covers, stegos, strict=True)]
    for own, salt, message, stego in zip(keys, salts, packed, written, strict=True):
        _check_it_comes_back(own, salt, message, stego, choices.domain)
    return written


def _check_room(carriers: Sequence[Sequence[np.ndarray]], batch: _Batch, length: int) -> None:
    room = min(
        _room(parts, _one(batch.first, row), _TRIED_SHARE) for row, parts in enumerate(carriers)
    )
    if room < 0:
        raise InputError(
            "the cover cannot carry a message with these costs: too flat, saturated or "
            "transparent; take another"
        )
    if length > room:
        raise InputError(
            f"the message takes {length} bytes (after compression), and the cover carries at most "
            f"{room} with these costs; shorten it or take a larger cover"
        )


def _syndrome_changes(
    places: np.ndarray, values: np.ndarray, costs: Costs, bits: np.ndarray, signs: bytes
) -> np.ndarray:
    """Modifications of some elements that put bits in the syndrome of their lowest bits; ties in
    cost go by `signs`.
    """
    plus, minus = (rho[places] for rho in costs)
    lowest = _lowest_bits(values[places])
    try:
        changed = stc.embed(lowest, np.minimum(plus, minus), bits) != lowest
    except InputError as error:
        raise _Stumbled from error
    heads = np.frombuffer(secret.keystream(signs, places.size), np.uint8) & 1 == 1
    up = (plus < minus) | ((plus == minus) & heads & (plus < WET_COST))
    return np.where(changed, np.where(up, 1, -1), 0)


def _fits(places: np.ndarray, values: np.ndarray, costs: Costs, length: int) -> bool:
    try:
        _syndrome_changes(places, values, costs, np.arange(length, dtype=np.uint8) & 1, bytes(32))
    except _Stumbled:
        return False
    return True


def _lowest_bits(values: np.ndarray) -> np.ndarray:
    return (values.astype(np.int32) & 1).astype(np.uint8)


def _check_it_comes_back(
    keys: secret.Keys, salt: bytes, packed: bytes, stego: Cover, domain: Domain
) -> None:
    def keys_of(read):
        if read != salt:
            raise InputError(secret.NO_MESSAGE)
        return keys

    try:
        right = secret.pack(_read(keys_of, stego, domain)) == packed
    except InputError:
        right = False
    if not right:
        raise InputError(
            "the stego does not give the message back, and was not handed out: a fault of this "
            "machine or of stegojax; try again, and report it if it stays"
        )


def _read(keys_of, stego: Cover, domain: Domain) -> bytes:
    """The message in a stego; `keys_of` as for `envelope.read`."""
    values = stego.flat()
    if values.size < LOWEST_ELEMENTS:
        raise InputError(secret.NO_MESSAGE)

    def get(part, length):
        return stc.extract(_lowest_bits(values[part.places]), message_length=length)

    def get_body(part, header):
        layout, length = envelope.layout_of(header), 8 * header.length
        if length > values.size * math.log2(3):
            raise InputError(secret.NO_MESSAGE)
        carriers = embed.carriers(
            part.places,
            stego.shapes,
            recipe=_recipe(layout, domain),
            grain=envelope.GRAIN if layout.strided else 0,
        )
        shares = embed.shares(carriers, length)
        return embed.reveal(
            carriers,
            values,
            tuple((upper, share - upper) for upper, share in zip(header.upper, shares)),
            code=ternary.stc_code(constraint_height=layout.height, segments=layout.segments)
            if layout.height
            else ternary.polar_code(),
            order="strided" if layout.strided else "same",
        )

    return envelope.read(keys_of, sizes=_sizes(values.size), get=get, get_body=get_body)


def _recipe(layout: envelope.Layout, domain: Domain) -> recipes.Recipe:
    if layout.shares:
        return recipes.masks(layout.shares, [recipes.no_adjustment] * len(layout.shares))
    return domain.recipes[layout.recipe]
