"""What makes a run longer and nothing else is told from every other difference."""

import pytest

from stegojax import longer


def lengths(steps=0, epochs=0.0, **method):
    return {"steps": steps, "epochs": epochs, "method": {"name": "any", **method}}


@pytest.mark.parametrize(
    "saved,given,lines",
    [
        (lengths(1200), lengths(2400), ["steps from 1200 to 2400"]),
        (lengths(epochs=1.5), lengths(epochs=3), ["epochs from 1.5 to 3"]),
        (
            lengths(stage_lengths=[10, 0, 20]),
            lengths(stage_lengths=[10, 0, 30]),
            ["method.stage_lengths from (10, 0, 20) to (10, 0, 30)"],
        ),
        (
            lengths(curriculum=[[0.8, 5], [0.4, 5]]),
            lengths(curriculum=[[0.8, 5], [0.4, 9]]),
            ["method.curriculum from ([0.8, 5], [0.4, 5]) to ([0.8, 5], [0.4, 9])"],
        ),
    ],
)
def test_what_grows_at_its_end_is_told(saved, given, lines):
    assert longer.changes(saved, given) == lines


@pytest.mark.parametrize(
    "saved,given",
    [
        (lengths(1200), lengths(1200)),
        (lengths(1200), lengths(600)),
        (lengths(1200), lengths(0, 3.0)),
        (lengths(1200), lengths(2400, 3.0)),
        (lengths(1200), lengths(True)),
        (lengths(stage_lengths=[10, 20]), lengths(stage_lengths=[20, 30])),
        (lengths(stage_lengths=[10, 20]), lengths(stage_lengths=[10, 20, 5])),
        (lengths(stage_lengths=[10, 0]), lengths(stage_lengths=[10, 5])),
        (lengths(curriculum=[[0.8, 5]]), lengths(curriculum=[[0.4, 9]])),
        (lengths(stage_steps=[10, 20]), lengths(stage_steps=[])),
    ],
)
def test_every_other_difference_is_none(saved, given):
    assert longer.changes(saved, given) == []
