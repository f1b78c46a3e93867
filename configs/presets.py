"""The presets of a config file, as data.

    PRESETS = {
        "": ("what the file gives when no preset is named", {}),
        "tiny": ("one line that says what it is", {"steps": 8, "method.width": 0.5}),
    }

A preset's changes name fields with dots, and each field must exist; a dict as a value replaces a
whole section. `main.py --config=configs/NAME.py:help` lists a file's presets.
"""

import difflib
import importlib.util
import pathlib
import types
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

HELP = "help"
"""What stands in a preset's place to have the presets listed."""

Changes = Mapping[str, Any]
Presets = Mapping[str, tuple[str, Changes]]


def choose(config: ConfigDict, presets: Presets, name: str) -> ConfigDict:
    """Makes the changes of one preset.

    Args:
      config: what the file gives without a preset; it is changed in place.
      presets: the file's.
      name: of the preset.

    Returns:
      The config.

    Raises:
      ValueError: there is no preset of that name; the message is one line and names close ones.
      KeyError: a change is of a field that the config does not have.
    """
    if name not in presets:
        close = difflib.get_close_matches(name, [known for known in presets if known], n=3)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise ValueError(f"preset {name!r} is unknown; {hint}:{HELP} lists the {len(presets)}")
    change(config, presets[name][1])
    return config


def change(config: ConfigDict, changes: Changes) -> None:
    """Sets fields of a config in place.

    Args:
      config: what is changed.
      changes: field with dots -> value; a dict replaces a whole section.

    Raises:
      KeyError: the config has no such field.
    """
    for field, value in changes.items():
        *sections, last = field.split(".")
        section = config
        for name in sections:
            section = section[name]
        if last not in section:
            raise KeyError(f"the config has no field {field}")
        section[last] = ConfigDict(value) if isinstance(value, Mapping) else value


def at_scale(experiments: Presets, paper: Changes) -> dict[str, tuple[str, Changes]]:
    """Presets for each experiment of a paper at its scale.

    Args:
      experiments: name -> its line and its changes alone.
      paper: the changes that make the default the paper's scale; an experiment's come after.
    """
    return {name: (line, {**paper, **changes}) for name, (line, changes) in experiments.items()}


def small(experiments: Presets) -> dict[str, tuple[str, Changes]]:
    """Presets for each experiment of a paper at the default's scale, with "small_" before its name.

    Args:
      experiments: name -> its line and its changes alone.
    """
    return {
        f"small_{name}": (f"{line}; at the default's scale", changes)
        for name, (line, changes) in experiments.items()
    }


def load(path: str | pathlib.Path) -> types.ModuleType:
    """A config file as a module.

    Args:
      path: of the file, wherever it lies.

    Raises:
      FileNotFoundError: there is no such file.
    """
    path = pathlib.Path(path)
    spec = importlib.util.spec_from_file_location(f"config_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def listing(path: str | pathlib.Path) -> str:
    """The presets of a config file, a line each, under its title.

    Args:
      path: of the file.

    Raises:
      FileNotFoundError: there is no such file.
    """
    module = load(path)
    presets = getattr(module, "PRESETS", {})
    title = (module.__doc__ or str(path)).strip().partition("\n\n")[0].replace("\n", " ")
    width = max([len("(none)"), *map(len, presets)])
    lines = [f"  {name or '(none)':<{width}}  {line}" for name, (line, _) in presets.items()]
    return "\n".join([title, "", *(lines or ["  (none)"]), "", f"  --config={path}:NAME takes one"])
