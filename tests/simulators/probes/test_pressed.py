"""What is between diamonds, and what comes out of them."""

import numpy as np
import pytest

from intercalate.contract import DIAMOND_ANVIL_CELL
from intercalate.materials.equations_of_state import EquationOfState
from intercalate_sims.changer import Holder, InBeam
from intercalate_sims.hidden import Hidden
from intercalate_sims.pressure import Compression, HiddenPressed
from intercalate_sims.probes.detector import DetectorGeometry
from intercalate_sims.probes.powder import CellMakeup
from intercalate_sims.probes.pressed import (
    OPENING_DEG,
    SHARES,
    TRANSITION_GPA,
    lengths_at,
    transmission_of_diamonds,
)
from intercalate_sims.probes.shot import Shot
from intercalate_sims.probes.station import DiffractionStation

WAVELENGTH = 0.495937


@pytest.fixture(scope="module")
def station() -> DiffractionStation:
    return DiffractionStation(DetectorGeometry(), Hidden(), {"A1": CellMakeup()}, 3, is_perfect=True)


def shot(marker_gpa: float, content: str | None = DIAMOND_ANVIL_CELL) -> Shot:
    there = InBeam(Holder("DAC", content, 15.0, -15.0), 1.0, 0.0, (0.0, 0.0))
    return Shot(0.0, 300.0, 1e8, 1e8, 25.0, (0.08, 0.08), there, marker_gpa=marker_gpa)


def test_the_volume_follows_the_equation_of_state_and_each_axis_its_share() -> None:
    hidden = HiddenPressed()
    start = lengths_at(hidden, 0.0)
    law = EquationOfState(float(np.prod(start)), hidden.modulus_gpa, hidden.slope)
    for pressure_gpa in (3.0, 21.5):
        lengths = lengths_at(hidden, pressure_gpa)
        assert float(law.pressure_gpa(np.prod(lengths))) == pytest.approx(pressure_gpa)
        shrunk = np.log(lengths / start)
        np.testing.assert_allclose(shrunk / shrunk.sum(), SHARES, atol=1e-9)


def test_worlds_share_the_volume_and_not_the_axes() -> None:
    real, even, exchanged = (
        lengths_at(HiddenPressed(compression=one), 15.0)
        for one in (Compression.ANISOTROPIC, Compression.ISOTROPIC, Compression.EXCHANGED)
    )
    assert np.prod(real) == pytest.approx(np.prod(even)) == pytest.approx(np.prod(exchanged))
    start = lengths_at(HiddenPressed(), 0.0)
    assert np.ptp(even / start) < 1e-9 < np.ptp(real / start)
    np.testing.assert_allclose((exchanged / start)[[1, 0, 2]], real / start)


def test_a_transition_makes_the_volume_fall_at_once() -> None:
    hidden = HiddenPressed(compression=Compression.TRANSITION)
    below, above = (np.prod(lengths_at(hidden, TRANSITION_GPA + step)) for step in (-0.01, 0.01))
    assert above / below == pytest.approx(0.97, abs=1e-3)


def test_lines_move_outwards_under_pressure(station: DiffractionStation) -> None:
    def first_line(marker_gpa: float) -> float:
        frame, _, _ = station.take(shot(marker_gpa), 0)
        two_theta = np.degrees(np.arctan(station.geometry.radius_mm / 300.0))
        near = (two_theta > 5.2) & (two_theta < 6.1)
        profile = np.bincount((two_theta[near] * 200).astype(int), frame[near])
        counts = np.bincount((two_theta[near] * 200).astype(int))
        return float(np.argmax(profile / np.maximum(counts, 1))) / 200

    assert first_line(20.0) > first_line(0.0) + 0.15


def test_seats_hide_what_leaves_at_large_angles(station: DiffractionStation) -> None:
    frame, counts, truth = station.take(shot(5.0), 0)
    two_theta = np.degrees(np.arctan(station.geometry.radius_mm / 300.0))
    assert frame[two_theta > OPENING_DEG + 0.1].sum() == 0
    assert frame[(two_theta > 10.0) & (two_theta < OPENING_DEG - 0.1)].mean() > 1
    assert truth["marker_gpa"] == 5.0
    through = counts.it_expected / station.take(shot(5.0, None), 0)[1].it_expected
    assert through == pytest.approx(transmission_of_diamonds(WAVELENGTH), rel=0.02)
    assert 0.6 < through < 0.75
