"""The laser of the simulated spectrometer."""

import pytest

from intercalate_sims.exposures import KEV_J
from intercalate_sims.probes.raman_station import HiddenRaman
from intercalate_sims.sources import LaserBeam

HOUR_S = 3600.0


def test_power_is_photons_at_the_sample():
    laser = LaserBeam(532.0, 0.002, 0.5, power_share=1.1)
    assert laser.photons(10.0, 30.0) * laser.energy_kev * KEV_J == pytest.approx(0.55e-3 * 20.0)
    laser.set(0.0, {"power_mw": 2.0})
    assert laser.full_photons_s() * laser.energy_kev * KEV_J == pytest.approx(2.2e-3)


@pytest.mark.parametrize("off", ["emission", "interlock"])
def test_it_is_dark_while_switched_off_or_interlocked(off):
    laser = LaserBeam(532.0, 0.002, 0.5)
    laser.set(0.0, {off: False})
    assert laser.photons(0.0, 10.0) == 0.0
    again = LaserBeam(532.0, 0.002, 0.5)
    again.restore(laser.to_state())
    assert again.photons(0.0, 10.0) == 0.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"power_mw": 80.0}, "power_mw is 80; it must be from 0 to 50"), ({"colour": 1}, "no 'colour'")],
)
def test_what_it_cannot_do_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        LaserBeam(532.0, 0.002, 0.5).set(0.0, changes)


def test_the_focus_drifts_slowly_and_is_that_of_the_seed():
    hidden = HiddenRaman.draw(3, ["H1", "Si"])
    assert hidden == HiddenRaman.draw(3, ["H1", "Si"])
    assert hidden != HiddenRaman.draw(4, ["H1", "Si"])
    places = [hidden.surface_at_um("H1", HOUR_S * hour) for hour in range(20)]
    assert 0.5 < max(places) - min(places) < 5.0
    assert hidden.surface_at_um("H1", 60.0) == pytest.approx(hidden.surface_at_um("H1", 0.0), abs=0.1)
