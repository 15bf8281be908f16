"""What `check` says of experiments: course, frames, size, dose, and who waits for whom."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intercalate import check as checking
from intercalate.check import check, frame_dose
from intercalate.config import DEFAULT_CONFIG, EXAMPLES, Config
from intercalate.contract import RECORD_COLUMNS
from intercalate.experiment import Experiment
from intercalate.foresight import Foresight, ForesightError, foresee, steps_of
from intercalate.orchestration.tasks import MeasurementTask
from intercalate.protocol import Protocol, bind

EXPERIMENTS = EXAMPLES / "experiments"


@pytest.fixture(scope="module")
def config() -> Config:
    return Config.from_file(DEFAULT_CONFIG)


def record(time_s: float, step: int, voltage_v: float = 3.7, charge_mah: float = 0.0) -> list[float]:
    row = [0.0] * len(RECORD_COLUMNS)
    named = {
        "test_time_second": time_s,
        "step_id": step,
        "step_count": step,
        "voltage_volt": voltage_v,
        "net_capacity_ah": 1e-3 * charge_mah,
    }
    for name, value in named.items():
        row[RECORD_COLUMNS.index(name)] = value
    return row


ROWS = np.array(
    [record(10.0 * i, 1, 3.5 + 0.01 * i, 0.1 * i) for i in range(11)] + [record(130.0, 2, 4.0, 1.0)]
)


def foresight(passes: dict[int, int]) -> Foresight:
    return Foresight("made", ROWS, tuple(steps_of(ROWS, passes)))


def task(**fields: Any) -> MeasurementTask:
    return MeasurementTask.model_validate({"exposure_s": 10.0, "budget_MGy": "unlimited", **fields})


def test_steps_are_told_by_the_records_and_loops_are_extrapolated() -> None:
    first, second = foresight({1: 5, 2: 1}).steps
    assert (first.step, first.start_s, first.duration_s, first.passes) == (1, 0.0, 100.0, 5)
    assert (first.start_v, first.end_v) == pytest.approx((3.5, 3.6))
    assert first.charge_mAh == pytest.approx(1.0)
    assert (second.start_s, second.duration_s) == (100.0, 30.0)
    assert foresight({1: 5, 2: 1}).duration_s == 530.0
    assert foresight({1: 5, 2: 1}).is_extrapolated
    assert not foresight({1: 1, 2: 1}).is_extrapolated


def test_occasions_of_a_loop_count_as_often_as_it_is_passed() -> None:
    seen = foresight({1: 5, 2: 1})
    protocol: Any = None
    at_level = task(when={"at": {"voltage_V": [3.555]}})
    due_s = seen.due_s(at_level, protocol)
    assert due_s is not None
    assert list(due_s) == [60.0]
    assert seen.in_all(at_level, due_s) == 5
    limited = task(when={"at": {"voltage_V": [3.555]}, "limit": 2})
    assert seen.in_all(limited, due_s) == 2
    assert seen.in_all(task(when={"every": {"time_s": 50.0}}), due_s) == 11
    assert seen.due_s(task(when={"on": {"function": "nobody_knows"}}), protocol) is None


def test_the_simulated_cell_goes_through_an_experiment(config: Config) -> None:
    (cell,) = Experiment.from_file(EXPERIMENTS / "first_light.toml", config.site).cells
    seen = foresee(cell.bound(config.site), cell.cell, config.site)
    assert seen is not None
    assert seen.model == "nmc811-graphite"
    assert [one.step for one in seen.steps] == [1, 2, 3, 4, 5]
    charge, _, _, discharge, _ = seen.steps
    assert charge.end_v == pytest.approx(4.2, abs=0.002)
    assert discharge.end_v == pytest.approx(3.0, abs=0.01)
    # The first discharge gives less than the first charge took.
    assert 0.8 < -discharge.charge_mAh / charge.charge_mAh < 0.95
    assert 20 * 3600 < seen.duration_s < 23 * 3600


def test_the_impedance_of_the_simulated_cell_is_measured_on_the_way(config: Config) -> None:
    (one,) = Experiment.from_file(EXPERIMENTS / "first_light.toml", config.site).cells
    protocol = Protocol.from_file(EXAMPLES / "protocols" / "impedance_on_charge.json")
    seen = foresee(bind(protocol, one.cell, config.site), one.cell, config.site)
    assert seen is not None
    spectra = [step for step in seen.steps if step.step == 4]
    assert spectra
    assert all(step.duration_s > 0 for step in spectra)


def test_a_cell_of_another_size_is_foreseen_by_its_capacity(config: Config) -> None:
    (one,) = Experiment.from_file(EXPERIMENTS / "first_light.toml", config.site).cells
    larger = one.cell.model_copy(update={"one_c_current_mA": 3 * (one.cell.one_c_current_mA or 0)})
    program = bind(one.protocol, larger, config.site, initial_soc=one.initial_soc)
    small, large = (
        foresee(p, cell, config.site) for p, cell in ((one.bound(config.site), one.cell), (program, larger))
    )
    assert small is not None
    assert large is not None
    assert large.duration_s == pytest.approx(small.duration_s, rel=1e-3)
    assert large.steps[0].charge_mAh == pytest.approx(3 * small.steps[0].charge_mAh, rel=1e-3)


def test_without_a_model_there_are_bounds_and_nothing_else(config: Config, tmp_path: Path) -> None:
    text = (EXAMPLES / "cells" / "nmc811_graphite_operando.toml").read_text()
    (tmp_path / "cell.toml").write_text(text.replace('material = "NMC811"', 'material = "LMO"'))
    experiment = (
        (EXPERIMENTS / "right_moment.toml").read_text().replace('"../protocols', f'"{EXAMPLES}/protocols')
    )
    path = tmp_path / "experiment.toml"
    path.write_text(re.sub(r'cell = ".*"', 'cell = "cell.toml"', experiment))
    words = "\n".join(check(Experiment.from_file(path, config.site), config))
    assert "No model of this chemistry: at most" in words
    assert "how many depends on the course of the cell, which is not known" in words
    assert "Course of a simulated cell" not in words


def test_a_model_that_cannot_be_asked_is_an_error(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    (cell,) = Experiment.from_file(EXPERIMENTS / "first_light.toml", config.site).cells
    monkeypatch.setattr("intercalate.foresight.module_command", lambda *_: ["false"])
    with pytest.raises(ForesightError, match="the simulated cell cannot be asked"):
        foresee(cell.bound(config.site), cell.cell, config.site)


def _made(config: Config, monkeypatch: pytest.MonkeyPatch, text: str, tmp_path: Path) -> str:
    """What is said of an experiment whose cell was not simulated, but is as above."""
    method = [
        {"step": "open_circuit_voltage", "until_time_s": 100.0},
        {"step": "open_circuit_voltage", "until_time_s": 30.0},
    ]
    (tmp_path / "p.json").write_text(json.dumps({"record": {"time_s": 10.0}, "method": method}))
    path = tmp_path / "experiment.toml"
    cell = EXAMPLES / "cells" / "nmc811_graphite_operando.toml"
    head = 'mode = "operando"\non_abort = "rest"\non_client_lost = "rest"\nprotocol = "p.json"\n'
    path.write_text(f'{head}cell = "{cell}"\n{text}')
    monkeypatch.setattr(checking, "foresee", lambda *_: foresight({1: 1, 2: 1}))
    return "\n".join(check(Experiment.from_file(path, config.site), config))


def test_frames_dose_size_and_conflicts_are_told(
    config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = _made(
        config,
        monkeypatch,
        "[measurements.quick]\nwhen = { every = { time_s = 20.0 } }\nexposure_s = 5.0\nbudget_MGy = 0.001\n"
        "[measurements.long]\nwhen = { at = { voltage_V = [3.55] } }\nexposure_s = 40.0\nbudget_MGy = 9.0\n",
        tmp_path,
    )
    assert "7 frames, 0.0294 GB before compression" in words
    dose_gy = frame_dose(task(exposure_s=5.0), "LiNi0.8Mn0.1Co0.1O2", config)
    assert f"{dose_gy / 1e6:.4g} MGy each" in words
    assert f"the budget of 0.001 MGy is spent after {1000 // dose_gy:.0f} of 7 frames" in words
    assert "conflict: at 0.02 h (3.560 V) quick waits for long" in words


def test_spots_that_are_used_up_one_after_the_other_are_counted(
    config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one_mgy = frame_dose(task(exposure_s=5.0), "LiNi0.8Mn0.1Co0.1O2", config) / 1e6
    words = _made(
        config,
        monkeypatch,
        f"[measurements.xrd]\nwhen = {{ every = {{ time_s = 20.0 }} }}\nexposure_s = 5.0\n"
        f'budget_MGy = {3.5 * one_mgy}\nat_budget = "next_spot"\nspots_mm = [[0, 0], [1, 0]]\n',
        tmp_path,
    )
    assert "each of 2 spots gets" in words
    assert "is spent after 6 of 7 frames" in words


RAMAN = """[measurements.map]
instrument = "raman"
when = { every = { time_s = 40.0 } }
exposure_s = 2.0
spots_mm = [[1.5, 0.0]]
grid = { extent_um = 9.0, points = 2 }
"""


def test_a_map_counts_its_points_and_a_laser_in_energy_per_area(
    config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = _made(config, monkeypatch, RAMAN + 'budget_J_cm2 = "unlimited"\n', tmp_path)
    assert "16 frames, 6.55e-05 GB before compression" in words
    # 0.5 mW for 2 s on a spot of 2 um.
    assert "3.183e+04 J/cm2 each" in words
    assert "the spot gets 1.273e+05 J/cm2" in words
    # The last of four falls on the end of the program.
    assert re.search(r"^nmc811\S* +3 +0 ", words, flags=re.MULTILINE)


def test_a_budget_in_the_unit_of_another_technique_is_named(
    config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = _made(config, monkeypatch, RAMAN + "budget_MGy = 3.0\n", tmp_path)
    assert "doses of raman are in J/cm2: give budget_J_cm2 for budget_MGy" in words
