"""What `intercalate doctor` finds on a running beamline."""

import re

import pytest

from beamline import Beamline
from intercalate.contract import CyclerState, Verb
from intercalate.doctor import examine
from polling import wait_for

from .cycling import charge, make_device, recover, start, state_of

pytestmark = [pytest.mark.service, pytest.mark.timeout(60)]


def test_the_doctor_finds_every_instrument_and_compares_clocks_as_they_are_now(beamline: Beamline) -> None:
    """The simulated detector is 4 s fast; at 1000 times real time a pair of readings is never exact."""
    findings = {finding.what: finding for finding in examine(beamline.config)}
    wrong = [finding for finding in findings.values() if not finding.ok]
    expected = {"catalog", "forwarder", "free disk", "geometry", "flat"}
    assert {finding.what for finding in wrong} <= expected, wrong
    assert {"goniometer", "pressure cell"} <= findings.keys()
    assert "take_flat" in findings["flat"].remedy
    found = re.search(r"is ([+-][\d.]+) s \(± ([\d.]+) s\)", findings["clocks"].found)
    assert found is not None
    offset_s, half_width_s = (float(figure) for figure in found.groups())
    assert half_width_s > 0
    assert offset_s == pytest.approx(4.0, abs=half_width_s + 2.0)


def test_a_channel_that_is_latched_is_found_with_what_to_do(beamline: Beamline) -> None:
    device = make_device(beamline)
    device.take_lease()
    start(device, charge(36000))
    device.send(Verb.STOP, why="to be found")
    wait_for(lambda: state_of(device) == CyclerState.INTERRUPTED, 15, "the program is latched")
    found = {finding.what: finding for finding in examine(beamline.config)}["cycler CH1"]
    assert not found.ok
    assert "INTERRUPTED" in found.found
    assert "acknowledge" in found.remedy
    recover(device)
    device.drop_lease()
