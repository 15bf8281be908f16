"""Frames of a run to lattice parameters: one bad frame is said and costs no other."""

import numpy as np
import pytest
import xarray as xr

from intercalate.analysis import Exposure, reduce_and_fit
from intercalate.beam_quality import BeamQuality
from intercalate.calibrations import Calibration, CalibrationStore, Kind
from intercalate.reduction import Pattern, layered_oxide
from intercalate.reduction.chain import Reduced, UnusableFrameError
from intercalate.results import ReductionWarning, exposures_of_frames

from .powder_samples import oxide_lines, pattern_of


class Chain:
    """Stands for a chain: a frame is the number of its pattern, and 0 is empty."""

    def __init__(self) -> None:
        self.before: list[int | None] = []

    def reduce(self, frame, *, before=None, monitor=np.nan):
        self.before.append(before)
        if frame == 0 or not monitor > 0:
            raise UnusableFrameError("nothing in it")
        return Reduced(self.pattern(frame), 0, monitor)

    @staticmethod
    def pattern(number: int) -> Pattern:
        return pattern_of(oxide_lines(2.84, 14.30 + 0.01 * number), number)


def reduced(frames, exposures):
    return reduce_and_fit(frames, exposures, Chain(), [layered_oxide("NMC811")])


VALID = Exposure(1e6, BeamQuality.VALID)


@pytest.mark.parametrize(
    ("frame", "exposure", "message"),
    [
        (2, Exposure(1e2, BeamQuality.NONE), "no beam"),
        (0, VALID, "nothing in it"),
        (2, Exposure(-5.0, BeamQuality.UNKNOWN), "nothing in it"),
        (2, Exposure(np.nan, BeamQuality.UNKNOWN), "another exposure"),
    ],
)
def test_a_frame_that_cannot_be_used_is_said_and_the_others_are_fitted(frame, exposure, message):
    data = reduced([1, frame, 3], [VALID, exposure, VALID])
    assert data["converged"].values.tolist() == [True, False, True]
    assert message in str(data["message"].values[1])
    assert np.isnan(data["intensity"].values[1]).all()
    np.testing.assert_allclose(data["NMC811.c"].values[[0, 2]], [14.31, 14.33], atol=3e-3)


def test_weak_frames_are_fitted():
    data = reduced([1, 2], [VALID, Exposure(1e5, BeamQuality.WEAK)])
    assert data["converged"].all()


def test_no_beam_at_all_is_said():
    with pytest.raises(ValueError, match="no pattern: no beam"):
        reduced([1, 2], [Exposure(1e2, BeamQuality.NONE)] * 2)


@pytest.fixture
def dark(tmp_path) -> Calibration:
    return CalibrationStore(tmp_path).keep(Kind.DARK, "run", {"it_dark_per_s": 8.0}, key="60s")


def aligned(**more):
    columns = {"frame_index": ("frame", np.array([3, 4, 6])), **more}
    return xr.Dataset(columns, coords={"frame": np.arange(3)})


def test_monitors_are_freed_of_dark_counts_and_lag_needs_the_frame_before(dark):
    data = aligned(
        it_counts=("frame", np.array([1e6, 2e6, 0.0])),
        live_time_s=("frame", np.full(3, 60.0)),
        beam_quality=("frame", np.array(["valid", "weak", "none"])),
    )
    found = exposures_of_frames(data, dark)
    assert [one.monitor for one in found] == [1e6 - 480, 2e6 - 480, -480]
    assert [one.follows for one in found] == [False, True, False]
    assert [one.quality for one in found] == [BeamQuality.VALID, BeamQuality.WEAK, BeamQuality.NONE]


def test_a_run_without_monitors_is_reduced_with_a_warning(dark):
    with pytest.warns(ReductionWarning, match="no monitor counts"):
        found = exposures_of_frames(aligned(), dark)
    assert all(np.isnan(one.monitor) for one in found)
    assert {one.quality for one in found} == {BeamQuality.UNKNOWN}
