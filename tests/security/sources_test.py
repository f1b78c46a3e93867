"""Sources of stegos as they are written, and the names of their files."""

import pytest

from stegojax.errors import InputError
from stegojax.security.sources import Case, parse

SIMULATOR = "simulator"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("hill", ("hill", "Baseline", "scheme", "hill", SIMULATOR, None)),
        ("hill-cmd", ("hill", "CMD", "scheme", "hill-cmd", SIMULATOR, None)),
        ("wow-synch+stc7", ("wow", "SYNCH stc7", "scheme", "wow-synch", "stc7", None)),
        ("suniward+stc", ("suniward", "stc10", "scheme", "suniward", "stc10", None)),
        ("hill-plain", ("hill", "Baseline", "scheme", "hill-plain", SIMULATOR, None)),
        ("lsb-matching", ("lsb-matching", "Baseline", "lsb-matching", "", SIMULATOR, None)),
        ("covers", ("covers", "Baseline", "covers", "", SIMULATOR, None)),
        ("hill/Proposed=run:runs/a b@0.4", ("hill", "Proposed", "run", "runs/a b", SIMULATOR, 0.4)),
        ("run:runs/a+stc@0.2", ("run:a", "stc10", "run", "runs/a", "stc10", 0.2)),
        ("cmd:run:runs/a+stc@0.2", ("run:a", "CMD stc10", "run", "runs/a", "stc10", 0.2, "cmd")),
        ("plain:run:runs/a@0.2", ("run:a", "Baseline", "run", "runs/a", SIMULATOR, 0.2, "plain")),
        ("folder:/x/y-z", ("folder:y-z", "Baseline", "folder", "/x/y-z", SIMULATOR, None)),
    ],
)
def test_sources_are_read(text, expected):
    assert parse(text) == (text, *expected, *[""] * (6 == len(expected)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hil",
        "hill-cmb",
        "hill+huffman",
        "run:",
        "run",
        "folder",
        "covers-cmd",
        "hill:x",
        "hill@0.4",
        "lsb-matching+stc",
        "hill+stc6",
        "run:x+stc",
        "folder:x+stc",
        "cmd:run:x",
        "cmb:run:x@0.4",
        "cmd:folder:x@0.4",
    ],
)
def test_what_is_no_source_is_refused_in_one_line(text):
    with pytest.raises(InputError, match="is not understood; write COST") as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_different_sources_have_different_files():
    texts = ["hill", "hill-cmd", "hill+stc", "a/b=run:x/y", "a/b=run:x_y", "run:x:y"]
    labels = {Case(parse(text), 0.4).label for text in texts}
    assert len(labels) == len(texts) and all("/" not in label for label in labels)
    assert Case(parse("hill"), 0.2).label != Case(parse("hill"), 0.4).label


def test_files_of_earlier_versions_are_found_again():
    """The label decides the file, and from it follows everything random."""
    assert Case(parse("lsb-matching"), 0.4).label == "lsb-matching@0.4"
    assert Case(parse("hill-cmd+stc"), 0.2).label == "hill-cmd+stc@0.2"
    assert Case(parse("hill/Proposed=run:runs/a@0.4"), 0.4).label == (
        "hill_Proposed_run_runs_a_0.4-d8d27438"
    )
