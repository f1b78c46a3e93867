"""The words every room shares: dimension letters, value ranges, and the contract of a trainable
system.

Dimension letters used in docstrings and, as suffixes, in the dense numeric files:

    B batch   H height   W width   C channels   N cover elements   M message bits   S trellis states
              K segments

Values: images are float32 in pixel units 0..255, `[B, H, W, C]`; a single-channel *plane* is `[...,
  H, W]`. Bits are uint8
{0, 1}. Payloads are in bits. uint8 pixels exist only in files and in the rounded stego.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

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

    plus:  cost of +1, same shape as the cover, finite, `WET_COST` where the change is forbidden.
    minus: cost of -1, likewise.
    """

    plus: Array
    minus: Array


class ChangeProbabilities(NamedTuple):
    """Probabilities of the two changes of every element; `1 - plus - minus` is the probability of
    no change.

    plus:  probability of +1, same shape as the cover.
    minus: probability of -1, likewise.
    """

    plus: Array
    minus: Array


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
                  over it. The key is the same on all
                devices; randomness per example comes from `parallel.example_keys`. Metrics are
                scalars; one of them is "loss".
    predict:    `(state, batch, key) -> dict of arrays`, deterministic given its arguments, with
                running BatchNorm statistics.
                It returns what the batch allows: with cover and message the stego and what is
                  revealed from the *rounded*
                stego; with `{"stego": ...}` alone what is revealed. Every stego in it is rounded
                and clipped to 0..255.
    measure:    `(batch, outputs of predict) -> {name: [B]}`, the figures of one evaluation, one
                value per example.
    stages:     the stages where there are several; empty means one stage of `train_step` that lasts
                the whole run.
    receptive_radius: how far, in pixels, one output of `predict` sees in every direction; pictures
                larger than a tile are
                processed in tiles that overlap by it. None: the networks see the whole picture,
                  which is never tiled.
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
