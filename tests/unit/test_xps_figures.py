"""Figures of photoelectron spectra show what was found, and say what was not."""

from io import BytesIO

import numpy as np
import pytest

from intercalate.reduction.xps import (
    AmountSeries,
    AnalyserOnPaper,
    XpsError,
    XpsOptions,
    components_of,
    counted,
    find_irregularities,
    fit_regions,
    sei_steps,
)
from intercalate.views.xps import growth_figure, irregularity_figure, region_figure

ENERGY = np.arange(156.0, 174.0, 0.1)


def fitted(**options):
    """Polysulfide with a line of something else, and a salt that is not there."""
    line = sum(
        area * np.exp(-0.5 * ((ENERGY - centre) / 0.45) ** 2)
        for centre, area in (
            (161.7, 700.0),
            (162.87, 350.0),
            (163.1, 1400.0),
            (164.27, 700.0),
            (171.5, 500.0),
        )
    )
    counts = np.random.default_rng(1).poisson(60.0 + line)
    paper = AnalyserOnPaper()
    spectra = [counted("S 2p", ENERGY, counts, seconds=1.0, pass_energy_ev=20.0, analyser=paper)]
    return fit_regions(spectra, components_of(["Li2S6", "LiTFSI"], spectra), XpsOptions(**options))


def words(figure):
    """All text of a figure, which is drawn for it."""
    figure.savefig(BytesIO(), format="png")
    found = [figure.get_suptitle()]
    for axis in figure.axes:
        legend = axis.get_legend()
        found += [one.get_text() for one in legend.get_texts()] if legend else []
        found += [one.get_text() for one in axis.texts]
        found += [axis.get_xlabel(), axis.get_ylabel(), axis.get_title()]
    return found


def test_a_region_shows_components_absent_ones_and_what_is_unknown():
    figure = region_figure(fitted(search_ev=0.0), "S 2p", "simulated")
    shown = words(figure)
    assert "simulated" in shown
    assert any(one.startswith("Li2S6 S 2p bridging, 163.1") for one in shown)
    assert "LiTFSI S 2p, not seen" in shown
    assert any(one.startswith("unknown, 171") for one in shown)
    assert figure.axes[0].get_xlim()[0] > figure.axes[0].get_xlim()[1]


def test_a_failed_fit_is_shown_as_one():
    shown = words(region_figure(fitted(search_ev=0.0, max_iterations=1), "S 2p", "simulated"))
    assert "fit (failed)" in shown


def test_a_region_that_was_not_fitted_has_no_figure():
    with pytest.raises(XpsError, match="no region 'O 1s'"):
        region_figure(fitted(search_ev=0.0), "O 1s", "")


def test_irregularities_are_drawn_with_their_size():
    sigma = np.full((30, 30), 0.02)
    image = 0.5 + sigma * np.random.default_rng(1).standard_normal(sigma.shape)
    image[10:16, 12:18] += 0.3
    found = find_irregularities(image, sigma, 10.0)
    figure = irregularity_figure(image, 10.0, found, "Al / (Al + Li)", "simulated")
    assert any(one.endswith("µm") and "±" in one for one in words(figure))
    assert len(figure.axes[0].patches) == 1


def test_growth_says_when_it_begins_and_where_there_is_none():
    time_h = np.linspace(0.0, 10.0, 26)
    draw = np.random.default_rng(1)
    amount = {
        name: np.clip(time_h - onset, 0.0, 1.0) + 0.05 * draw.standard_normal(26)
        for name, onset in (("first", 2.0), ("second", 6.0), ("third", np.inf))
    }
    series = AmountSeries(time_h, amount, dict.fromkeys(amount, np.full(26, 0.05)))
    shown = words(growth_figure(series, sei_steps(series, list(amount)), "simulated", {"third": "fouling"}))
    assert any(one.startswith(("first, from 2", "first, from 1.")) for one in shown)
    assert "fouling, does not grow" in shown
    assert "third did not grow" in shown
