"""Orientation maps as frames and back, and what a run of them becomes."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.config import DEFAULT_CONFIG, Config
from intercalate.ebsd_results import reduce_orientation_maps
from intercalate.orientation_frames import (
    NOT_INDEXED,
    OrientationFrame,
    OrientationFrameError,
    frame_shape,
    packed,
    unpacked,
)
from intercalate.views.orientations import save_grains_figure
from intercalate_sims.probes.ebsd import EbsdConditions, Grains, HiddenIndexing, orientation_map


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**31))
def test_what_was_packed_is_unpacked(rows: int, columns: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    made = OrientationFrame(
        generator.uniform(0, 360, (rows, columns, 3)),
        generator.integers(0, 256, (rows, columns)),
        generator.uniform(size=(rows, columns)) < 0.7,
    )
    frame = packed(made)
    assert frame.shape == frame_shape(rows, columns)
    assert frame.dtype == np.uint32
    found = unpacked(frame)
    assert np.array_equal(found.indexed, made.indexed)
    assert np.array_equal(found.band_contrast, made.band_contrast)
    assert np.all(np.abs(found.euler_deg - made.euler_deg)[made.indexed] <= 0.5e-3 + 1e-9)
    assert np.all(found.euler_deg[~made.indexed] == 0.0)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (np.zeros((8, 30)), "must have 4 times as many columns"),
        (np.zeros((8, 0)), "shape"),
        (np.zeros(32), "shape"),
        (np.full((8, 32), NOT_INDEXED - 1), "64 points have angles above 360"),
    ],
)
def test_what_is_no_map_is_refused(frame: np.ndarray, words: str) -> None:
    with pytest.raises(OrientationFrameError, match=words):
        unpacked(frame)


def test_angles_beyond_a_turn_are_refused() -> None:
    one = np.ones((2, 2))
    with pytest.raises(OrientationFrameError, match="from 0 to 360"):
        packed(OrientationFrame(np.full((2, 2, 3), -1.0), one, one.astype(bool)))


def test_a_damaged_frame_is_a_note_and_no_end_of_the_run(tmp_path: Path) -> None:
    section = Config.from_file(DEFAULT_CONFIG).ebsd
    assert section is not None
    good = orientation_map(Grains(10.0), EbsdConditions(1.25), HiddenIndexing.draw(3), 3, 0.0)
    frame = packed(OrientationFrame(good.euler_deg, good.band_contrast, good.indexed))
    frames = [np.full_like(frame, NOT_INDEXED - 1), frame, np.zeros_like(frame), frame]
    aligned = xr.Dataset(
        {"scan_step_um": ("frame", np.full(4, 1.25))}, {"test_time_second": ("frame", np.arange(4.0) * 600)}
    )
    data, _ = reduce_orientation_maps(frames, aligned, {}, section, lambda done: None)
    notes = [str(one) for one in data["note"].values]
    assert "above 360 deg" in notes[0]
    assert notes[1] == notes[3] == ""
    assert "0 % of the points show a pattern" in notes[2]
    assert list(data["grains_are"].values) == ["", "first", "", "same"]
    assert np.isnan(data["grain_diameter_um"][0])
    relative = np.asarray(data["grain_diameter_um_sigma_sys"])[1] / np.asarray(data["grain_diameter_um"])[1]
    assert relative > section.detector.step_sigma
    records = xr.Dataset(
        {
            "test_time_second": ("record", np.arange(4.0) * 600),
            "voltage_volt": ("record", np.full(4, 3.4)),
            "current_ampere": ("record", np.zeros(4)),
        }
    )
    save_grains_figure(tmp_path / "course.png", aligned.merge(data), records, "simulated")
    assert (tmp_path / "course.png").stat().st_size > 10_000


def test_a_run_that_does_not_tell_the_step_is_refused() -> None:
    section = Config.from_file(DEFAULT_CONFIG).ebsd
    assert section is not None
    with pytest.raises(ValueError, match="how far apart"):
        reduce_orientation_maps([], xr.Dataset(), {}, section, lambda done: None)
