"""Cells are taken in reflection or in transmission, as they are built."""

import re

import pytest

from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.orchestration.reflection_check import problems_of_incidence
from intercalate.orchestration.tasks import MeasurementTask

REFLECTS = Cell.from_file(EXAMPLES / "cells" / "lfp_thick_lithium_reflection.toml")
TRANSMITS = Cell.from_file(EXAMPLES / "cells" / "lfp_lithium_operando.toml")


class _Station:
    name = "xrd"

    def __init__(self, technique="xrd", settings=("incidence_deg",)):
        self.technique = technique
        self.settings = dict.fromkeys(settings)


def asked(cell, station=None, **settings):
    task = MeasurementTask(exposure_s=30.0, settings=settings, budget_MGy="unlimited")
    return [str(one) for one in problems_of_incidence(task, station or _Station(), cell)]


def test_each_kind_of_cell_has_its_angles():
    assert asked(REFLECTS, incidence_deg=[1.0, 2.0, 3.0]) == []
    assert asked(TRANSMITS) == []
    assert asked(TRANSMITS, incidence_deg=90.0) == []
    assert asked(REFLECTS, _Station("raman", ())) == []


@pytest.mark.parametrize(
    ("cell", "settings", "words"),
    [
        (REFLECTS, {}, "one window: no beam comes through it"),
        (REFLECTS, {"incidence_deg": [2.0, 45.0]}, "settings.incidence_deg.*45.*from 0.3 to 15 deg"),
        (TRANSMITS, {"incidence_deg": 2.0}, "settings.incidence_deg.*at 90 deg.*operando_transmission"),
    ],
)
def test_others_are_refused_with_what_to_do(cell, settings, words):
    (problem,) = asked(cell, **settings)
    assert re.search(words, problem)


def test_without_an_axis_no_cell_is_taken_in_reflection():
    (problem,) = asked(REFLECTS, _Station(settings=()))
    assert "[goniometer]" in problem
