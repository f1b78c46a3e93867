"""What hides: by costs, by networks that write bits, pictures in pictures, in generated covers, and
sentences as pictures. Each is a `Hider` and answers the same questions; files are read and written
around them by one function each.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from stegojax.errors import InputError
from stegojax.hiders.contract import Capacity, Hider, Message, Options, Stego
from stegojax.hiders.in_files import (
    capacity_of_file,
    choose_cover,
    hide_file,
    reveal_file,
    write_message,
)
from stegojax.zoo import shelves

__all__ = [
    "HIDERS",
    "Capacity",
    "Hider",
    "Message",
    "Options",
    "Stego",
    "capacity_of_file",
    "choose_cover",
    "hide_file",
    "load",
    "models_that_reveal",
    "reveal_file",
    "write_message",
]

if TYPE_CHECKING:
    from stegojax import run


def _of(module: str) -> Callable[[run.Loaded | None, Options], Hider]:
    """`hider` of a module that is imported when it is called: computed costs need no networks."""

    def make(loaded: run.Loaded | None, options: Options) -> Hider:
        return importlib.import_module(f"stegojax.hiders.{module}").hider(loaded, options)

    return make


HIDERS = {
    "costs": _of("by_costs"),
    "bits": _of("bits"),
    "pictures": _of("pictures"),
    "covers": _of("generated"),
    "sentences": _of("sentences"),
}
"""By what a run is used for (`methods.Entry.use`): `(run, options) -> Hider`; without a run "costs"
are computed.
"""


def load(workdir: str | os.PathLike | None, options: Options = Options()) -> Hider:
    """What hides with a run, or with computed costs.

    Args:
      workdir: of the run; None for computed costs.
      options: as a person gave them.

    Returns:
      The hider.

    Raises:
      InputError: the folder is not a run, has no checkpoint or hides nothing, or an option cannot
        be used with it.
    """
    if workdir is None:
        return HIDERS["costs"](None, options)
    from stegojax import run

    use = run.use(workdir)
    return HIDERS[use](run.load(workdir), options)


def models_that_reveal(place: str | os.PathLike | None = None) -> list[str]:
    """Models without which a stego cannot be revealed, since networks wrote it.

    Args:
      place: the run that hid; None for all models on this machine.

    Returns:
      Names with versions: the model's where `place` names one, none where the key alone is enough
      or a folder is named.
    """
    from stegojax import run

    if place is None:
        models = shelves.models()
    else:
        model = shelves.locate(place).model
        models = [] if model is None else [model]
    reading = ("bits", "pictures", "sentences")
    labels = []
    for model in models:
        with contextlib.suppress(InputError):  # a model that hides nothing
            labels += [model.label] if run.use(model.label) in reading else []
    return labels
