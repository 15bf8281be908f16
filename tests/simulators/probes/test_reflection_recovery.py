"""Lithium next to the collector comes out of frames in reflection, within its errors, whatever was drawn."""

import numpy as np
import pytest

from benchmarks.bench_chain import FLUX, Instrument, calibrated
from benchmarks.honesty.reflection import reduced
from intercalate.analysis import Exposure
from intercalate.beam_quality import BeamQuality
from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.contract import ControlMode
from intercalate.reflection import coating_of, reduce_reflection, wedge
from intercalate_sims.beam import Optics
from intercalate_sims.cell import make_cell
from intercalate_sims.cell.interface import ProbeState
from intercalate_sims.probes.powder import makeup_of
from intercalate_sims.probes.reflection import Stack, sine_of_exit

CELL = Cell.from_file(EXAMPLES / "cells" / "lfp_thick_lithium_reflection.toml")
SLIT_MM = 0.03
PASSED = Optics(25.0, 0.5, SLIT_MM).share / Optics(25.0, 0.5, 0.5).share
ANGLES_DEG = (1.0, 2.0, 3.0)
LINE_DEG = 10.4


def state_at(content: float, rate: float, seed: int) -> ProbeState:
    cell = make_cell("lfp-thick-li", seed=seed, initial_soc=1.0, dt_s=4.0)
    while np.mean(cell.probe_state().positive.li_content) < content:
        cell.advance(ControlMode.CURRENT, -rate * 6.11e-3)
    return cell.probe_state()


def truly_seen(state: ProbeState, incidence_deg: float) -> float:
    """Mean lithium content with the weights of the line 301."""
    contents = np.array(state.positive.li_content)[::-1]
    depth_um = (np.arange(contents.size * 20) + 0.5) / 20 / contents.size * state.positive.thickness_um
    optical = Stack(state, makeup_of("lfp-thick-li"), 25.0).optical_depth(15.0 + depth_um)
    angle, azimuths = np.radians(incidence_deg), np.radians(np.linspace(0.0, 25.0, 11))
    ways = 1 / np.sin(angle) + 1 / sine_of_exit(np.radians(LINE_DEG), azimuths, angle)
    weight = np.exp(-optical * ways[:, None]).sum(axis=0)
    return float(weight @ np.repeat(contents, 20) / weight.sum())


@pytest.fixture(scope="module", params=[41, 42])
def instrument(request):
    found = Instrument(request.param, "lfp-thick-li")
    return found, calibrated(found)


def test_lithium_that_is_seen_is_right_within_its_errors(instrument):
    beamline, known = instrument
    states = [state_at(content, rate, 5) for content, rate in ((0.55, 2.0), (0.7, 2.0), (0.6, 0.2))]
    shown_deg = np.repeat(ANGLES_DEG, len(states))
    repeated = [state for _ in ANGLES_DEG for state in states]
    frames = [
        beamline.take(
            "A1",
            60.0,
            [(1.0, state)],
            beam=(PASSED * FLUX, (0.5, SLIT_MM)),
            settings={"incidence_deg": float(angle)},
        )[0]
        for angle, state in zip(shown_deg, repeated)
    ]
    exposures = [Exposure(quality=BeamQuality.VALID)] * len(frames)
    found = reduce_reflection(frames, exposures, shown_deg, wedge(known.chain), CELL, options=known.options)
    truth = [
        truly_seen(state, angle + beamline.hidden.incidence_deg) for angle, state in zip(shown_deg, repeated)
    ]
    off = np.asarray(found["lithium_seen"]) - truth
    sigma = np.hypot(found["lithium_seen_sigma_stat"], found["lithium_seen_sigma_sys"])
    assert np.isfinite(off).all()
    assert np.all(np.abs(off) < 2.5 * sigma)
    assert np.mean(np.abs(off) < sigma) >= 0.5
    assert np.all(sigma < 0.03)
    assert coating_of(CELL, 25.0).per_um == pytest.approx(9.4e-4, rel=0.03)


def test_noise_does_not_choose_which_line_lies_under_another():
    """Of this coating a fit has two minima, with the b axis of LFP under a line of FePO4 in one of them."""
    fits = [reduced(3, noise)[0] for noise in (1, 2, 7)]
    value, sigma = (np.array([float(one[f"FePO4.a{end}"][0]) for one in fits]) for end in ("", "_sigma_stat"))
    assert np.ptp(value) < 6.0 * np.median(sigma)
