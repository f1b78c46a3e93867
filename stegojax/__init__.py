"""stegojax: learned image steganography in JAX, with real coding, real keys and one evaluation
protocol.

`stegojax.hide(pixels, message, password)`, `stegojax.reveal(pixels, password)` and
`stegojax.capacity(pixels)` work on arrays; `stegojax.simulate` draws an optimal sender's changes;
`stegojax.load(place)` gives a trained run: a folder's, or a model's by its name. Everything
else is in the package's modules, such as `stegojax.costs`, `stegojax.losses` and `stegojax.train`.
All are imported when they are first asked for.
"""

import importlib
import pkgutil

__version__ = "0.1.0"

_PLACES = {
    "hide": "arrays",
    "reveal": "arrays",
    "capacity": "arrays",
    "simulate": "embed",
    "load": "run",
}
# No __all__: pdoc would show the names in it alone, and none of the modules.


def __getattr__(name):
    if name in _PLACES:
        return getattr(importlib.import_module(f"stegojax.{_PLACES[name]}"), name)
    if name in _modules():
        return importlib.import_module(f"stegojax.{name}")
    raise AttributeError(f"module 'stegojax' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_PLACES, *_modules()})


def _modules() -> set[str]:
    """The package's modules by name; none is imported before it is asked for."""
    return {info.name for info in pkgutil.iter_modules(__path__) if info.name[0] != "_"}
