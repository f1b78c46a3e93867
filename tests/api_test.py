"""The shape of the package: what its public functions promise, how long they are, and which room
imports which.
"""

import ast
import importlib
import inspect
import pathlib
import pkgutil
import re

import stegojax

PACKAGE = pathlib.Path(stegojax.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = sorted(info.name for info in pkgutil.walk_packages([str(PACKAGE)], "stegojax."))
ROOMS = (
    "types errors progress settings edge files images data costs probabilities coding recipes "
    "domains embed secret inputs envelope batches steganalysis similarity models losses "
    "metrics tables optimizers parallel methods plots journal checkpoint older longer zoo run "
    "tiles train hiders security protocols evaluate export detection verdicts arrays demo cli"
).split()
"""Every room, in the order data flows: a room imports earlier ones alone."""

LONGEST = 100
LONG_ON_PURPOSE = {("cli.py", "_parser")}
"""Argument parsers, which are lists of what there is."""

OTHER_WORDS = re.compile(
    r"\b(?:an?|the|its|every|each) judges?\b"
    r"|(?<!Wasserstein )(?<!paper's )\bcritics?\b|\bdetectors?\b(?!\.json)",
    re.IGNORECASE,
)
"""A steganalyzer has one name, but for what is a term of its own and in files of old."""


def public_functions():
    """Name and function of every public function that the package defines, methods of classes
    aside.
    """
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name, value in vars(module).items():
            if (
                inspect.isfunction(value)
                and value.__module__ == module_name
                and not name.startswith("_")
                and value.__name__ == name
            ):
                yield f"{module_name}.{name}", value


FUNCTIONS = dict(public_functions())


def documented_arguments(docstring):
    """The names that a docstring's section Args lists."""
    section = re.search(
        r"\n *Args:\n(.*?)(?=\n *(?:Returns|Yields|Raises|Example)|\Z)", docstring, re.DOTALL
    )
    if not section:
        return set()
    lines = section[1].splitlines()
    depth = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    names = set()
    for line in lines:
        if line[:depth].strip() == "" and line[depth : depth + 1].strip() and ":" in line:
            names |= set(re.findall(r"\w+", line.split(":")[0]))
    return names


def test_every_module_and_public_function_says_what_it_is():
    silent = [name for name in MODULES if not inspect.getdoc(importlib.import_module(name))]
    silent += [name for name, function in FUNCTIONS.items() if not inspect.getdoc(function)]
    assert not silent


def test_docstrings_name_every_argument_and_no_other():
    wrong = {}
    for name, function in FUNCTIONS.items():
        given = set(inspect.signature(function).parameters)
        named = documented_arguments("\n" + (inspect.getdoc(function) or ""))
        if given != named:
            wrong[name] = {"undocumented": sorted(given - named), "unknown": sorted(named - given)}
    assert not wrong


def test_the_key_comes_first_and_switches_are_given_by_name():
    wrong = []
    for name, function in FUNCTIONS.items():
        parameters = list(inspect.signature(function).parameters.values())
        positional = [
            parameter
            for parameter in parameters
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        ]
        names = [parameter.name for parameter in positional]
        if "key" in names[1:] and names[0] not in ("state", "batch"):
            wrong.append(f"{name}: the key comes first, got {names}")
        if any(isinstance(parameter.default, bool) for parameter in positional):
            wrong.append(f"{name}: a switch is keyword-only")
    assert not wrong


def functions_of(path):
    """Name and number of lines of every function in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node.name, node.end_lineno - node.lineno + 1


def test_functions_are_short():
    too_long = [
        f"{path.relative_to(PACKAGE)}: {name} has {length} lines"
        for path in FILES
        for name, length in functions_of(path)
        if length > LONGEST and (path.name, name) not in LONG_ON_PURPOSE
    ]
    assert not too_long


def imported_rooms(path):
    """The rooms that a file imports from, with the line of each import."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "stegojax":
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stegojax."):
            yield node.module.split(".")[1], node.lineno
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("stegojax."):
                    yield alias.name.split(".")[1], node.lineno


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_imports_run_one_way():
    wrong = []
    for path in FILES:
        room = room_of(path)
        if room.startswith("__"):
            continue
        if room not in ROOMS:
            wrong.append(f"{room} has no place in the order of rooms")
            continue
        for imported, line in imported_rooms(path):
            if imported in ROOMS and ROOMS.index(imported) > ROOMS.index(room):
                wrong.append(
                    f"{path.relative_to(PACKAGE)}:{line} imports from the later room {imported}"
                )
    assert not wrong


def test_no_drawers_and_one_file_that_says_pmap():
    assert not [path for path in FILES if path.stem in ("utils", "helpers", "common", "misc")]
    assert [path.name for path in FILES if "jax.pmap" in path.read_text()] == ["parallel.py"]
    assert not [path for path in FILES if path.stat().st_size > 40_000]


def test_one_word_for_a_steganalyzer():
    used = []
    for path in FILES:
        if path.name == "older.py":
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if "_OLDER" not in line and OTHER_WORDS.search(line):
                used.append(f"{path.relative_to(PACKAGE)}:{number}: {line.strip()}")
    assert not used
