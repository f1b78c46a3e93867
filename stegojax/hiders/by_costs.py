"""Hiding any file in a cover by costs and codes, and getting it back with the key alone.

The costs are computed, or learned by a run; the receiver needs neither. Elements that a cover
freezes, such as the colour of fully transparent pixels, are never changed.
"""

from __future__ import annotations

import functools
import os
import secrets
from collections.abc import Sequence
from concurrent import futures
from typing import TYPE_CHECKING

from stegojax import domains, embed, envelope, progress, secret
from stegojax.errors import InputError
from stegojax.hiders import comparison, element_channel
from stegojax.hiders.contract import Capacity, Hider, Options, Stego, refuse
from stegojax.hiders.element_channel import LOWEST_ELEMENTS, Choices
from stegojax.types import Costs, Cover, Domain

if TYPE_CHECKING:
    from stegojax import run

_SALTS = 16
_LITERATURE_RATE = 0.4


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
        domain = options.domain
        scheme = embed.parse_scheme(options.scheme or domain.scheme, domain=domain)
    else:
        from stegojax import run  # with all networks, which computed costs do not need

        scheme = run.scheme_of(loaded)
    given = {name: getattr(options, name) for name in ("code", "constraint_height")}
    said = {name: value for name, value in given.items() if value is not None}
    return checked(Choices(scheme, **said, domain=scheme.domain))


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
        figures = comparison.compare(cover, stego, domain=choices.domain)
        changes = comparison.in_words(figures, domain=choices.domain)
        return Stego(stego, f"{len(message)} bytes hidden with {changes}")

    return Hider(
        takes_cover=True,
        takes_secret=True,
        hide=hide_and_say,
        reveal=functools.partial(reveal, domain=choices.domain),
        capacity=functools.partial(capacity, choices=choices),
        domain=choices.domain,
    )


def capacity(cover: Cover, *, choices: Choices) -> Capacity:
    """What a cover can carry.

    Args:
      cover: the cover.
      choices: how to embed.

    Returns:
      The capacity.
    """
    words = choices.domain.words
    progress.doing("costs")
    most = element_channel.most_bytes(cover, choices=choices)
    if most < 0:
        return Capacity(cover.elements, words.elements, None)
    usual = int(_LITERATURE_RATE * choices.domain.weight(cover)) // 8 - secret.OVERHEAD_BYTES
    usual = max(0, usual)
    return Capacity(
        cover.elements,
        words.elements,
        most,
        (
            f"carries up to {most} bytes ({choices.scheme.name}, after compression)",
            f"{min(usual, most)} bytes at {_LITERATURE_RATE} {words.rate}; the fewer, the harder "
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

    def make(version, numbers):
        own = choices._replace(scheme=version)
        return [_hide(shared, cover, message, own, salt) for _ in numbers]

    [stego] = embed.until_accepted(make, 1, scheme=choices.scheme)
    return stego


def _hide(
    shared: secret.Secret, cover: Cover, message: bytes, choices: Choices, salt: bytes | None
) -> Cover:
    """`hide` by one recipe."""
    if cover.elements < LOWEST_ELEMENTS:
        raise InputError(
            f"the cover has {cover.elements} {choices.domain.words.elements} and cannot carry a "
            f"message; take one of {LOWEST_ELEMENTS} or more"
        )
    progress.doing("costs")
    packed, first = secret.pack(message), element_channel.first_costs([cover], choices=choices)
    # Where much of a cover is wet, a code may stumble over the order of the elements: another salt
    # is another order.
    for _ in range(1 if salt else _SALTS):
        try:
            salts = [salt or secrets.token_bytes(secret.SALT_BYTES)]
            return _hidden(shared, [cover], [packed], salts, first, choices)[0]
        except element_channel.Stumbled:
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
    stegos: dict[int, Cover | InputError] = {}
    packed = [secret.pack(message) for message in messages]
    alike: dict[tuple, list[int]] = {}
    for row, cover in enumerate(covers):
        if cover.elements >= LOWEST_ELEMENTS:
            alike.setdefault((cover.shapes, len(packed[row])), []).append(row)
    for rows in alike.values():
        if len(rows) > 1 and not choices.scheme.alternatives:
            given = [covers[row] for row in rows]
            first = element_channel.first_costs(given, choices=choices)
            salts = [secrets.token_bytes(secret.SALT_BYTES) for _ in rows]
            try:
                together = _hidden(
                    shared, given, [packed[row] for row in rows], salts, first, choices
                )
            except (element_channel.Stumbled, InputError):
                continue  # one of them does not take its message: each by itself, below
            stegos |= dict(zip(rows, together, strict=True))
    for row, (cover, message) in enumerate(zip(covers, messages, strict=True)):
        if row not in stegos:
            try:
                stegos[row] = hide(shared, cover, message, choices=choices)
            except InputError as error:
                stegos[row] = error
    return [stegos[row] for row in range(len(covers))]


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
    return element_channel.read(functools.partial(secret.derive, shared), stego, domain=domain)


def _hidden(
    shared: secret.Secret,
    covers: Sequence[Cover],
    packed: Sequence[bytes],
    salts: Sequence[bytes],
    first: Costs,
    choices: Choices,
) -> list[Cover]:
    """The stegos of covers of one shape and messages of one packed length, each with its salt,
    read back.
    """
    with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        keys = list(pool.map(lambda salt: secret.derive(shared, salt), salts))
    progress.doing("coding")
    stegos = element_channel.write(keys, salts, packed, covers, first, choices=choices)
    progress.doing("checking that the message comes back")
    for own, salt, message, stego in zip(keys, salts, packed, stegos, strict=True):
        _check_it_comes_back(own, salt, message, stego, choices.domain)
    return stegos


def _check_it_comes_back(
    keys: secret.Keys, salt: bytes, packed: bytes, stego: Cover, domain: Domain
) -> None:
    try:
        message = element_channel.read(envelope.known(keys, salt), stego, domain=domain)
        comes_back = secret.pack(message) == packed
    except InputError:
        comes_back = False
    if not comes_back:
        raise InputError(
            "the stego does not give the message back, and was not handed out: a fault of this "
            "machine or of stegojax; try again, and report it if it stays"
        )
