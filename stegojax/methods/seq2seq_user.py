"""Seq2Seq-GAN for one user: of a trained run the generator and the receiver's LSTM are trained
further under the user's key alone (Section 5 of the paper: "for each user, a Generator and LSTM
Decoder will be fine-tuned with the designed secret key").

The run's other networks stay as they are, with their running statistics. Losses, noise and what
the key does inside the networks are the run's (`seq2seq_gan`). A wrong key of its loss is any.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stegojax import inputs
from stegojax.errors import InputError
from stegojax.methods import seq2seq_gan, trained
from stegojax.methods.fields import read_parts
from stegojax.methods.sentence_keys import material
from stegojax.types import Batch, Key, Method, State

TUNED = {"sentences": ("sentence_decoder",), "pictures": ("generator",)}
"""The networks that are trained, by their optimisers."""


def make(
    base: Method,
    networks: seq2seq_gan.Networks,
    keying: seq2seq_gan.Keying,
    optimizers: seq2seq_gan.Optimizers,
    *,
    objective: seq2seq_gan.Objective = seq2seq_gan.Objective(),
    noise: float = 0.0,
    own: seq2seq_gan.KeyArrays | None = None,
    begin: State | None = None,
) -> Method:
    """The training under one key as a `Method`.

    Args:
      base: the run's, of the same networks, for all but its training.
      networks: the modules.
      keying: how the key takes part.
      optimizers: those of sentences and of pictures.
      objective: what is descended.
      noise: see `seq2seq_gan.make`.
      own: the user's key, arrays `[1, ...]`; None where the state comes from a checkpoint and is
        not trained further.
      begin: the run's state; None likewise.

    Returns:
      The method.

    Raises:
      InputError: the run has other networks.
    """

    def init(key: Key, batch: Batch) -> State:
        fresh = base.init(key, batch)
        state = fresh if begin is None else _checked(begin, fresh)
        descents = optimizers._asdict()
        opt_state = {
            part: descents[part].init({name: state.params[name] for name in names})
            for part, names in TUNED.items()
        }
        params = {name: state.params[name] for name in fresh.params}
        stats = {name: state.batch_stats[name] for name in fresh.batch_stats}
        return State(jnp.int32(0), params, stats, opt_state)

    step = seq2seq_gan.stepper(
        networks, keying, optimizers, objective, noise=noise, parts=TUNED, own=own
    )
    return base._replace(init=init, train_step=step, stages=(), describe=partial(_describe, begin))


class Fields(NamedTuple):
    """The `method` section of a config, beside `seq2seq_gan.Fields`, whose values are the run's.

    base_from: the run.
    key_from:  a key file; "" where the run uses no key.
    """

    base_from: str = ""
    key_from: str = ""


def from_config(
    section: Mapping[str, Any], *, steps_per_epoch: int, load: trained.Load | None = None
) -> Method:
    """The training that a config names.

    Args:
      section: see `Fields` and `seq2seq_gan.Fields`.
      steps_per_epoch: the unit of the optimisers' schedules.
      load: loads the run.

    Returns:
      The method.

    Raises:
      InputError: a field or a name is unknown, a number is out of range, the key file cannot be
        read, or one is given and none is used.
    """
    fields, given = read_parts((Fields, seq2seq_gan.Fields), section)
    given = given._replace(stage_steps=())
    parts = seq2seq_gan.parts_of(given, steps_per_epoch=steps_per_epoch)
    own, begin = None, None
    if fields.base_from and load is not None:
        begin = load(fields.base_from).state
        shared = inputs.shared_secret(key_file=fields.key_from) if fields.key_from else None
        own = material(shared, given.keyed, state=given.state).arrays
    return make(
        seq2seq_gan.make(*parts[:3], length=given.length, objective=parts[3], noise=given.noise),
        *parts[:3],
        objective=parts[3],
        noise=given.noise,
        own=own,
        begin=begin,
    )


def _describe(begin: State | None, batch: Batch) -> tuple[str, ...]:
    del batch
    if begin is None:
        raise InputError(
            "a user's training begins from a run: give method.base_from, and method.key_from if "
            "the run uses keys"
        )
    return ("the generator and the receiver's LSTM are trained further under one key",)


def _checked(begin: State, fresh: State) -> State:
    """The run's state, where it has the networks that this training needs."""
    for name in (*fresh.params,):
        mine, theirs = (jax.tree.map(np.shape, state.params.get(name)) for state in (fresh, begin))
        if mine != theirs:
            raise InputError(
                f"the run of method.base_from has another {name}; give the values of its own "
                "config to method.width, state, vocabulary, keyed and adversarial_weight"
            )
    return jax.tree.map(jnp.asarray, begin)
