"""The words every room shares: dimension letters, values, and the contracts of covers, domains and
trainable systems.

Dimension letters used in docstrings and, as suffixes, in the dense numeric files:

    B batch   H height   W width   C channels   N cover elements   M message bits   S trellis states
              K segments

Values: images are float32 in pixel units 0..255, `[B, H, W, C]`; a single-channel *plane* is
`[..., H, W]`. Bits are uint8 {0, 1}. Payloads are in bits. uint8 pixels exist only in files and in
the rounded stego.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

Array = jax.Array
Key = jax.Array
Params = Any
Batch = Mapping[str, Array]
Metrics = dict[str, Array]

WET_COST = 1e10
"""The finite cost of a forbidden change (MATLAB's value for HILL and WOW). Every cost at or above
it is wet.
"""


class Costs(NamedTuple):
    """Additive embedding costs rho of the two changes of every element; leaving an element as it is
    costs nothing.

    plus:  cost of +1, same shape as the cover, finite, `WET_COST` where the change is forbidden
           (by a cost function only where the scheme itself forbids it: `embed` knows the rest).
    minus: cost of -1, likewise.
    """

    plus: Array | np.ndarray
    minus: Array | np.ndarray


class ChangeProbabilities(NamedTuple):
    """Probabilities of the two changes of every element; `1 - plus - minus` is the probability of
    no change.

    plus:  probability of +1, same shape as the cover.
    minus: probability of -1, likewise.
    """

    plus: Array
    minus: Array


class Cover(NamedTuple):
    """The elements of a file that can be changed by one: samples of pixels, or quantised
    coefficients.

    planes: int16 `[H, W]` each, which may differ in size; flattened, the elements of a cover run
            plane by plane, row by row.
    frozen: for every plane which elements must never change, bool `[H, W]`, or None where all may;
            empty where all may in all planes.
    side:   for every plane what its costs depend on besides its elements (a tuple of arrays, a
            JPEG's quantisation table), which a cost function is given after the plane; empty where
            nothing.
    """

    planes: tuple[np.ndarray, ...]
    frozen: tuple[np.ndarray | None, ...] = ()
    side: tuple[tuple[Any, ...], ...] = ()

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of every plane."""
        return tuple(plane.shape for plane in self.planes)

    @property
    def elements(self) -> int:
        """Number of elements of all planes."""
        return sum(plane.size for plane in self.planes)

    def flat(self) -> np.ndarray:
        """All elements, int16 `[N]`, plane by plane, row by row."""
        return np.concatenate([np.asarray(plane, np.int16).ravel() for plane in self.planes])

    def with_elements(self, values_N: np.ndarray) -> Cover:
        """The same cover with other elements, given as `flat` gives them.

        Raises:
          ValueError: there are more or fewer elements, or one that is no int16.
        """
        values = np.asarray(values_N)
        whole = values.astype(np.int16)
        if whole.shape != (self.elements,) or (whole != values).any():
            raise ValueError(
                f"a cover of {self.elements} elements takes as many int16 numbers; got "
                f"{values.dtype} {list(values.shape)}"
            )
        ends = np.cumsum([plane.size for plane in self.planes])[:-1]
        parts = np.split(whole, ends)
        planes = tuple(part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True))
        return self._replace(planes=planes)


class Words(NamedTuple):
    """How a domain's elements are called.

    elements: of a cover.
    rate:     what a payload of one bit per `Domain.weight` is.
    unit:     the same in the literature's abbreviation.
    """

    elements: str
    rate: str
    unit: str


class Domain(NamedTuple):
    """What a cover is made of, and how it is read from and written to a file.

    lowest:  the smallest value that an element of a file can have.
    highest: the largest.
    scheme:  the name of the scheme that is taken where none is named.
    reserved: how many elements salt and header may take each.
    words:   for people.
    endings: of the names of files that this domain writes, in lower case, with the dot.
    read:    `(path) -> (Cover, rest)`; `rest` is all of the file that is not an element and is
             passed on to `save`. Raises `InputError`.
    check:   `(path, cover, rest)`, an `InputError` where a file of that name could not hold these:
             to be asked before any work is done.
    save:    `(file, cover, rest, *, path)` writes to a binary file what the file `path` shall hold.
    notes:   `(rest) -> sentences` without full stops: what a person should know about a cover.
    objections: `(rest) -> sentences`: why hiding in a cover is refused unless a person insists.
    size:    `(cover, rest) -> (height, width)` of the picture.
    weight:  `(cover) -> number` that payloads of the literature are relative to.
    unwritable: `(cover, stego, rest) -> masks`, bool per plane: changes that the file cannot hold;
             empty where it holds them all. Elements where they are True must be frozen.
    kept:    `(rest, rest of the stego's file)`: whether all is there that `save` keeps.
    pixels:  `(cover) -> [H, W, C]`: what is seen of it, 0..255, for figures.
    places:  `(masks) -> bool [H, W]`: where in that picture elements of a cover lie.
    costs:   name -> cost function: `plane [..., H, W] float32 -> Costs`; of covers with a `side`,
             `(plane [H, W], *side of the plane) -> Costs`.
    recipes: name -> `recipes.Recipe`.
    """

    lowest: int
    highest: int
    scheme: str
    reserved: int
    words: Words
    endings: tuple[str, ...]
    read: Callable[[str | os.PathLike], tuple[Cover, Any]]
    check: Callable[[str | os.PathLike, Cover, Any], None]
    save: Callable[..., None]
    notes: Callable[[Any], tuple[str, ...]]
    objections: Callable[[Any], tuple[str, ...]]
    size: Callable[[Cover, Any], tuple[int, int]]
    weight: Callable[[Cover], int]
    unwritable: Callable[[Cover, Cover, Any], tuple[np.ndarray, ...]]
    kept: Callable[[Any, Any], bool]
    pixels: Callable[[Cover], np.ndarray]
    places: Callable[[tuple[np.ndarray, ...]], np.ndarray]
    costs: Mapping[str, Callable[..., Costs]]
    recipes: Mapping[str, Any]

    def __hash__(self) -> int:
        # Costs and recipes are dictionaries; whatever is compiled for a domain is looked up by it.
        return hash((self.lowest, self.highest, self.endings))


class State(NamedTuple):
    """Everything that training changes. Dictionaries are keyed by the network's name.

    step:        int32 scalar, steps done since `Method.init`, counted through all stages.
    params:      trainable parameters per network.
    batch_stats: running BatchNorm statistics per network, `{}` for a network without BatchNorm.
    opt_state:   optimiser state per trained network.
    """

    step: Array
    params: dict[str, Params]
    batch_stats: dict[str, Params]
    opt_state: dict[str, Any]


class Stage(NamedTuple):
    """One stage of a training that has several.

    name:       a word for logs and curves.
    steps:      how many steps it lasts.
    train_step: `(state, batch, key) -> (state, metrics)`, as `Method.train_step`.
    begin:      `(state, key) -> state`: what the stage starts from, given the last state of the
                stage before it (or of `Method.init`). It may add networks, replace optimiser
                states, or return the state as it is.
    choice:     a held-out figure, the higher the better: of the stage before, the state of the
                evaluation where it was best takes the last state's place, with the last one's step.
                "" for the last state.
    """

    name: str
    steps: int
    train_step: Callable[[State, Batch, Key], tuple[State, Metrics]]
    begin: Callable[[State, Key], State] = lambda state, key: state
    choice: str = ""


class Method(NamedTuple):
    """A trainable system as a value: pure functions, and nothing that the training loop owns.

    init:       `(key, batch) -> State`; of the batch only shapes and dtypes matter.
    train_step: `(state, batch, key) -> (state, metrics)`, on one device's share of the batch, under
                the axis `parallel.AXIS`: gradients, BatchNorm statistics and metrics are averaged
                over it. Called by itself, under no axis, it takes the whole batch. The key is the
                same on all devices; randomness per example comes from `parallel.example_keys`.
                Metrics are scalars; one of them is "loss".
    predict:    `(state, batch, key) -> dict of arrays`, deterministic given its arguments, with
                running BatchNorm statistics. It returns what the batch allows: with cover and
                message the stego and what is revealed from the *rounded* stego; with
                `{"stego": ...}` alone what is revealed. Every stego in it is rounded and clipped to
                the domain's range.
    measure:    `(batch, outputs of predict) -> {name: [B]}`, the figures of one evaluation, one
                value per example.
    stages:     the stages where there are several; empty means one stage of `train_step` that lasts
                the whole run.
    receptive_radius: how far, in pixels, one output of `predict` sees in every direction; pictures
                larger than a tile are processed in tiles that overlap by it. None: the networks see
                the whole picture, which is never tiled.
    size_multiple: height and width of what `predict` takes must be multiples of this.
    describe:   `(batch) -> lines` for the log at the start of a run: what follows from the size of
                the pictures.
    refresh:    `(state, batch, key) -> state` with BatchNorm statistics brought up to date by a
                training batch, per device under the axis; `evaluation.refresh_batches` of them go
                before an evaluation. None where there is nothing to refresh.
    """

    init: Callable[[Key, Batch], State]
    train_step: Callable[[State, Batch, Key], tuple[State, Metrics]]
    predict: Callable[[State, Batch, Key], dict[str, Array]]
    measure: Callable[[Batch, dict[str, Array]], dict[str, Array]]
    stages: tuple[Stage, ...] = ()
    receptive_radius: int | None = None
    size_multiple: int = 1
    describe: Callable[[Batch], tuple[str, ...]] = lambda batch: ()
    refresh: Callable[[State, Batch, Key], State] | None = None
