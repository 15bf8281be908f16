"""What is kept of an instrument stays as it was, and is found again by its hash."""

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.calibrations import PLANS, CalibrationError, CalibrationStore, Kind, exposure_key
from intercalate.correction_chain import arrays_of, chain_of, pattern_of
from intercalate.reduction import Pattern

VALUES = st.dictionaries(
    st.text("abcdefgh_", min_size=1, max_size=10),
    st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.text(max_size=20)),
    max_size=5,
)


@pytest.fixture
def store(tmp_path: Path) -> CalibrationStore:
    return CalibrationStore(tmp_path / "calibration")


@settings(max_examples=40)
@given(values=VALUES)
def test_values_arrays_and_texts_come_back(tmp_path_factory: pytest.TempPathFactory, values) -> None:
    store = CalibrationStore(tmp_path_factory.mktemp("store"))
    array = np.arange(6.0).reshape(2, 3)
    kept = store.keep(Kind.FLAT, "run-1", values, arrays={"mask": array}, texts={"a.txt": "ä\n"})
    (read,) = store
    assert read == kept
    assert read.values == values
    np.testing.assert_array_equal(read.array("mask"), array)
    assert read.text("a.txt") == "ä\n"
    assert store.find(kept.sha256) == kept


def test_the_latest_is_in_use_and_older_ones_stay(store: CalibrationStore) -> None:
    first = store.keep(Kind.DARK, "a", {"frames": 3}, key="60s")
    other = store.keep(Kind.DARK, "a", {"frames": 3}, key="300s")
    second = store.keep(Kind.DARK, "b", {"frames": 9}, key="60s")
    assert [one.run for one in store] == ["a", "a", "b"]
    assert store.latest(Kind.DARK, "60s") == second
    assert store.in_use() == {"dark:60s": second, "dark:300s": other}
    assert store.find(first.sha256) == first
    summary = store.summary()
    assert summary["dark:60s"]["sha256"] == second.sha256
    assert summary["dark:60s"]["run"] == "b"
    json.dumps(summary)


def test_keys_of_documents_have_no_points(store: CalibrationStore) -> None:
    kept = [
        store.keep(kind, "a", {}, key=key)
        for kind, key in ((Kind.DARK, "0.2s"), (Kind.COMPOUND, "Li0.5CoO2"))
    ]
    summary = store.summary()
    assert set(summary) == {"dark:0_2s", "compound:Li0_5CoO2"}
    assert {one["sha256"] for one in summary.values()} == {one.sha256 for one in kept}


def test_the_same_values_at_another_time_have_another_hash(store: CalibrationStore) -> None:
    hashes = {store.keep(Kind.FLAT, "a", {"x": 1}).sha256 for _ in range(5)}
    assert len(hashes) == 5


def test_what_is_missing_is_named_with_the_plan_that_makes_it(store: CalibrationStore) -> None:
    assert store.latest(Kind.GEOMETRY) is None
    assert store.summary() == {}
    for kind in Kind:
        with pytest.raises(CalibrationError, match=PLANS[kind]):
            store.need(kind, "60s")


def test_what_could_not_be_determined_is_not_kept(store: CalibrationStore) -> None:
    with pytest.raises(CalibrationError, match="flat: lag could not be determined"):
        store.keep(Kind.FLAT, "a", {"lag": math.nan, "frames": 3})
    assert not list(store)


def test_a_file_that_was_changed_is_not_believed(store: CalibrationStore) -> None:
    kept = store.keep(Kind.FLAT, "a", {}, arrays={"mask": np.zeros(3)})
    np.save(kept.folder / "mask.npy", np.ones(3))
    with pytest.raises(CalibrationError, match=r"was changed since.*take_flat"):
        kept.array("mask")
    (kept.folder / "mask.npy").unlink()
    with pytest.raises(CalibrationError, match="missing"):
        kept.array("mask")


def test_what_was_not_finished_does_not_count(store: CalibrationStore) -> None:
    store.keep(Kind.FLAT, "a", {})
    (store.folder / ".unfinished-x").mkdir()
    (store.folder / "notes").mkdir()

    class NotAnArray:
        def __array__(self, *_: object) -> np.ndarray:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.keep(Kind.FLAT, "b", {}, arrays={"mask": NotAnArray()})
    assert [one.run for one in store] == ["a"]
    assert {one.name for one in store.folder.iterdir() if one.name.startswith(".")} == {".unfinished-x"}


def test_age_is_in_hours(store: CalibrationStore) -> None:
    kept = store.keep(Kind.FLAT, "a", {})
    assert kept.age_h() == pytest.approx(0.0, abs=0.01)
    assert kept.age_h(datetime.now(UTC) + timedelta(hours=3)) == pytest.approx(3.0, abs=0.01)


@pytest.mark.parametrize(("exposure_s", "key"), [(60.0, "60s"), (0.5, "0.5s"), (1e-3, "0.001s")])
def test_exposures_have_readable_keys(exposure_s: float, key: str) -> None:
    assert exposure_key(exposure_s) == key


def test_a_pattern_comes_back(store: CalibrationStore) -> None:
    pattern = Pattern(np.arange(1.0, 9.0), np.arange(8.0), np.ones(8), 12.398419843320026 / 25.0)
    kept = store.keep(Kind.BACKGROUND, "a", {"energy_kev": 25.0}, arrays=arrays_of(pattern))
    read = pattern_of(kept)
    np.testing.assert_array_equal(read.intensity, pattern.intensity)
    assert read.wavelength_angstrom == pytest.approx(pattern.wavelength_angstrom)


def test_a_chain_says_which_calibration_it_lacks(store: CalibrationStore) -> None:
    with pytest.raises(CalibrationError, match=r"no calibration geometry .*calibrate_geometry"):
        chain_of(store.in_use(), 60.0, 1e6)
    store.keep(Kind.GEOMETRY, "a", {"energy_kev": 25.0}, texts={"geometry.poni": "x"})
    store.keep(Kind.DARK, "a", {}, key="30s")
    with pytest.raises(CalibrationError, match=r"no calibration dark:60s \(there is dark:30s\)"):
        chain_of(store.in_use(), 60.0, 1e6)
