"""An exposed spot and its controls: errors cover, false alarms are rare, effects are found."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from intercalate.beam_effect import FALSE_ALARM, SPOT_SHARE, Comparison, Difference, compare
from intercalate.config import DEFAULT_CONFIG, EXAMPLES, Config
from intercalate.experiment import Experiment
from intercalate.results import write_beam_effect

STAT, SYS = 1e-4, 8e-4
EXPOSED_S = np.arange(0.0, 72_000.0, 600.0)
CUSP_S = 36_250.0
CONTROL_S = np.array([200.0, 30_100.0, CUSP_S, 60_350.0, 71_000.0])
FRAME_GY = 3700.0


def course(time_s: np.ndarray) -> np.ndarray:
    """Rises, falls, and bends sharply in between, as c of an oxide does."""
    return 14.2 + 0.25 * np.minimum(time_s / 36_000.0, 2.0 - time_s / 36_000.0) ** 2


def frames(
    time_s: np.ndarray, values: np.ndarray, prior_gy: np.ndarray | float = 0.0, **more: np.ndarray
) -> xr.Dataset:
    """As a reduction gives them, of one quantity."""
    count = len(time_s)
    columns = {
        "NMC811.c": values,
        "NMC811.c_sigma_stat": np.full(count, STAT),
        "NMC811.c_sigma_sys": np.full(count, SYS),
        "dose_spot_gy": np.broadcast_to(prior_gy, count) + FRAME_GY,
        "dose_exposure_gy": np.full(count, FRAME_GY),
        **more,
    }
    return xr.Dataset(
        {name: ("frame", value, {"units": "angstrom"}) for name, value in columns.items()},
        {"frame": np.arange(count), "test_time_second": ("frame", time_s)},
    )


def experiment(seed: int, effect: float = 0.0) -> tuple[xr.Dataset, xr.Dataset]:
    """Exposed spot and controls: counting errors, a common error, and one of each spot; an effect by dose."""
    draw = np.random.default_rng(seed)
    common = SYS * draw.normal()
    spots = SPOT_SHARE / math.sqrt(2.0) * SYS * draw.normal(size=1 + len(CONTROL_S))
    prior = FRAME_GY * np.arange(len(EXPOSED_S))
    exposed = course(EXPOSED_S) + common + spots[0] + STAT * draw.normal(size=len(EXPOSED_S))
    exposed += effect * prior / prior[-1]
    control = course(CONTROL_S) + common + spots[1:] + STAT * draw.normal(size=len(CONTROL_S))
    return frames(EXPOSED_S, exposed, prior), frames(CONTROL_S, control)


def test_without_an_effect_errors_cover_the_difference_and_false_alarms_are_rare() -> None:
    found = [compare(*experiment(seed)) for seed in range(500)]
    assert {len(one.differences) for one in found} == {len(CONTROL_S)}
    pulls = np.array([[one.significance for one in each.differences] for each in found])
    # 2500 of them, of which those of one experiment share the error of the exposed spot.
    assert 0.66 < np.mean(np.abs(pulls) < 1) < 0.80
    assert np.mean(np.abs(pulls) < 2) > 0.945
    assert np.mean([one.found for one in found]) <= FALSE_ALARM


def test_an_effect_is_found_with_its_size_and_grows_with_the_dose() -> None:
    found = [compare(*experiment(seed, effect=1.5e-3)) for seed in range(100)]
    assert np.mean([one.found for one in found]) > 0.95
    last = [one.differences[-1] for one in found]
    expected = 1.5e-3 * 71_000.0 / EXPOSED_S[-1]
    assert np.mean([one.value for one in last]) == pytest.approx(expected, abs=5e-5)
    assert np.mean([abs(one.value - expected) < one.sigma for one in last]) > 0.55
    means = np.mean([[one.value for one in each.differences] for each in found], axis=0)
    assert (np.diff(means) > 0).all()
    assert "An effect of the beam was found" in found[0].sentence()
    assert "NMC811.c" in found[0].sentence()


def test_an_upper_limit_is_seldom_exceeded_by_the_truth() -> None:
    effect = 2e-4
    limits = [compare(*experiment(seed, effect)).differences[-1].upper_limit for seed in range(300)]
    assert np.mean(np.array(limits) > effect * 71_000.0 / EXPOSED_S[-1]) >= 0.95
    sentence = compare(*experiment(1)).sentence()
    assert sentence.startswith("No effect of the beam was found up to 0.43")
    assert "95% confidence" in sentence
    assert "in NMC811.c" in sentence


def test_a_common_error_cancels_and_only_a_twin_keeps_it() -> None:
    exposed, control = experiment(3)
    spot, twin = compare(exposed, control), compare(exposed, control, is_twin=True)
    for one, other in zip(spot.differences, twin.differences, strict=True):
        assert one.value == other.value
        assert one.sigma_stat == other.sigma_stat
    # Where the course has a cusp, the error of the interpolation is larger than both.
    smooth = [number for number, time_s in enumerate(CONTROL_S) if time_s != CUSP_S]
    for number in smooth:
        assert spot.differences[number].sigma_sys < 0.4 * twin.differences[number].sigma_sys
    assert spot.differences[2].sigma_sys > 2 * SYS
    assert min(one.sigma_sys for one in twin.differences) > math.sqrt(2) * SYS * 0.999


def test_counting_errors_are_those_of_the_interpolation() -> None:
    exposed, control = experiment(0)
    halfway = control.isel(frame=[0]).assign_coords(test_time_second=("frame", [30_300.0]))
    (one,) = compare(exposed, halfway).differences
    assert one.sigma_stat == pytest.approx(STAT * math.sqrt(1.5))
    assert one.dose_gy == pytest.approx(50.5 * FRAME_GY)
    assert one.control_dose_gy == 0


def test_a_twin_of_another_capacity_is_no_effect() -> None:
    """2 % more mass: at the same charge it is 2 % behind; the charge is where the difference comes from."""
    charge = np.minimum(EXPOSED_S, 72_000.0 - EXPOSED_S) / 36_000.0
    exposed = frames(
        EXPOSED_S, 14.2 + 0.25 * charge**2, FRAME_GY * np.arange(len(EXPOSED_S)), net_capacity_ah=charge
    )
    at = np.interp(CONTROL_S, EXPOSED_S, charge)
    control = frames(CONTROL_S, 14.2 + 0.25 * (at / 1.02) ** 2)
    as_spot, as_twin = compare(exposed, control), compare(exposed, control, is_twin=True)
    assert as_spot.found
    assert not as_twin.found


def test_what_cannot_be_compared_is_said() -> None:
    exposed, control = experiment(0)
    largest = float(exposed["dose_spot_gy"].max())
    control["dose_spot_gy"][1] = 0.5 * largest
    control["in_gap"] = ("frame", np.array([False, False, True, False, False]))
    control["NMC811.c"][3] = np.nan
    far = control.assign_coords(test_time_second=("frame", [*CONTROL_S[:4], 90_000.0]))
    found = compare(exposed, far)
    assert len(found.differences) == 1
    reasons = [reason for _, reason in found.skipped]
    assert "not fresh" in reasons[0]
    assert "no cycler records" in reasons[1]
    assert len(reasons) == 4
    nothing = compare(exposed, far.isel(frame=[1]))
    assert nothing.sentence().startswith("Nothing can be said of an effect of the beam: its spot was not")
    assert not nothing.found


def test_a_hole_in_the_exposed_frames_is_not_bridged() -> None:
    exposed, control = experiment(0)
    exposed = exposed.isel(frame=(EXPOSED_S < 26_000.0) | (EXPOSED_S > 40_000.0))
    found = compare(exposed, control)
    assert {one.test_time_s for one in found.differences} == {CONTROL_S[0], *CONTROL_S[3:]}
    assert len(found.skipped) == 2


@pytest.mark.parametrize("time_s", [-300.0, EXPOSED_S[-1] + 300.0])
def test_nothing_is_extrapolated(time_s: float) -> None:
    exposed, control = experiment(0)
    beside = control.isel(frame=[4]).assign_coords(test_time_second=("frame", [time_s]))
    found = compare(exposed, beside)
    assert not found.differences
    assert "right before and after" in found.sentence()


def test_without_accounts_doses_are_unknown_and_spots_count_as_fresh() -> None:
    exposed, control = (one.drop_vars(["dose_spot_gy", "dose_exposure_gy"]) for one in experiment(0))
    found = compare(exposed, control)
    assert len(found.differences) == len(CONTROL_S)
    assert all(math.isnan(one.dose_gy) for one in found.differences)
    assert "an unknown dose" in found.sentence()


def test_frames_without_a_common_quantity_are_refused() -> None:
    exposed, control = experiment(0)
    with pytest.raises(ValueError, match="no fitted quantity in common"):
        compare(exposed, control.drop_vars("NMC811.c"))


def test_the_bound_of_chance_grows_with_the_number_of_comparisons() -> None:
    one = Difference("NMC811.c", "angstrom", 0.0, 0.0, 0.0, 1.0, 1.0, 0.0)
    assert Comparison((one,)).threshold == pytest.approx(1.960, abs=1e-3)
    assert Comparison((one,) * 10).threshold == pytest.approx(2.800, abs=1e-3)
    assert math.isinf(Comparison(()).threshold)


def test_results_are_written_and_say_that_they_are_simulated(tmp_path: Path) -> None:
    found = compare(*experiment(1, effect=1e-2))
    start = {"uid": "abc", "sample": "cell", "simulated": True}
    paths = write_beam_effect(found, start, {"uid": "def"}, tmp_path / "out")
    assert [path.name for path in paths] == ["beam_effect.json", "beam_effect.png"]
    content = json.loads(paths[0].read_text())
    assert content["simulated"] is True
    assert content["control_run"] == "def"
    assert content["found"] is True
    assert len(content["differences"]) == len(CONTROL_S)
    assert paths[1].stat().st_size > 10_000


def test_the_example_measures_fresh_spots_at_the_start_in_the_middle_and_at_the_end() -> None:
    path = EXAMPLES / "experiments" / "beam_effect.toml"
    exposed, twin = Experiment.from_file(path, Config.from_file(DEFAULT_CONFIG).site).cells
    assert [one.name for one in exposed.measurements] == ["xrd", "control"]
    assert [one.name for one in twin.measurements] == ["control"]
    control = exposed.measurements[1]
    assert control.when == twin.measurements[0].when
    assert control.at_budget == "next_spot"
    spots = np.array([(0.0, 0.0), *control.spots_mm])
    apart = np.abs(spots[:, None] - spots[None]).max(axis=-1)
    assert apart[~np.eye(len(spots), dtype=bool)].min() > 0.5
    # Two steps, a level that is passed twice, and one that is passed once.
    assert len(control.spots_mm) >= 5


def test_a_spot_that_no_longer_fits_where_its_control_does_is_said() -> None:
    exposed, control = experiment(3)
    late = EXPOSED_S > 59_000.0
    for name in ("NMC811.c", "NMC811.c_sigma_stat", "NMC811.c_sigma_sys"):
        exposed[name][late] = math.nan
    exposed["reduced_chi2"] = ("frame", np.where(late, 7000.0, 100.0))
    control["reduced_chi2"] = ("frame", np.full(len(CONTROL_S), 100.0))
    found = compare(exposed, control)
    assert [time_s for time_s, _ in found.misfits] == list(CONTROL_S[3:])
    assert [ratio for _, ratio in found.misfits] == pytest.approx([70.0, 70.0])
    assert len(found.differences) == 3
    assert {reason for _, reason in found.skipped} == {
        "there is no fit of the exposed spot right before and after"
    }
    assert "At 16.8 h, 19.7 h the exposed spot has no fit where the control has one" in found.sentence()
    assert "up to 70 times the control's" in found.sentence()
    assert json.loads(json.dumps(found.as_json()))["misfits"][0]["ratio"] == pytest.approx(70.0)
