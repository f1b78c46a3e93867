"""The spatial rich model: 34,671 features of a plane in 106 submodels (Fridrich and Kodovsky, TIFS
2012), and SRMQ1.

Takes planes `[B, H, W]`, float32, integers 0..255, at least 8 x 8. A submodel is named
family_kind_step, as in the authors'
MATLAB code: `s3_minmax48h_q15` is third order, minima and maxima over the four-element sets of kind
  48h, q = 1.5. Its features
are normalised co-occurrences of four neighbouring residuals, along rows plus along columns, merged
  by symmetry: 325 bins from
minima and maxima, twice 169 from single residuals. The features of one submodel sum to 4.
"""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.errors import InputError
from stegojax.steganalysis import cooccurrence
from stegojax.steganalysis.planes import check_planes
from stegojax.steganalysis.residuals import FAMILIES, family_residuals, quantiser_thresholds
from stegojax.types import Array

SMALLEST = 8
"""Least height and width: the widest residuals lose 4 pixels, and four have to stand in a row."""


class Pooling(NamedTuple):
    """The sets of residuals whose tables are pooled along rows, and those along columns; the two
    tables are added.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]


def _alike(*sets: str) -> Pooling:
    return Pooling(sets, sets)


def _turned(pooling: Pooling) -> Pooling:
    return Pooling(pooling.columns, pooling.rows)


_PAIRS = Pooling(("R L",), ("U D",))
_TRIPLES = Pooling(("L U R", "R D L"), ("U R D", "D L U"))
_FOURS = Pooling(
    ("R U RU LU", "L D LD RD", "R D RD LD", "L U LU RU"),
    ("R D RD RU", "L U LU LD", "R U RU RD", "L D LD LU"),
)
_COMPASS = {
    "minmax22h": _PAIRS,
    "minmax34h": _TRIPLES,
    "minmax22v": _turned(_PAIRS),
    "minmax24": _alike("R U", "R D", "L U", "L D"),
    "minmax34v": _turned(_TRIPLES),
    "minmax41": _alike("R L U D"),
    "minmax34": _alike("R U RU", "R D RD", "L U LU", "L D LD"),
    "minmax48h": _FOURS,
    "minmax48v": _turned(_FOURS),
    "minmax54": _alike("R U RU LU RD", "L D LD RD LU", "R D RD LD RU", "L U LU RU LD"),
}
_OBLIQUE = Pooling(("m h", "d h"), ("m v", "d v"))
_LINES = {
    "minmax21": _alike("h v"),
    "minmax41": _alike("h v d m"),
    "minmax32": _alike("h v m", "h v d"),
    "minmax24h": _OBLIQUE,
    "minmax24v": _turned(_OBLIQUE),
}
_SIDES = Pooling(("u b",), ("l r",))
_EDGES = {
    "minmax24": _alike("u l", "b r", "u r", "b l"),
    "minmax22h": _SIDES,
    "minmax22v": _turned(_SIDES),
    "minmax41": _alike("u b l r"),
}
_MINMAX = {"s1": _COMPASS, "s2": _LINES, "s3": _COMPASS, "s3x3": _EDGES, "s5x5": _EDGES}

_ACROSS, _LINE, _HALVES = (
    Pooling(("R",), ("U",)),
    Pooling(("h",), ("v",)),
    Pooling(("u", "b"), ("l", "r")),
)
_SPAM = {
    "s1": ("spam14hv", _ACROSS),
    "s2": ("spam12hv", _LINE),
    "s3": ("spam14hv", _ACROSS),
    "s3x3": ("spam14hv", _HALVES),
    "s5x5": ("spam14hv", _HALVES),
}


class _Set(NamedTuple):
    """Residuals of a family, quantised with one step, whose minimum and maximum are taken; or a
    single residual.
    """

    family: str
    step: float
    names: tuple[str, ...]


class _Table(NamedTuple):
    """One table of 625 bins: the sets pooled along rows and those pooled along columns."""

    rows: list[_Set]
    columns: list[_Set]


def _table(family: str, step: float, pooling: Pooling) -> _Table:
    return _Table(
        *([_Set(family, step, tuple(chosen.split())) for chosen in sets] for sets in pooling)
    )


def _named_tables(steps: tuple[float, ...]) -> dict[str, list[_Table]]:
    """Submodel -> its table (minmax) or its two tables (spam), in the order of the features."""
    named = {}
    for family, properties in FAMILIES.items():
        for step in (step for step in properties.steps if step in steps):
            end = f"_q{step:g}".replace(".", "")
            for kind, pooling in _MINMAX[family].items():
                named[f"{family}_{kind}{end}"] = [_table(family, step, pooling)]
            if family == "s5x5":
                named[f"s35_spam11{end}"] = [
                    _table(square, step, _alike("all")) for square in ("s3x3", "s5x5")
                ]
            kind, pooling = _SPAM[family]
            named[f"{family}_{kind}{end}"] = [
                _table(family, step, pooling),
                _table(family, step, _turned(pooling)),
            ]
    return named


def _orbits(sign: bool) -> np.ndarray:
    """Bins of a table that are merged: reversal of the four values and, if `sign`, their negation.

    Returns:
      Indices `[D, 4]` (`[D, 2]` without the sign) into the 625 bins, where 625 fills up an orbit of
      fewer bins.
    """
    digits = np.stack(np.unravel_index(np.arange(625), (5, 5, 5, 5)))
    place = 5 ** np.arange(3, -1, -1)
    images = [np.arange(625), place @ digits[::-1]]
    if sign:
        images += [place @ (4 - digits), place @ (4 - digits[::-1])]
    images = np.sort(np.stack(images, 1), 1)
    orbits = np.unique(images, axis=0)
    orbits[:, 1:][orbits[:, 1:] == orbits[:, :-1]] = 625
    if sign:
        zero = np.flatnonzero(orbits[:, 0] == 312)[0]
        orbits = np.concatenate([orbits[zero : zero + 1], np.delete(orbits, zero, 0)])
    return orbits


_MINMAX_BINS, _SPAM_BINS = _orbits(sign=False), _orbits(sign=True)


def _slices(named: dict[str, list[_Table]]) -> dict[str, slice]:
    slices, start = {}, 0
    for name, tables in named.items():
        size = len(_MINMAX_BINS) if len(tables) == 1 else 2 * len(_SPAM_BINS)
        slices[name] = slice(start, start + size)
        start += size
    return slices


_ALL_STEPS = (1, 1.5, 2)
SUBMODELS: dict[str, slice] = _slices(_named_tables(_ALL_STEPS))
"""Where each of the 106 submodels lies in the features, in their order."""
SUBMODELS_Q1: dict[str, slice] = _slices(_named_tables((1,)))
"""Where each of the 39 submodels of q = 1 lies in the features of SRMQ1."""


def features(planes: Array, *, at_once: int = 1) -> Array:
    """The spatial rich model of every plane (Fridrich and Kodovsky, TIFS 2012).

    Args:
      planes: pixels `[B, H, W]`, float32, integers 0..255, at least 8 x 8.
      at_once: planes that are worked on together. One needs about 130 bytes of memory per pixel;
        more of them keep a GPU busier, and on a CPU they fall out of its cache.

    Returns:
      Features `[B, 34671]`, float32, in the order of `SUBMODELS`.

    Raises:
      InputError: these are not planes, or `at_once` is not positive.
    """
    return _features(planes, _ALL_STEPS, at_once)


def features_q1(planes: Array, *, at_once: int = 1) -> Array:
    """SRMQ1, the submodels of the spatial rich model that are quantised with q = 1 (Fridrich and
    Kodovsky, TIFS 2012).

    Args:
      planes: pixels `[B, H, W]`, float32, integers 0..255, at least 8 x 8.
      at_once: planes that are worked on together, as for `features`.

    Returns:
      Features `[B, 12753]`, float32, in the order of `SUBMODELS_Q1`.

    Raises:
      InputError: these are not planes, or `at_once` is not positive.
    """
    return _features(planes, (1,), at_once)


def _features(planes, steps, at_once):
    check_planes(planes, smallest=SMALLEST)
    if at_once < 1:
        raise InputError(f"at least one plane is worked on at a time; got at_once={at_once}")
    return _mapped(planes, steps, min(at_once, planes.shape[0]))


@functools.partial(jax.jit, static_argnums=(1, 2))
def _mapped(planes, steps, at_once):
    return lax.map(lambda plane: _of_plane(plane, steps), planes, batch_size=at_once)


def _of_plane(plane, steps):
    named = _named_tables(steps)
    tables = [table for parts in named.values() for table in parts]
    counts, place = _counts(
        plane, {chosen for table in tables for pooled in table for chosen in pooled}
    )

    frequencies = jnp.zeros((), jnp.float32)
    for along, counted in enumerate(zip(*tables)):
        most = max(map(len, counted))
        rows = np.array(
            [
                [place[chosen] for chosen in pooled] + [len(place)] * (most - len(pooled))
                for pooled in counted
            ]
        )
        tuples = [
            len(pooled) * _tuples(plane.shape, FAMILIES[pooled[0].family].crop, along)
            for pooled in counted
        ]
        frequencies += jnp.sum(counts[rows, along], 1) / np.array(tuples, np.float32)[:, None]
    frequencies = jnp.pad(frequencies, ((0, 0), (0, 1)))

    merged, at = [], 0
    for parts in named.values():
        bins = _MINMAX_BINS if len(parts) == 1 else _SPAM_BINS
        merged.append(jnp.sum(frequencies[at : at + len(parts)][:, bins], -1).reshape(-1))
        at += len(parts)
    return jnp.concatenate(merged)


def _tuples(shape: tuple[int, int], crop: int, along: int) -> int:
    """How many tuples of four one residual has along rows (0) or columns (1)."""
    sides = [side - 2 * crop for side in shape]
    sides[1 - along] -= 3
    return sides[0] * sides[1]


def _counts(plane, sets):
    """Tables of all sets `[sets + 1, 2, 625]`, along rows and columns, the last one zero; and where
    each set's table is.

    The table of several residuals counts their minimum and the negative of their maximum, which
    have the same statistics. Loops that do not depend on each other, one per family, may run at the
    same time.
    """
    tables, order = [], []
    for name, family in FAMILIES.items():
        of_family = sorted(chosen for chosen in sets if chosen.family == name)
        used = sorted({chosen.step for chosen in of_family})
        thresholds = np.concatenate([quantiser_thresholds(step, family.divisor) for step in used])
        inside = np.zeros(plane.shape, bool)
        inside[family.crop : -family.crop, family.crop : -family.crop] = True
        words = cooccurrence.level_words(
            family_residuals(plane, family), thresholds.reshape(-1, 4), inside
        )
        place = {
            (step, kernel): at
            for at, (kernel, step) in enumerate(itertools.product(family.kernels, used))
        }
        for several in (True, False):
            chosen = [one for one in of_family if (len(one.names) > 1) == several]
            if chosen:
                most = max(len(one.names) for one in chosen)
                members = [[place[one.step, name] for name in one.names] for one in chosen]
                members = [row + row[:1] * (most - len(row)) for row in members]
                tables.append(_family_counts(words, jnp.asarray(members), plane.shape[1]))
                order += chosen
    counts = jnp.concatenate([*tables, jnp.zeros_like(tables[0][:1])])
    return counts, {chosen: at for at, chosen in enumerate(order)}


def _family_counts(words, sets, width):
    """Tables `[S, 2, 625]` of sets `[S, members]` of the residuals whose words are `[R, 6, L]`."""

    def tables(levels, here):
        ways = [
            cooccurrence.count_tuples(levels, step, order=4, width=width, here=here)
            for step in (1, width)
        ]
        return jnp.stack(ways)

    def of_set(members):
        low = high = lax.dynamic_index_in_dim(words, members[0], keepdims=False)
        for at in range(1, len(members)):
            other = lax.dynamic_index_in_dim(words, members[at], keepdims=False)
            low, high = low & other, high | other
        here = members[0] >= 0
        if len(members) == 1:
            return tables(low, here)
        return tables(low, here) + tables(high, here)[:, ::-1]

    return lax.map(of_set, sets)
