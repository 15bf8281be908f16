"""Time divided by its uses."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.catalog.client import CatalogError
from intercalate.report import OTHERWISE, divide, in_hours, reports_of_experiment

MOMENTS = st.integers(-5, 25)
SPANS = st.lists(st.tuples(MOMENTS, MOMENTS).map(sorted), max_size=6).map(
    lambda found: np.array(found, float).reshape(-1, 2)
)


@settings(max_examples=200, deadline=None)
@given(first=SPANS, second=SPANS)
def test_every_second_has_one_use_and_the_first_named_counts(first: np.ndarray, second: np.ndarray) -> None:
    found = divide({"first": first, "second": second}, (0.0, 20.0))
    expected = {"first": 0, "second": 0, OTHERWISE: 0}
    for second_s in range(20):
        inside = [any(a <= second_s and second_s + 1 <= b for a, b in spans) for spans in (first, second)]
        expected["first" if inside[0] else "second" if inside[1] else OTHERWISE] += 1
    assert found == expected


def test_an_experiment_without_time_has_none() -> None:
    assert divide({"first": np.empty((0, 2))}, (3.0, 3.0)) == {"first": 0.0, OTHERWISE: 0.0}


def test_uses_that_do_not_occur_are_not_named() -> None:
    assert (
        in_hours({"exposing": 1800.0, "moving": 0.0, OTHERWISE: 5400.0})
        == "exposing 0.50 h, otherwise 1.50 h"
    )


def test_a_run_of_frames_alone_has_no_report() -> None:
    counted = SimpleNamespace(metadata={"start": {"uid": "95e1a8a5-aaaa", "plan_name": "count_frames"}})
    with pytest.raises(CatalogError, match="95e1a8a5 is count_frames alone"):
        reports_of_experiment(None, counted)
