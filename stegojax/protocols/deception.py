"""Whether the steganalyzer that an adversarial scheme means is deceived, by simulated stegos and by
those that a code makes.
"""

from __future__ import annotations

import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from stegojax import embed, envelope, run
from stegojax.coding import ternary
from stegojax.methods import network as networks
from stegojax.methods import steganalyzer, trained
from stegojax.tables import markdown
from stegojax.types import Array, Cover

_COVERS = 64


def evaluate(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, loaded: run.Loaded
) -> tuple[str, dict[str, Any]]:
    """The share of stegos that the run's steganalyzer takes for covers, of its initial scheme and
    of the run, both coded.

    Args:
      config: of the run.
      workdir: of the run.
      loaded: the run.

    Returns:
      The table; and "deception", for "initial" and "run" the share taken for covers and the
      "change_rate", and of "covers" the share.
    """
    del workdir
    covers = []
    with run.loader(config, "held_out") as loader:
        for batch, _ in zip(loader, range(config.report.batches)):
            covers += list(batch["cover"][..., 0])
    covers = np.stack(covers[:_COVERS])
    module = steganalyzer.build(config.method.network, width=config.method.width)
    own = loaded.state.params[steganalyzer.NAME], loaded.state.batch_stats[steganalyzer.NAME]

    @jax.jit
    def passes(planes: Array) -> Array:
        logits = networks.apply(module, *own, planes[..., None])
        return jnp.argmax(logits, axis=-1) == steganalyzer.COVER

    schemes = {
        "initial": trained.scheme(config.method.scheme, run.trained),
        "run": run.scheme_of(loaded),
    }
    results = {"covers": {"taken_for_covers": float(np.mean(passes(covers)))}}
    for name, scheme in schemes.items():
        stegos = coded(covers, scheme=scheme, payload=config.method.payload)
        results[name] = {
            "taken_for_covers": float(np.mean(passes(stegos))),
            "change_rate": float(np.mean(stegos != covers)),
        }
    rows = [
        [name, f"{100 * row['taken_for_covers']:.1f}", f"{row.get('change_rate', 0.0):.4f}"]
        for name, row in results.items()
    ]
    title = f"{len(covers)} held-out pictures, coded, before the steganalyzer that is meant"
    text = f"{title}:\n\n" + markdown(["Pictures", "taken for covers (%)", "change rate"], rows)
    return text, {"deception": results}


def coded(covers: np.ndarray, *, scheme: embed.Scheme, payload: float) -> np.ndarray:
    """Stegos by syndrome-trellis codes of constraint height 10, random messages and orders.

    Args:
      covers: `[B, H, W]`, whole numbers 0..255.
      scheme: costs and recipes.
      payload: bits per pixel.

    Returns:
      Float32, same shape.
    """
    rng = np.random.default_rng(0)
    wholes = [Cover((plane.astype(np.int16),)) for plane in covers]
    orders = [rng.permutation(cover.elements) for cover in wholes]
    bits = int(payload * wholes[0].elements)
    messages = rng.integers(0, 2, (len(wholes), bits)).astype(np.uint8)

    def make(version, rows):
        return embed.embed_with(
            [orders[row] for row in rows],
            [wholes[row] for row in rows],
            messages[rows],
            scheme=version,
            code=ternary.stc_code(),
            grain=envelope.GRAIN,
        )

    stegos = embed.until_accepted(make, len(wholes), scheme=scheme)
    return np.stack([stego.planes[0] for stego in stegos]).astype(np.float32)
