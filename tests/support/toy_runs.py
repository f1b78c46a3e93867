"""Methods without networks that hide pictures or embed by costs, and runs of them on disk."""

import contextlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from ml_collections import ConfigDict

from stegojax import embed, methods, run
from stegojax.checkpoint import Checkpoints, Position
from stegojax.costs import COSTS
from stegojax.methods.fields import read
from stegojax.types import Costs, Method, State


def _untrained(predict, measure, params) -> Method:
    def init(key, batch):
        return State(jnp.int32(0), {"net": params}, {"net": {}}, {})

    def train_step(state, batch, key):
        return state._replace(step=state.step + 1), {"loss": jnp.float32(0)}

    return Method(init, train_step, predict, measure)


class PictureFields(NamedTuple):
    raised: float = 1.0


class CostFields(NamedTuple):
    scheme: str = "hill"
    payload: float = 0.4


def hides_pictures(raised=1.0):
    """The lowest bits of a colour cover say where the secret is bright; all samples are raised."""

    def predict(state, batch, key):
        bright = (batch["secret"] > 127).astype(jnp.float32)
        stego = 2 * jnp.floor(batch["cover"] / 2) + bright + raised * state.params["net"]
        return {"stego": jnp.clip(stego, 0, 255), "revealed": 255 * bright}

    def measure(batch, outputs):
        return {"error": jnp.mean(jnp.abs(outputs["revealed"] - batch["secret"]), axis=(1, 2, 3))}

    return _untrained(predict, measure, jnp.float32(1))


def _dearer_below(factor, planes):
    costs = COSTS["hill"](planes)
    return Costs(costs.plus, factor * costs.minus)


def learns_costs():
    """HILL, whose changes by -1 cost more by a factor that the state holds."""

    def predict(state, batch, key):
        return {"stego": batch["cover"]}

    def measure(batch, outputs):
        return {"change_rate": jnp.mean(outputs["stego"] != batch["cover"], axis=(1, 2, 3))}

    return _untrained(predict, measure, jnp.float32(4))


def _learned(state, section, *, name, load=None):
    cost = Partial(_dearer_below, jnp.asarray(state.params["net"]))
    return embed.Scheme(name, cost, embed.RECIPES["plain"])


def pictures_from_config(section, *, steps_per_epoch, load=None):
    return hides_pictures(*read(PictureFields, section))


def _costs_from_config(section, *, steps_per_epoch, load=None):
    read(CostFields, section)
    return learns_costs()


ENTRIES = {
    "toy_pictures": methods.Entry(pictures_from_config, use="pictures"),
    "toy_costs": methods.Entry(
        _costs_from_config, use="costs", scheme=_learned, reports=("quality", "times", "security")
    ),
}


@contextlib.contextmanager
def registered():
    """The methods under their names in the registry."""
    with pytest.MonkeyPatch.context() as patch:
        for name, entry in ENTRIES.items():
            patch.setitem(methods.METHODS, name, entry)
        yield


def config(name, **method):
    """A run of one of them on 16x16 crops."""
    data = dict(source="embedded", data_dir="", preprocess=(), crop=16)
    kinds = {
        "toy_pictures": dict(kind="pairs", secret_source=""),
        "toy_costs": dict(kind="pictures", augment=(), crops_per_photo=1),
    }
    return ConfigDict(
        dict(
            seed=3,
            batch_size=4,
            epochs=0.0,
            steps=1,
            log_every=1,
            method=dict(name=name, **method),
            data={**data, **kinds[name]},
            loader=dict(workers=0, threads=1, prefetch=2),
            evaluation=dict(every=1, crop=0, batches=1, refresh_batches=0),
            report=dict(batches=1),
            checkpoint=dict(every=1, keep=1, milestones=0),
        )
    )


def write_run(folder, settings):
    """A run whose only checkpoint is where training would begin."""
    run.open_workdir(settings, folder)
    made = run.method(settings)
    state = jax.tree.map(np.asarray, made.init(jax.random.key(0), run.example(settings)))
    checkpoints = Checkpoints(folder / "checkpoints")
    checkpoints.save(1, state, Position(1, 0))
    checkpoints.close()
    return folder
