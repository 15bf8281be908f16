"""A recorded cell, played back: the course is that of the file, whatever is commanded."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.config import EXAMPLES
from intercalate.contract import ControlMode
from intercalate.cycling_files import CyclingFileError
from intercalate_sims.cell import make_cell, restore_cell
from intercalate_sims.probes.powder import makeup_of
from intercalate_sims.settings import SettingsError, SimulationSettings
from unit.cycling_files.samples import CURRENT_MA, PERIOD_S, course, write_mpt

REST_S = 10 * PERIOD_S
LENGTH_S = 49 * PERIOD_S
CURRENT_A = CURRENT_MA / 1000


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mpt(tmp_path_factory.mktemp("recorded") / "cell.mpt")


def cell_of(path: Path, **options: Any):
    return make_cell(f"replay:{path}", **options)


def voltage_v(played_s: float) -> float:
    known = course()
    return float(np.interp(REST_S + played_s, known["time/s"], known["Ewe/V"]))


commands = st.lists(st.tuples(st.sampled_from(list(ControlMode)), st.floats(-1, 1)), min_size=1, max_size=200)


@settings(max_examples=50, deadline=None)
@given(sequence=commands)
def test_commands_start_the_course_and_never_change_it(recorded: Path, sequence) -> None:
    cell = cell_of(recorded)
    first = next((n for n, (mode, _) in enumerate(sequence) if mode is not ControlMode.REST), None)
    for number, (mode, setpoint) in enumerate(sequence):
        reading = cell.advance(mode, setpoint)
        played_s = 0.0 if first is None or number < first else 2.0 * (number - first + 1)
        assert reading.voltage_v == pytest.approx(voltage_v(played_s), abs=1e-9)
        assert reading.charge_ah == pytest.approx(CURRENT_A / 3600 * min(played_s, LENGTH_S), abs=1e-12)
        flows = 0 < played_s <= LENGTH_S
        assert reading.current_a == pytest.approx(CURRENT_A if flows else 0.0, abs=1e-9)


def test_after_the_last_record_nothing_flows(recorded: Path) -> None:
    cell = cell_of(recorded)
    for _ in range(int(LENGTH_S / 2) + 10):
        reading = cell.advance(ControlMode.CURRENT, 1e-3)
    assert reading.current_a == 0.0
    assert reading.voltage_v == pytest.approx(course()["Ewe/V"][-1])


def test_lithium_follows_the_charge_over_the_window(recorded: Path) -> None:
    cell = cell_of(recorded)
    assert cell.probe_state().positive.li_content == pytest.approx([0.853975] * 8)
    contents = []
    for _ in range(int(LENGTH_S / 2)):
        cell.advance(ControlMode.CURRENT, 1e-3)
        state = cell.probe_state()
        contents.append((state.positive.li_content[0], state.negative.li_content[0]))
    positive, negative = np.array(contents).T
    assert (positive[-1], negative[-1]) == pytest.approx((0.263845, 0.910618), abs=0.01)
    # As much charge in each step, as much lithium.
    assert np.diff(positive) == pytest.approx(
        np.full(len(positive) - 1, (0.263845 - 0.853975) * 2 / LENGTH_S)
    )
    # Ah to mol by Faraday, over the sites that the loading stands for (LiNi0.8Mn0.1Co0.1O2).
    moles = CURRENT_A * 2.0 / 96485.33
    sites = state.positive.active_loading_mg_cm2 * 1e-3 * cell.describe()["area_cm2"] / 97.28
    assert -np.diff(positive).mean() == pytest.approx(moles / sites, rel=1e-3)
    assert makeup_of(cell.describe()["spec"]) == makeup_of("nmc811-graphite")


def test_it_goes_on_from_its_state(recorded: Path) -> None:
    cell = cell_of(recorded, dt_s=5.0, seed=4)
    for _ in range(20):
        cell.advance(ControlMode.POWER, 0.1)
    again = restore_cell(json.loads(json.dumps(cell.to_state())))
    assert again.describe() == cell.describe()
    for _ in range(20):
        assert again.advance(ControlMode.REST, 0.0) == cell.advance(ControlMode.REST, 0.0)
    assert again.probe_state() == cell.probe_state()


def test_another_file_under_the_same_name_is_noticed(tmp_path: Path) -> None:
    path = write_mpt(tmp_path / "cell.mpt")
    state = cell_of(path).to_state()
    write_mpt(path, course(50))
    with pytest.raises(ValueError, match="another file than the one that was played"):
        restore_cell(state)


def test_a_file_that_cannot_be_played_is_refused(tmp_path: Path, recorded: Path) -> None:
    with pytest.raises(ValueError, match="no current flows"):
        cell_of(write_mpt(tmp_path / "rest.mpt", course(rest_rows=60)))
    with pytest.raises(ValueError, match=r"outside 0.1 to 10"):
        cell_of(recorded, dt_s=100.0)
    with pytest.raises(ValueError, match="is not a finite"):
        cell_of(recorded).advance(ControlMode.CURRENT, float("nan"))
    (tmp_path / "bad.mpt").write_text("EC-Lab ASCII FILE\n")
    with pytest.raises(CyclingFileError, match="line 2"):
        cell_of(tmp_path / "bad.mpt")


def test_the_settings_take_it_with_its_whole_path(
    tmp_path: Path, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(recorded.parent)
    shipped = EXAMPLES / "config" / "simulation.toml"
    chosen = SimulationSettings.from_file(shipped, cell_model="replay:cell.mpt")
    assert chosen.cells["A1"] == f"replay:{recorded}"
    assert chosen.metadata()["simulated"] is True
    for name, message in (("nowhere.mpt", "cannot be read"), ("cell.txt", r"must end in .mpt")):
        with pytest.raises(SettingsError, match=message):
            SimulationSettings.from_file(shipped, cell_model=f"replay:{name}")


@pytest.mark.realdata
def test_a_real_experiment_is_played(real_data: Path) -> None:
    cell = cell_of(real_data / "operando_soleil" / "220726cell4operandoxas_C06.mpt")
    readings = [cell.advance(ControlMode.CURRENT, 1e-3) for _ in range(69_300)]
    voltage = np.array([one.voltage_v for one in readings])
    assert (voltage.min(), voltage.max()) == pytest.approx((2.9999, 4.3000), abs=1e-3)
    current = np.array([one.current_a for one in readings])
    assert current[:100] == pytest.approx(np.full(100, 1.5395e-4), rel=0.05)
    assert readings[-1].charge_ah == pytest.approx(0.8402e-3, rel=1e-3)
