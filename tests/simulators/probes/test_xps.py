"""Photoelectrons in, surfaces out: the XPS reduction against a simulator that shares nothing but tables."""

import numpy as np
import pytest

from intercalate.reduction.xps import (
    AnalyserOnPaper,
    XpsOptions,
    components_of,
    composition,
    counted,
    fit_regions,
)
from intercalate_sims.probes.xps import Analyser, HiddenXps, Region, spectrum
from intercalate_sims.probes.xps_samples import Layer

O1S = Region("O 1s", 524.0, 540.0, sweeps=10)
C1S = Region("C 1s", 280.0, 296.0, sweeps=10)
LI1S = Region("Li 1s", 48.0, 64.0, sweeps=40)
F1S = Region("F 1s", 680.0, 694.0, sweeps=10)
NOMINAL = Analyser()
PAPER = AnalyserOnPaper(
    NOMINAL.transmission_exponent, NOMINAL.width_per_pass, NOMINAL.source_width_ev, NOMINAL.dead_time_s
)


def measured(stack, regions, seed, key=0, analyser=NOMINAL, paper=PAPER):
    """Regions of a sample by an instrument that nobody was told of."""
    hidden = HiddenXps.draw(seed)
    return [
        counted(
            region.name,
            region.binding_ev(),
            spectrum(stack, region, analyser, hidden, seed, key),
            seconds=region.dwell_s * region.sweeps,
            pass_energy_ev=region.pass_energy_ev,
            analyser=paper,
        )
        for region in regions
    ]


@pytest.mark.parametrize("seed", range(6))
def test_lithium_carbonate_has_the_composition_of_lithium_carbonate(seed):
    spectra = measured([Layer("Li2CO3")], (O1S, C1S, LI1S), seed)
    fit = fit_regions(spectra, components_of(["Li2CO3"], spectra), XpsOptions(search_ev=6.0))
    assert fit.converged, fit.message
    found = composition(fit).atomic_percent
    for element, truth in (("Li", 100 / 3), ("C", 100 / 6), ("O", 50.0)):
        assert abs(found[element].value - truth) < 3 * found[element].sigma, element
        assert found[element].sigma < 0.2 * truth
    assert np.isclose(sum(one.value for one in found.values()), 100.0)
