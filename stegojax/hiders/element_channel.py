"""The channel of bits that a cover's elements are: they take bits at a cost, and give them back to
whoever has the key.

What lies where, and what a header says: `envelope.py`, "By costs".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from stegojax import domains, embed, envelope, recipes, secret
from stegojax.coding import parity_check, stc, ternary
from stegojax.errors import InputError
from stegojax.types import WET_COST, Costs, Cover, Domain

LOWEST_ELEMENTS = 768
"""Fewer do not hold salt, header and a tag."""

_POLAR_LIST_SIZE = 8
# Of what any code could hide (`embed.capacity`): what is promised, and no more is attempted.
_SHARE = embed.CODED
_SURELY = 0.9
_ORDERS = 4
_HEIGHT = 10  # of the code of salt and header


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


class Stumbled(Exception):
    """No solution was found with this order of the elements."""


def first_costs(covers: Sequence[Cover], *, choices: Choices) -> Costs:
    """The costs that the first visit sees, which `write` needs.

    Args:
      covers: of one shape.
      choices: how to embed.

    Returns:
      Costs `[B, N]`.
    """
    return embed.first_costs(covers, scheme=choices.scheme, domain=choices.domain)


def most_bytes(cover: Cover, *, choices: Choices) -> int:
    """How long a message may be.

    Args:
      cover: the cover.
      choices: how to embed.

    Returns:
      Bytes (after compression) that fit, negative where not even an empty message does.
    """
    if cover.elements < LOWEST_ELEMENTS:
        return -1
    costs, visits = first_costs([cover], choices=choices), choices.scheme.recipe.visits
    sizes, order = _sizes(cover.elements, choices.domain), secret.public_order(cover.elements)
    salt, rest = order[: sizes.salt], order[sizes.salt :]
    most = _promised(cover, _one(costs, 0), choices)
    if visits[-1].adjust is not visits[0].adjust:
        unchanged = np.zeros((1, cover.elements), np.int8)
        costs = embed.costs_after([cover], unchanged, scheme=choices.scheme, domain=choices.domain)
    headers = [
        rest[begin : begin + sizes.header]
        for begin in range(0, rest.size - sizes.header, sizes.header)
    ][:_ORDERS]
    values, last = cover.flat(), _one(costs, 0)
    if _fits(salt, values, last, envelope.SALT_BITS) and any(
        _fits(part, values, last, envelope.HEADER_BITS) for part in headers
    ):
        return most
    return -1


def write(
    keys: Sequence[secret.Keys],
    salts: Sequence[bytes],
    packed: Sequence[bytes],
    covers: Sequence[Cover],
    first: Costs,
    *,
    choices: Choices,
) -> list[Cover]:
    """Puts messages of one length into covers of one shape, together.

    Args:
      keys: of each cover; they must not have sealed anything else.
      salts: that the keys were derived with.
      packed: messages from `secret.pack`.
      covers: the covers.
      first: their `first_costs`.
      choices: how to embed.

    Returns:
      The stegos, whose elements differ from the covers' by at most 1.

    Raises:
      InputError: a message does not fit into its cover.
      Stumbled: it could fit, but not in the order of these keys.
    """
    values = np.stack([cover.flat() for cover in covers])
    stegos, last = values.copy(), first
    how = {"scheme": choices.scheme, "domain": choices.domain}
    length = 8 * (len(packed[0]) + secret.TAG_BYTES)
    weights = _weights(covers[0], first, length, choices)
    layout, segments = _layout(choices, weights)

    def put_bodies(parts, bodies):
        nonlocal last
        carriers = [
            _carriers(part.places, cover, choices)
            for part, cover in zip(parts, covers, strict=True)
        ]
        _check_room(carriers, covers, first, len(packed[0]) - 1, choices, weights)
        modifications, lengths = embed.embed_many(
            carriers, covers, bodies, code=_code(choices), first=first, weights=weights, **how
        )
        stegos[:] += modifications
        # Costs that no modification moves are known already.
        if any(visit.adjust is not recipes.no_adjustment for visit in choices.scheme.recipe.visits):
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
        sizes=_sizes(covers[0].elements, choices.domain),
        layout=layout,
        segments=segments,
        put_bodies=put_bodies,
        put=put,
    )
    return [cover.with_elements(stego) for cover, stego in zip(covers, stegos, strict=True)]


def read(keys_of: Callable[[bytes], secret.Keys], stego: Cover, *, domain: Domain) -> bytes:
    """Reads the message that `write` put into a cover.

    Args:
      keys_of: salt -> keys, as for `envelope.read`.
      stego: the elements as they were written.
      domain: of the stego.

    Returns:
      The message, exactly.

    Raises:
      InputError: there is no message for these keys.
    """
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
        weights = layout.shares if layout.recipe else ()
        shares = embed.shares(carriers, length, weights=weights)
        lengths = tuple((upper, share - upper) for upper, share in zip(header.upper, shares))
        code = ternary.polar_code()
        if layout.height:
            code = ternary.stc_code(constraint_height=layout.height, segments=layout.segments)
        order = "strided" if layout.strided else "same"
        return embed.reveal(carriers, values, lengths, code=code, order=order)

    sizes = _sizes(values.size, domain)
    return envelope.read(keys_of, sizes=sizes, get=get, get_body=get_body)


def _one(costs: Costs, row: int) -> Costs:
    return Costs(*(rho[row] for rho in costs))


def _sizes(elements: int, domain: Domain) -> envelope.Sizes:
    most = domain.reserved
    salt = min(most, max(elements // 12, min(elements // 6, 3 * envelope.SALT_BITS)))
    header = min(most, max(elements // 8, min(elements // 3, 3 * envelope.HEADER_BITS)))
    return envelope.Sizes(elements, salt, header)


def _carriers(body: np.ndarray, cover: Cover, choices: Choices) -> list[np.ndarray]:
    recipe = choices.scheme.recipe
    return embed.carriers(body, cover.shapes, recipe=recipe, grain=envelope.GRAIN)


def _room(carriers: Sequence[np.ndarray], first: Costs, weights: Sequence[int]) -> int:
    """Bytes of message that fit, negative where none do."""
    most = embed.capacity(carriers, first, weights=weights)
    return int(_SHARE * most) // 8 - secret.OVERHEAD_BYTES


def _weights(cover: Cover, costs_BN: Costs, length: int, choices: Choices) -> tuple[int, ...]:
    recipe = choices.scheme.recipe
    return embed.share_weights(cover.shapes, costs_BN, length, recipe=recipe)


def _layout(choices: Choices, weights: tuple[int, ...] = ()) -> tuple[int, int]:
    """What the header says of the choices: the layout byte and the field `segments`."""
    recipe, height = choices.scheme.recipe, choices.constraint_height
    height = height if choices.code == "stc" else 0
    if recipe.shares:
        return envelope.described(envelope.Layout("", recipe.shares, height))
    for name in envelope.RECIPES:
        known = choices.domain.recipes.get(name)
        if known is not None and known.partition is recipe.partition:
            return envelope.described(envelope.Layout(name, weights, height))
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
            raise Stumbled from error

    return code._replace(embed=embed_or_stumble)


def _promised(cover: Cover, first: Costs, choices: Choices) -> int:
    """Bytes of message that fit, by the public order: the same whatever the key."""
    sizes, order = _sizes(cover.elements, choices.domain), secret.public_order(cover.elements)
    carriers = _carriers(order[sizes.salt + sizes.header :], cover, choices)
    every = Costs(*(rho[None] for rho in first))
    return _room(carriers, first, _weights(cover, every, 2 * cover.elements, choices))


def _check_room(
    carriers: Sequence[Sequence[np.ndarray]],
    covers: Sequence[Cover],
    first: Costs,
    length: int,
    choices: Choices,
    weights: tuple[int, ...],
) -> None:
    room = min(_room(parts, _one(first, row), weights) for row, parts in enumerate(carriers))
    if length > _SURELY * room:  # by this key's order; what is promised is by no key's
        room = min(_promised(cover, _one(first, row), choices) for row, cover in enumerate(covers))
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
        raise Stumbled from error
    heads = np.frombuffer(secret.keystream(signs, places.size), np.uint8) & 1 == 1
    up = (plus < minus) | ((plus == minus) & heads & (plus < WET_COST))
    return np.where(changed, np.where(up, 1, -1), 0)


def _fits(places: np.ndarray, values: np.ndarray, costs: Costs, length: int) -> bool:
    wet = np.minimum(*(rho[places] for rho in costs)) >= WET_COST
    if parity_check.fits(wet, length, _HEIGHT):
        return True  # in any case, so nothing need be coded
    try:
        _syndrome_changes(places, values, costs, np.arange(length, dtype=np.uint8) & 1, bytes(32))
    except Stumbled:
        return False
    return True


def _lowest_bits(values: np.ndarray) -> np.ndarray:
    return (values.astype(np.int32) & 1).astype(np.uint8)


def _recipe(layout: envelope.Layout, domain: Domain) -> recipes.Recipe:
    if layout.shares and not layout.recipe:
        return recipes.masks(layout.shares, [recipes.no_adjustment] * len(layout.shares))
    if layout.recipe not in domain.recipes:
        raise InputError(secret.NO_MESSAGE)
    return domain.recipes[layout.recipe]
