"""Visits as they are planned."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.orchestration.schedule import Overheads, Wanted, plan_visits

STATION = Overheads(speed_mm_per_s=2.0, settling_s=0.2)


def cell(name, x_mm=0.0, every_s=600.0, hours=10.0, priority=0, exposure_s=60.0):
    duration_s = 3600 * hours
    due_s = [] if every_s is None else [every_s * i for i in range(math.ceil(duration_s / every_s))]
    return Wanted(name, (x_mm, 0.0), due_s, duration_s, exposure_s, 0.5, priority)


def test_one_cell_is_measured_on_its_grid_and_nothing_moves():
    one = plan_visits([cell("H1")], STATION).cells["H1"]
    assert one.visits == 60
    assert one.revisit_s == pytest.approx(600.0)
    assert (one.missed, one.moving_s, one.longest_wait_s) == (0, 0.0, 0.0)


def test_of_two_cells_the_second_waits_for_the_first_and_for_the_way():
    schedule = plan_visits([cell("H1"), cell("H2", 15.0)], STATION)
    way_s = 15.0 / 2.0 + 0.2
    assert schedule.cells["H2"].longest_wait_s == pytest.approx(60.5 + 2 * way_s)
    assert schedule.cells["H1"].longest_wait_s == pytest.approx(way_s)
    assert schedule.moving_s == pytest.approx(119 * way_s)
    assert schedule.exposing_s == 120 * 60.0
    assert schedule.reading_s == 120 * 0.5


def test_a_higher_priority_goes_first_and_a_twin_is_never_exposed():
    cells = [cell("H1", priority=0), cell("H2", priority=2), cell("twin", every_s=None, hours=20)]
    schedule = plan_visits(cells, STATION)
    assert schedule.cells["H2"].starts_s[0] < schedule.cells["H1"].starts_s[0]
    assert schedule.cells["twin"].visits == 0
    assert math.isnan(schedule.cells["twin"].revisit_s)
    assert schedule.duration_s == 20 * 3600


def test_a_beam_that_is_asked_for_too_much_is_shared_and_the_rest_counted():
    names = [f"H{i}" for i in range(8)]
    schedule = plan_visits([cell(n, 15.0 * i, every_s=300.0) for i, n in enumerate(names)], STATION)
    visits = [schedule.cells[name].visits for name in names]
    assert max(visits) - min(visits) <= 1
    for one in schedule.cells.values():
        assert one.revisit_s > 8 * 60
        assert one.visits + one.missed == pytest.approx(120, abs=2)
    assert schedule.exposing_s < schedule.duration_s
    assert "missed" in schedule.describe()


@settings(max_examples=60, deadline=None)
@given(
    asked=st.lists(
        st.tuples(st.floats(60, 5000), st.floats(0.1, 20), st.integers(-2, 2)), min_size=1, max_size=6
    ),
    exposure_s=st.floats(1, 300),
)
def test_no_two_exposures_overlap_and_no_occasion_is_lost(asked, exposure_s):
    cells = [cell(f"H{i}", 10.0 * i, *one, exposure_s) for i, one in enumerate(asked)]
    schedule = plan_visits(cells, STATION)
    starts = sorted(start for one in schedule.cells.values() for start in one.starts_s)
    assert all(later - earlier >= exposure_s - 1e-6 for earlier, later in pairwise(starts))
    for one in cells:
        got = schedule.cells[one.name]
        assert got.visits + got.missed == len(one.due_s)
        assert got.visits >= 1
