"""What only the simulator knows is drawn from the seed, and is of the declared size."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from intercalate.config import EXAMPLES
from intercalate.contract import ControlMode
from intercalate_sims import hidden
from intercalate_sims.assembly import hidden_of
from intercalate_sims.cell import make_cell, restore_cell
from intercalate_sims.cell.habits import Growth
from intercalate_sims.cell.hosts import Host
from intercalate_sims.hidden import Hidden, HiddenCell
from intercalate_sims.probes.lattice import graphite_stages
from intercalate_sims.settings import SimulationSettings


def test_a_seed_gives_the_same_every_time_and_another_seed_another() -> None:
    one = Hidden.draw(1, ["H1", "H2"], ["A1"])
    assert Hidden.draw(1, ["H1", "H2"], ["A1"]) == one
    other = Hidden.draw(2, ["H1", "H2"], ["A1"])
    assert other.energy != one.energy
    assert other.holder_mm("H1") != one.holder_mm("H1")
    assert other.cell("A1") != one.cell("A1")


def test_one_more_holder_or_cell_changes_no_other() -> None:
    few, many = Hidden.draw(1, ["H1"], ["A1"]), Hidden.draw(1, ["H0", "H1", "H2"], ["B1", "A1"])
    assert few.energy == many.energy
    assert few.holder_mm("H1") == many.holder_mm("H1") != many.holder_mm("H2")
    assert few.cell("A1") == many.cell("A1") != many.cell("B1")


def test_a_perfect_beamline_hides_nothing() -> None:
    perfect = Hidden()
    assert perfect.holder_mm("H1") == (0.0, 0.0)
    assert perfect.cell("A1") == HiddenCell()
    assert perfect.energy == perfect.distance_mm == perfect.rot1_rad == 0.0


def test_deviations_have_their_declared_size() -> None:
    """Over 2000 seeds a standard deviation is known to 1.6 %; five such errors."""
    drawn = [Hidden.draw(seed, ["H1"], ["A1"]) for seed in range(2000)]
    cells = [one.cell("A1") for one in drawn]
    columns = {
        hidden.ENERGY_SIGMA: [one.energy for one in drawn],
        hidden.DISTANCE_SIGMA_MM: [one.distance_mm for one in drawn],
        hidden.BEAM_SIGMA_MM: [one.beam_mm[1] for one in drawn],
        np.radians(hidden.TILT_SIGMA_DEG): [one.rot2_rad for one in drawn],
        hidden.HOLDER_SIGMA_MM: [one.holder_mm("H1")[0] for one in drawn],
        hidden.DISPLACEMENT_SIGMA_UM: [one.displacement_um for one in cells],
        hidden.THICKNESS_SIGMA_UM: [one.negative_um for one in cells],
        hidden.ACTIVE_MASS_SIGMA: [one.active_mass - 1 for one in cells],
    }
    for sigma, values in columns.items():
        assert np.std(values) == pytest.approx(sigma, rel=0.08)
        assert abs(np.mean(values)) < 5 * sigma / np.sqrt(len(values))
    together = np.corrcoef([columns[key] for key in columns])
    assert np.abs(together - np.eye(len(columns))).max() < 5 / np.sqrt(2000)


def test_it_is_kept_as_a_file(tmp_path: Path) -> None:
    drawn = Hidden.draw(4, ["H1"], ["A1"])
    drawn.write(tmp_path / "hidden.json", "Distance: 0.3\n")
    kept = json.loads((tmp_path / "hidden.json").read_text())
    assert kept["energy"] == drawn.energy
    assert tuple(kept["holders_mm"]["H1"]) == drawn.holder_mm("H1")
    assert kept["cells"]["A1"]["active_mass"] == drawn.cell("A1").active_mass
    assert kept["poni"].startswith("Distance")


def test_another_graphite_is_hidden_and_changes_nothing_else() -> None:
    real, other = (Hidden.draw(1, ["H1"], ["A1"], hosts=hosts) for hosts in ({}, {"A1": Host.SOLID_SOLUTION}))
    assert other.cell("A1").host is Host.SOLID_SOLUTION
    assert replace(other.cell("A1"), host=Host.STAGED) == real.cell("A1")


@pytest.mark.parametrize("host", Host)
def test_a_cell_tells_of_real_graphite_whatever_it_is_and_goes_on_as_it_was(host: Host) -> None:
    told = make_cell("graphite-li", seed=1).describe()
    cell = make_cell("graphite-li", seed=1, host=host)
    assert cell.describe() == told
    for _ in range(20):
        cell.advance(ControlMode.CURRENT, -1e-3)
    again = restore_cell(json.loads(json.dumps(cell.to_state())))
    assert again.probe_state() == cell.probe_state()
    assert again.probe_state().positive.host == host
    assert again.advance(ControlMode.CURRENT, -1e-3) == cell.advance(ControlMode.CURRENT, -1e-3)


def test_settings_with_another_graphite_tell_no_run_of_it() -> None:
    content = tomllib.loads((EXAMPLES / "config" / "simulation.toml").read_text())
    told = SimulationSettings.model_validate(content).metadata()
    assert SimulationSettings.model_validate({**content, "hosts": {"A1": "late"}}).metadata() == told
    with pytest.raises(ValueError, match="hosts names 'Z9'; cells with a choice are A1, B1"):
        SimulationSettings.model_validate({**content, "hosts": {"Z9": "late"}})
    with pytest.raises(
        ValueError, match=r"hosts.A1 is static, of a material that \S+ has not; it can be staged"
    ):
        SimulationSettings.model_validate({**content, "hosts": {"A1": "static"}})


def test_settings_in_which_lithium_grows_otherwise_tell_no_run_of_it() -> None:
    content = tomllib.loads((EXAMPLES / "config" / "simulation.toml").read_text())
    content["cells"]["C1"] = "li-polymer-li"
    told = SimulationSettings.model_validate(content).metadata()
    settings = SimulationSettings.model_validate({**content, "growth": {"C1": "even"}})
    assert settings.metadata() == told
    assert hidden_of(settings).cell("C1").growth is Growth.EVEN
    assert hidden_of(settings).cell("A1").growth is Growth.REAL
    with pytest.raises(ValueError, match="growth names 'A1'; cells of two electrodes of lithium are C1"):
        SimulationSettings.model_validate({**content, "growth": {"A1": "even"}})


def test_hosts_differ_in_what_a_probe_meets() -> None:
    content = np.array([0.0, 0.5, 1.0])

    def spacing(host: Host) -> np.ndarray:
        shares = graphite_stages(content, host)
        assert sum(one.fraction for one in shares) == pytest.approx(1.0)
        return sum((one.fraction * one.layer_spacing_angstrom for one in shares), np.zeros(3))

    assert spacing(Host.STAGED) == pytest.approx([3.355, 3.525, 3.700])
    assert spacing(Host.REVERSED) == pytest.approx([3.700, 3.525, 3.355])
    assert spacing(Host.LATE) == pytest.approx([3.355, 3.355, 3.700])
    assert spacing(Host.SOLID_SOLUTION) == pytest.approx([3.355, 3.5275, 3.700])
