"""The shape of the public functions: keys first, options keyword-only, docstrings with what goes in
and comes out.
"""

import importlib
import inspect
import pathlib
import pkgutil

import pytest

import stegojax

PACKAGE = pathlib.Path(stegojax.__file__).parent
MODULES = sorted(info.name for info in pkgutil.walk_packages([str(PACKAGE)], "stegojax."))
ROOMS = [
    "types",
    "errors",
    "files",
    "images",
    "data",
    "costs",
    "probabilities",
    "coding",
    "recipes",
    "domains",
    "embed",
    "secret",
    "envelope",
    "steganalysis",
    "similarity",
    "models",
    "losses",
    "metrics",
    "batches",
    "tables",
    "optimizers",
    "parallel",
    "methods",
    "plots",
    "journal",
    "checkpoint",
    "older",
    "run",
    "tiles",
    "train",
    "hiders",
    "security",
    "protocols",
    "evaluate",
    "detection",
    "arrays",
    "cli",
]
"""Every room, in the order data flows: a room imports earlier ones alone."""


def public_functions():
    for name in MODULES:
        module = importlib.import_module(name)
        for label, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == name and not label.startswith("_"):
                yield f"{name}.{label}", value


FUNCTIONS = dict(public_functions())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_is_documented_and_takes_options_by_name(name):
    function = FUNCTIONS[name]
    assert inspect.getdoc(function), f"{name} has no docstring"
    parameters = list(inspect.signature(function).parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names = [p.name for p in positional]
    assert "key" not in names[1:] or names[0] in ("self", "state", "batch"), (
        f"{name}: the key comes first, got {names}"
    )
    for parameter in positional:
        assert not isinstance(parameter.default, bool), (
            f"{name}: {parameter.name} must be keyword-only"
        )


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_is(name):
    assert inspect.getdoc(importlib.import_module(name)), name


def room(name):
    return name.split(".")[1]


@pytest.mark.parametrize("name", MODULES)
def test_imports_run_one_way(name):
    assert room(name) in ROOMS, f"{name} has no place in the order of rooms"
    source = inspect.getsource(importlib.import_module(name))
    for later in ROOMS[ROOMS.index(room(name)) + 1 :]:
        for form in (
            f"from stegojax.{later} import",
            f"from stegojax.{later}.",
            f"import stegojax.{later}",
        ):
            assert form not in source, f"{name} imports from the later room {later}"
        for line in source.splitlines():
            if line.strip().startswith("from stegojax import"):
                imported = [
                    word.strip().split(" as ")[0] for word in line.split("import", 1)[1].split(",")
                ]
                assert later not in imported, f"{name} imports the later room {later}"


def test_no_drawers_and_one_file_that_says_pmap():
    files = list(PACKAGE.rglob("*.py"))
    assert not [path for path in files if path.stem in ("utils", "helpers", "common", "misc")]
    assert [path.name for path in files if "jax.pmap" in path.read_text()] == ["parallel.py"]
    assert not [path for path in files if path.stat().st_size > 40_000]
