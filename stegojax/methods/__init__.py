"""The trainable systems that a config can name, in `METHODS`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from stegojax import embed
from stegojax.methods import (
    abdh,
    advemb,
    asymmetric,
    chatgan,
    hayesgan,
    hidden,
    isgan,
    picture_autoencoder,
    reload,
    seq2seq_gan,
    seq2seq_user,
    sftn,
    sgan,
    ssgan,
    steganalyzer,
    steganogan,
    symmetric,
    ugs,
)
from stegojax.methods.bit_hiding import MessageShape
from stegojax.types import Method


class Entry(NamedTuple):
    """All that is asked of a method by its name. A section is a config's `method` without "name".

    from_config:  `(section, *, steps_per_epoch, load=None) -> Method`; looks up the modules and
                  functions that the section names. `load` (`trained.Load`) loads other runs that
                  it begins from; a state that comes from a checkpoint needs none.
    use:          what a run hides with, where it hides at all: "pictures" in pictures; any file by
                  the "costs" that it has learned; any file as "bits" that networks write and read;
                  any file in "covers" that it makes; "sentences" that become pictures; "" nothing.
    scheme:       `(state, section, *, name, load=None) -> embed.Scheme`, of runs that embed by
                  costs.
    message:      `(section) -> MessageShape`, of runs that hide bits.
    steganalyzer: `(section) -> module`, of runs that make covers: what is trained afterwards to
                  tell their covers from their stegos.
    reports:      what an evaluation measures, names in `evaluate.REPORTS`, in order.
    """

    from_config: Callable[..., Method]
    use: str = ""
    scheme: Callable[..., embed.Scheme] | None = None
    message: Callable[..., MessageShape] | None = None
    steganalyzer: Callable[..., Any] | None = None
    reports: tuple[str, ...] = ("quality",)


def _hides_pictures(networks) -> Entry:
    return Entry(partial(picture_autoencoder.from_config, networks), use="pictures")


def _hides_bits(module, *reports: str) -> Entry:
    return Entry(
        module.from_config,
        use="bits",
        message=module.message,
        reports=("quality", "bits", "security", "noise", *reports),
    )


def _makes_covers(module) -> Entry:
    return Entry(
        module.from_config,
        use="covers",
        steganalyzer=module.independent_steganalyzer,
        reports=("quality", "covers"),
    )


def _learns_costs(module, *reports: str) -> Entry:
    return Entry(
        module.from_config,
        use="costs",
        scheme=module.scheme,
        reports=("quality", *reports, "times", "security"),
    )


METHODS: dict[str, Entry] = {
    "isgan": Entry(isgan.from_config, use="pictures", reports=("quality", "transfer", "noise")),
    "baluja": _hides_pictures(picture_autoencoder.baluja_networks),
    "atique": _hides_pictures(picture_autoencoder.atique_networks),
    "steganalyzer": Entry(steganalyzer.from_config, reports=("detection",)),
    "asymmetric": _learns_costs(asymmetric),
    "sparrl": _learns_costs(symmetric),
    "utgan": _learns_costs(symmetric),
    "steggman": _learns_costs(symmetric),
    "asdlgan": _learns_costs(symmetric, "simulators"),
    "jsgan": _learns_costs(symmetric),
    "adversarial": _learns_costs(symmetric),
    "ugs": _learns_costs(ugs, "deception"),
    "advemb": _learns_costs(advemb, "deception"),
    "reload": _learns_costs(reload),
    "ssgan": _makes_covers(ssgan),
    "sgan": _makes_covers(sgan),
    "seq2seq_gan": Entry(
        seq2seq_gan.from_config, use="sentences", reports=("quality", "sentences", "users")
    ),
    "seq2seq_user": Entry(
        seq2seq_user.from_config, use="sentences", reports=("quality", "sentences")
    ),
    "sftn": _hides_bits(sftn, "structures"),
    "chatgan": _hides_bits(chatgan),
    "abdh": _hides_bits(abdh),
    "steganogan": _hides_bits(steganogan),
    "hayesgan": _hides_bits(hayesgan),
    "hidden": _hides_bits(hidden),
}
