"""What a cover is, and the files that covers lie in: `DOMAINS[name]` is a `Domain`.

Nothing above this room asks which domain it works on: ranges, costs, recipes, reading and writing
are all in the `Domain`. A new one is a module here and a line in `DOMAINS`.
"""

from __future__ import annotations

import os
import pathlib

from stegojax.domains.jpeg import JPEG
from stegojax.domains.pixels import PIXELS
from stegojax.types import Domain

DOMAINS: dict[str, Domain] = {"pixels": PIXELS, "jpeg": JPEG}

__all__ = ["DOMAINS", "JPEG", "PIXELS", "Domain", "of"]


def of(path: str | os.PathLike) -> Domain:
    """The domain of a file that carries a message or shall carry one, by the ending of its name.

    Args:
      path: the file; it need not exist.

    Returns:
      The domain that writes such files; pixels where none does, whose `read` looks at the content
      and whose `check` says what can be written.
    """
    ending = pathlib.Path(path).suffix.lower()
    for domain in DOMAINS.values():
        if ending in domain.endings:
            return domain
    return PIXELS
