"""Spectra of a cell of sulfur in, amounts of species out, against a simulator that shares only tables."""

import numpy as np
import pytest

from intercalate.materials.raman_sulfur import ELECTROLYTES, LONG, SHORT, SPECIES, SULFIDE, SULFUR
from intercalate.reduction.bands import Spectrum, SpectrumError
from intercalate.reduction.raman import SulfurSpectrum, Where, sulfur_spectra
from intercalate.reduction.raman.axis import ShiftAxis, SpectrographOnPaper, axis_on_paper
from intercalate_sims.cell.sulfur_speciation import SulfurState
from intercalate_sims.probes.raman import HiddenSpectrograph, RamanProbe, Spectrograph
from intercalate_sims.probes.raman_sulfur import (
    HOLE_MM,
    in_electrolyte,
    is_in_hole,
    on_cathode,
    sulfur_lines,
)

NAME = "LiTFSI in DOL:DME"
FACE_MM = (1.5, 0.0)
PAPER = SpectrographOnPaper(532.0, 536.0, 0.0920, -1.5e-6, 1024, 0.28)
AXIS = ShiftAxis(axis_on_paper(PAPER), 0.0, 0.3, 3e-4, 0.28, 532.0)


def course(points: int = 24) -> list[SulfurState]:
    """Sulfur becomes long polysulfides; these become short ones and Li2S."""
    states = []
    for at in np.linspace(0.0, 1.0, points):
        elemental, sulfide = max(0.0, 1.0 - 3.0 * at), max(0.0, (at - 1 / 3) * 0.75)
        short = 0.3 * max(0.0, at - 1 / 3)
        long = 1.0 - elemental - sulfide - short
        states.append(
            SulfurState(
                NAME,
                7.4,
                ((SULFUR, elemental), ("Li2S", sulfide)),
                ((LONG, 7.4 * long), (SHORT, 7.4 * short)),
            )
        )
    return states


def spectrum_of(probe: RamanProbe, seed: int, state: SulfurState, place_mm, number: int, exposure_s=60.0):
    lines = sulfur_lines(seed, state, place_mm)
    electrons = probe.oxide(lines, 0.5, exposure_s)
    draw = np.random.default_rng([seed, number])
    counted = draw.poisson(electrons) + 4.0 * draw.standard_normal(electrons.size)
    sigma = np.sqrt(np.maximum(electrons, 1.0) + 16.0)
    return Spectrum(AXIS.shift_per_cm, counted, sigma, np.ones(counted.size, bool))


def series(seed: int, place_mm):
    probe = RamanProbe(Spectrograph(first_nm=536.0), HiddenSpectrograph(), seed)
    states = course()
    spectra = [spectrum_of(probe, seed, state, place_mm, number) for number, state in enumerate(states)]
    return states, said(spectra)


def said(spectra: list[Spectrum]) -> list[SulfurSpectrum]:
    """Of spectra that can all be fitted."""
    found = sulfur_spectra(spectra, AXIS, ELECTROLYTES[NAME])
    fitted = [one for one in found if isinstance(one, SulfurSpectrum)]
    assert len(fitted) == len(found)
    return fitted


@pytest.mark.parametrize(
    ("place_mm", "where", "true_of"),
    [(FACE_MM, Where.CATHODE, on_cathode), (HOLE_MM, Where.ELECTROLYTE, in_electrolyte)],
)
def test_errors_cover_amounts_of_all_species(place_mm, where, true_of):
    off = []
    for seed in range(6):
        states, found = series(seed, place_mm)
        for state, one in zip(states, found):
            assert isinstance(one, SulfurSpectrum)
            assert one.where is where
            true = true_of(state)
            off += [
                (one.amounts[name].value - true.get(name, 0.0)) / one.amounts[name].sigma for name in SPECIES
            ]
    scatter = float(np.sqrt(np.mean(np.square(off))))
    assert 0.5 < scatter < 1.4
    assert np.mean(np.abs(off) < 2.0) > 0.9


def test_amounts_scatter_from_series_to_series_as_is_said():
    """Noise moves the figures of bands, and amounts by them: most in the broad bands of long chains."""
    probe, states = RamanProbe(Spectrograph(first_nm=536.0), HiddenSpectrograph(), 4), course(6)
    found = []
    for repeat in range(30):
        spectra = [
            spectrum_of(probe, 4, state, HOLE_MM, 100 * repeat + number, 20.0)
            for number, state in enumerate(states)
        ]
        found.append(said(spectra)[4].amounts[LONG])
    scatter = np.std([one.value for one in found], ddof=1)
    assert 0.7 < scatter / np.sqrt(np.mean([one.sigma_stat**2 for one in found])) < 1.3


def test_a_species_that_is_not_there_is_below_its_limit_and_one_that_is_stands_out():
    states, found = series(3, FACE_MM)
    for one in found[:4]:
        amount = one.amounts[SULFIDE]
        assert amount.value < 3.0 * amount.sigma
    last = found[-1].amounts[SULFIDE]
    assert last.value > 8.0 * last.sigma
    assert on_cathode(states[-1])[SULFIDE] == pytest.approx(last.value, abs=3.0 * last.sigma)


def test_a_series_tells_more_of_the_bands_than_the_tables():
    probe = RamanProbe(Spectrograph(first_nm=536.0), HiddenSpectrograph(), 5)
    states = course()
    spectra = [spectrum_of(probe, 5, state, FACE_MM, number) for number, state in enumerate(states)]
    (alone,), together = said(spectra[:1]), said(spectra)[0]
    assert together.amounts[SHORT].sigma_sys < alone.amounts[SHORT].sigma_sys


def test_without_carbon_and_anion_nothing_is_said():
    draw = np.random.default_rng(1)
    flat = Spectrum(
        AXIS.shift_per_cm, draw.normal(100.0, 10.0, 1024), np.full(1024, 10.0), np.ones(1024, bool)
    )
    (found,) = sulfur_spectra([flat], AXIS, ELECTROLYTES[NAME])
    assert isinstance(found, SulfurSpectrum)
    assert found.where is Where.UNDETERMINED
    assert not found.fit.converged
    assert "neither carbon nor TFSI-" in found.fit.message
    assert np.isnan([one.value for one in found.amounts.values()]).all()


def test_a_grating_that_is_not_turned_is_an_error_that_says_so():
    x = np.linspace(900.0, 3000.0, 1024)
    spectrum = Spectrum(x, np.ones(1024), np.ones(1024), np.ones(1024, bool))
    (found,) = sulfur_spectra([spectrum], AXIS, ELECTROLYTES[NAME])
    assert isinstance(found, SpectrumError)
    assert "the spectrum reaches from 900 to 3000" in str(found)


def test_the_hole_is_where_the_cells_file_says():
    assert is_in_hole((2.4, 0.0))
    assert not is_in_hole(FACE_MM)
    assert not is_in_hole((2.4, 0.5))
