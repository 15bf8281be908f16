"""What the processes of a beamline are made of, from its settings."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intercalate.config import EXAMPLES
from intercalate_sims.assembly import (
    Layout,
    hidden_of,
    make_beam,
    make_changer,
    make_diffractometer,
    make_world,
)
from intercalate_sims.cell import make_cell
from intercalate_sims.ring import RingState
from intercalate_sims.settings import SettingsError, SimulationSettings

SHIPPED = EXAMPLES / "config" / "simulation.toml"


def settings_with(tmp_path: Path, *pairs: tuple[str, str], **options: Any) -> SimulationSettings:
    text = SHIPPED.read_text()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    path = tmp_path / "simulation.toml"
    path.write_text(text)
    return SimulationSettings.from_file(path, **options)


def test_a_diffractometer_leaves_what_is_hidden_beside_its_truth_and_nothing_else(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    settings = settings_with(tmp_path)
    make_diffractometer(settings, real)
    assert {path.name for path in real.iterdir()} == {"hidden.json"}
    hidden = json.loads((real / "hidden.json").read_text())
    assert hidden["distance_mm"] == hidden_of(settings).distance_mm
    distance_m = next(line for line in hidden["poni"].splitlines() if line.startswith("Distance")).split()[1]
    assert float(distance_m) * 1e3 == pytest.approx(300 + hidden["distance_mm"], rel=1e-4)


def test_holders_of_a_real_changer_are_a_little_off(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    holders = make_changer(settings.holders, hidden_of(settings)).holders
    off = [
        np.hypot(holders[n].x_mm - one.x_mm, holders[n].y_mm - one.y_mm)
        for n, one in settings.holders.items()
    ]
    assert min(off) > 0
    assert 0.05 < np.mean(off) < 0.5


def test_dumps_and_the_safety_shutter_are_as_the_settings_say(tmp_path: Path) -> None:
    pairs = (
        ("dumps = []", "dumps = [[100.0, 50.0]]"),
        ('safety_shutter = "open"', 'safety_shutter = "closed"'),
    )
    beam = make_beam(settings_with(tmp_path, *pairs))
    assert beam.ring.state(120.0) is RingState.NO_BEAM
    assert beam.ring.state(20.0) is RingState.STORED
    assert beam.photons(0.0, 50.0) == 0.0
    beam.set(0.0, {"safety_open": True})
    assert beam.photons(2.0, 50.0) > 0


def test_cells_have_another_mass_than_on_paper(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    world = make_world(settings, Layout(tmp_path))
    capacities = [slot.cell.describe()["nominal_capacity_ah"] for slot in world.slots.values()]
    world.stop()
    masses = [hidden_of(settings).cell(cell).active_mass for cell in settings.cells]
    on_paper = [make_cell(model).describe()["nominal_capacity_ah"] for model in settings.cells.values()]
    np.testing.assert_allclose(np.array(capacities) / on_paper, masses)
    assert 1.0 not in masses


def test_a_model_in_place_of_the_settings_is_that_of_the_first_cell(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, cell_model="graphite-li", rate=7.0)
    others = settings_with(tmp_path).cells
    assert settings.cells == {**others, "A1": "graphite-li"}
    assert others["A1"] != "graphite-li"
    assert settings.rate == 7.0


def test_processes_read_the_settings_that_were_chosen(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, rate=50.0)
    layout = Layout(tmp_path)
    layout.settings.write_text(settings.model_dump_json())
    assert layout.read_settings() == settings
    processes = settings.processes(tmp_path, "{}")
    names = ["repeater", "world", "cycler", "beam", "diffractometer"]
    beside = ("laboratory_xrd", "transfer_vessel", "vacuum", "tem")
    assert [one.name for one in processes] == [*names, *beside]
    ports = [one.environment.get("EPICS_CA_SERVER_PORT") for one in processes]
    assert len({port for port in ports if port}) == 7
    without = dict.fromkeys(beside)
    alone = settings.model_copy(update=without)
    assert [one.name for one in alone.processes(tmp_path, "{}")] == names


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('content = "Si"', 'content = "gold"', "holder Si holds 'gold'; known are A1, B1, C1, D1, LaB6"),
        ("energy_kev = 25.0", "energy_kev = 8.0", "beam.energy_kev"),
        ("dumps = []", "dumps = [[5.0, -1.0]]", "beam.dumps"),
        ('safety_shutter = "open"', 'safety_shutter = "ajar"', "beam.safety_shutter"),
        ("distance_mm = 300.0", "distance_mm = -3.0", "diffractometer.distance_mm"),
        ('CH2 = "B1"', 'CH2 = "C7"', "channel CH2 holds 'C7'; known are A1, B1"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings_with(tmp_path, (old, new))


def test_no_two_frames_have_one_number_though_some_never_came_to_be(tmp_path: Path) -> None:
    """A restart goes on behind the last frame that was kept, not behind their number."""
    settings = settings_with(tmp_path)
    assert make_diffractometer(settings, tmp_path).next_number == 0
    lines = [json.dumps({"counter": counter}) + "\n" for counter in (0, 1, 5)]
    (tmp_path / "truth.jsonl").write_text("".join(lines))
    assert make_diffractometer(settings, tmp_path).next_number == 6
