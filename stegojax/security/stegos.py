"""What makes the stegos of the security protocol: a maker for every kind of source."""

from __future__ import annotations

import functools
import hashlib
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from stegojax import embed, envelope, images, probabilities, run
from stegojax.coding import lsbm, ternary
from stegojax.data import preprocess
from stegojax.data.cover_stego import match
from stegojax.domains import PIXELS
from stegojax.errors import InputError
from stegojax.images import rgb_to_ycbcr
from stegojax.security.covers import Covers, tiles
from stegojax.security.sources import SIMULATOR, Case
from stegojax.types import Cover, Key

MOST_OF_TRAINED = 1.5
"""Learned costs are used at payloads up to so many times the one that they were trained at."""


class Maker(NamedTuple):
    """What makes stegos.

    make: numbers of covers `[n]` -> their stegos, uint8 `[n, H, W]`.
    how:  what that is to be called.
    """

    make: Callable[[np.ndarray], np.ndarray]
    how: str


class _Task(NamedTuple):
    """What a maker is made of.

    case:    the source and its payload.
    covers:  all covers.
    section: `covers` of the protocol's config.
    words:   whole numbers from which everything random of this case follows.
    bits:    that a stego carries, where the payload is the protocol's to choose.
    """

    case: Case
    covers: Covers
    section: ml_collections.ConfigDict
    words: list[int]
    bits: int

    @property
    def key(self) -> Key:
        """The base key of this case."""
        digest = hashlib.sha256(repr(self.words).encode()).digest()
        return jax.random.key(int.from_bytes(digest[:4], "big"))

    @property
    def size(self) -> int:
        """Pixels of a cover."""
        return self.covers.planes[0].size

    def orders_and_messages(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A random order of the pixels and random bits for each cover, `[n, pixels]` and
        `[n, bits]`.
        """
        generators = [np.random.default_rng([*self.words, number]) for number in numbers]
        orders = [generator.permutation(self.size) for generator in generators]
        bits = [generator.integers(0, 2, self.bits, dtype=np.uint8) for generator in generators]
        return np.stack(orders), np.stack(bits)


def maker(case: Case, covers: Covers, config: ml_collections.ConfigDict) -> Maker:
    """What makes the stegos of a case.

    Args:
      case: a source, other than of "covers", and its payload.
      covers: all covers.
      config: of the protocol.

    Returns:
      The maker.

    Raises:
      InputError: the source cannot be used with these covers.
    """
    words = [config.seed, *hashlib.sha256(case.label.encode()).digest()[:8]]
    bits = int((case.payload or 0) * covers.planes[0].size)
    task = _Task(case, covers, config.covers, words, bits)
    return _MAKERS[case.source.kind](task)


def _by_scheme(task: _Task) -> Maker:
    scheme = embed.parse_scheme(task.case.source.name, domain=task.covers.domain)
    if task.covers.domain is not PIXELS:
        return _by_payload_of_each(task, scheme)
    return _by_costs(task, scheme)


def _by_payload_of_each(task: _Task, scheme: embed.Scheme) -> Maker:
    """Covers whose payloads in bits differ, one after the other."""
    covers, domain = task.covers, task.covers.domain
    code = None if task.case.source.code == SIMULATOR else _code(task.case.source.code)

    def of_one(number):
        cover = covers.one(number)
        bits = round(task.case.payload * domain.weight(cover))
        if code is None:
            key = jax.random.fold_in(task.key, number)
            return embed.simulate(key, cover, bits, scheme=scheme, domain=domain)
        generator = np.random.default_rng([*task.words, number])
        order = generator.permutation(cover.elements)
        message = generator.integers(0, 2, bits, dtype=np.uint8)
        carriers = embed.carriers(order, cover.shapes, recipe=scheme.recipe, grain=envelope.GRAIN)
        return embed.embed(carriers, cover, message, scheme=scheme, code=code, domain=domain)[0]

    def make(numbers):
        stegos = []
        for number in numbers:
            try:
                changes = of_one(int(number))
            except InputError as error:
                raise InputError(f"{covers.names[number]}: {error}") from error
            stegos.append(covers.planes[number] + changes.reshape(covers.planes[0].shape))
        return np.stack(stegos).astype(covers.planes.dtype)

    how = "simulator of optimal coding" if code is None else f"real coding, {task.case.source.code}"
    return Maker(make, how)


def _code(name: str) -> ternary.Code:
    if name == "polar":
        return ternary.polar_code(list_size=8)
    return ternary.stc_code(constraint_height=int(name[3:]))


def _of_run(task: _Task) -> Maker:
    source, domain = task.case.source, task.covers.domain
    config = run.read_config(source.name)
    own = config.get("method", {}).get("payload", None)
    asked = own if source.payload is None else source.payload
    by_costs = own is not None and run.entry(config)[0].scheme is not None
    if by_costs and not 0 < asked <= MOST_OF_TRAINED * own:
        raise InputError(
            f"{source.text} asks for {asked:g} {domain.words.unit} of a run that was trained at "
            f"{own:g}; its costs are used up to {MOST_OF_TRAINED * own:g}"
        )
    of_pixels = not source.recipe and domain is PIXELS
    if of_pixels and not by_costs and source.code == SIMULATOR:
        return Maker(_predicted(task), "a trained run's predict, rounded")
    # What a run's `predict` shows is that it trains on; what it embeds with is its scheme.
    scheme = run.load_scheme(source.name)
    if scheme.domain is not domain:
        raise InputError(
            f"{source.name} embeds into {scheme.domain.words.elements}, and these covers have "
            f"{domain.words.elements}; see covers.domain"
        )
    if of_pixels:
        return _by_costs(task._replace(bits=int(asked * task.size)), scheme)
    if source.recipe:
        scheme = scheme._replace(name=source.text, recipe=domain.recipes[source.recipe])
    return (_by_costs if domain is PIXELS else _by_payload_of_each)(task, scheme)


def _by_costs(task: _Task, scheme: embed.Scheme) -> Maker:
    code, covers = task.case.source.code, task.covers
    allowed = jax.jit(embed.bounded(scheme.cost))

    def check(numbers, planes):
        room = np.asarray(probabilities.capacity(allowed(planes)))
        if (room < task.bits).any():
            worst = int(room.argmin())
            raise InputError(
                f"{covers.names[numbers[worst]]} carries at most {room[worst] / task.size:.3f} bpp "
                f"with {scheme.name}; take it out, or lower the payload of "
                f"{task.bits / task.size:.3g} bpp"
            )

    if code == SIMULATOR:
        key = task.key

        @functools.partial(jax.jit, static_argnums=0)
        def many(version, numbers, planes):
            def one(number, cover):
                return cover + embed.simulate(
                    jax.random.fold_in(key, number), cover, task.bits, scheme=versions[version]
                )

            return jax.vmap(one)(numbers, planes)

        versions = embed.versions(scheme)

        def simulated(numbers):
            planes = covers.floats(numbers)
            check(numbers, planes)

            def make(version, rows):
                made = many(versions.index(version), numbers[rows], planes[rows])
                return [Cover((plane,)) for plane in np.asarray(made)]

            return _stacked(embed.until_accepted(make, len(planes), scheme=scheme))

        return Maker(simulated, "simulator of optimal coding")
    real = _code(code)

    def coded(numbers):
        planes = covers.floats(numbers)
        check(numbers, planes)
        orders, messages = task.orders_and_messages(numbers)
        wholes = [Cover((plane,)) for plane in planes]

        def make(version, rows):
            return embed.embed_with(
                [orders[row] for row in rows],
                [wholes[row] for row in rows],
                messages[rows],
                scheme=version,
                code=real,
                grain=envelope.GRAIN,
            )

        return _stacked(embed.until_accepted(make, len(planes), scheme=scheme))

    return Maker(coded, f"real coding, {code}")


def _stacked(stegos: Sequence[Cover]) -> np.ndarray:
    """The only planes of some stegos, uint8 `[n, H, W]`."""
    return np.stack([stego.planes[0] for stego in stegos]).astype(np.uint8)


def _lsb_matching(task: _Task) -> Maker:
    if task.bits > task.size:
        raise InputError(
            f"LSB matching carries at most 1 bit per pixel; {task.bits / task.size:g} asked for"
        )
    key = task.key

    def one(number, order, message, cover):
        flat = cover.ravel()[order]
        ends = {"lowest": PIXELS.lowest, "highest": PIXELS.highest}
        stego = lsbm.embed(jax.random.fold_in(key, number), flat, message, **ends)
        return jnp.zeros_like(flat).at[order].set(stego).reshape(cover.shape)

    many = jax.jit(jax.vmap(one))

    def make(numbers):
        orders, messages = task.orders_and_messages(numbers)
        planes = task.covers.floats(numbers)
        return np.asarray(many(numbers, orders, messages, planes)).astype(np.uint8)

    return Maker(make, "LSB matching of random bits, no code")


def _predicted(task: _Task) -> Callable[[np.ndarray], np.ndarray]:
    place, planes = task.case.source.name, task.covers.planes
    loaded = run.load(place)
    example = run.example(loaded.config)
    named, section = run.entry(loaded.config)
    if not named.use:
        raise InputError(
            f"{place} is a run of a {loaded.config.method.name}, which makes no stegos; name a run "
            "that hides"
        )
    multiple = loaded.method.size_multiple
    if any(side % multiple for side in planes.shape[1:]):
        raise InputError(
            f"{place} needs pictures whose sides are multiples of {multiple}; set covers.crop to "
            "one"
        )
    height, width, channels = example["cover"].shape[1:]
    shape = named.message(section) if named.message else None
    if shape is not None and not shape.depth and planes.shape[1:] != (height, width):
        raise InputError(f"{place} hides in pictures of {height}x{width}; set covers.crop to that")
    key = task.key

    @jax.jit
    def predict(key, covers, others):
        batch = {"cover": jnp.repeat(covers[..., None], channels, axis=-1)}
        if "secret" in example:
            batch["secret"] = jnp.repeat(others[..., None], example["secret"].shape[-1], axis=-1)
        stego = loaded.method.predict(loaded.state, batch, key)["stego"]
        # Steganalyzers look at one plane: of colour stegos (whose covers here are grey) the luma.
        plane = stego if channels == 1 else rgb_to_ycbcr(stego)[..., :1]
        return jnp.clip(jnp.round(plane[..., 0]), 0, 255)

    def make(numbers):
        # The secret picture, where the run hides one.
        others = task.covers.floats((numbers + 1) % len(planes))
        own = jax.random.fold_in(key, int(numbers[0]))
        return np.asarray(predict(own, task.covers.floats(numbers), others)).astype(np.uint8)

    return make


def _from_folder(task: _Task) -> Maker:
    section = task.section
    kind, _, place = section.source.partition(":")
    if kind != "folder" or section.tiles != 1:
        raise InputError(
            "a folder of stegos goes with covers from a folder, whole: set "
            "covers.source=folder:PATH and covers.tiles=1"
        )
    if list(section.preprocess):
        raise InputError(
            "ready-made stegos belong to covers as they are; leave covers.preprocess empty"
        )
    _, stegos = match(place, task.case.source.name)
    size = (int(section.crop),) * 2

    def make(numbers):
        planes = []
        for number in numbers:
            name = pathlib.PurePosixPath(task.covers.names[number]).with_suffix("").as_posix()
            grey = preprocess.to_grey(images.read(stegos[name]).pixels)
            planes.append(next(iter(tiles(grey, size, 1, str(stegos[name]))))[1])
        return np.stack(planes)

    return Maker(make, "ready-made")


_MAKERS: dict[str, Callable[[_Task], Maker]] = {
    "scheme": _by_scheme,
    "lsb-matching": _lsb_matching,
    "run": _of_run,
    "folder": _from_folder,
}
