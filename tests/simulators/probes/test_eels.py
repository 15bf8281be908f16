"""Spectrum images in, compounds out: a reduction and a simulator that share nothing but tables."""

from dataclasses import replace

import numpy as np
import pytest

from intercalate.materials.eels import COMPOUNDS as MATERIALS
from intercalate.reduction.eels import (
    EelsError,
    charging_finding,
    cobalt_valence,
    components_of,
    disordered_finding,
    fit_components,
    lithium_map,
    profile_of,
)
from intercalate.reduction.eels.lithium import SHAPE_SIGMA
from intercalate.reduction.eels.nanobattery import amount_at_end
from intercalate.views.eels import claims_text, maps_figure, profile_figure, spectrum_figure
from intercalate_sims.probes.eels import Layer, ThinSample, damaged
from intercalate_sims.probes.eels_instrument import HiddenEels

from .eels_session import BATTERY, Session, scan

COMPOUNDS = ("LiCoO2", "Li2O", "Li2O2", "LiPON")


@pytest.fixture(scope="module")
def sessions():
    return [Session(seed) for seed in range(3)]


def maps_of(session, key=5, names=COMPOUNDS, **changed):
    prepared, truth = session.take(BATTERY, scan(**changed), key)
    image = prepared.core.between(510.0, 806.0)
    components, bins = components_of([session.reference(name) for name in names], prepared, image)
    return fit_components(image, components, prepared.core_incident, thickness_bin=bins), truth


def test_compounds_are_mapped_within_their_errors(sessions):
    pulls = []
    for session in sessions:
        maps, truth = maps_of(session)
        assert np.median(maps.reduced_chi2) == pytest.approx(1.0, abs=0.05)
        for name in COMPOUNDS:
            for first in (5, 27, 45):
                where = np.zeros(maps.reduced_chi2.shape, bool)
                where[:, first : first + 4] = True
                found = maps.mean(name, where)
                true = truth["thickness_nm"][name][where].mean()
                pulls.append((found.value - true) / found.sigma)
    assert np.abs(pulls).max() < 3.5
    assert 0.4 < np.sqrt(np.mean(np.square(pulls))) < 1.4


def test_zero_loss_and_thickness_are_found(sessions):
    for session in sessions:
        prepared, truth = session.take(BATTERY, scan(rows=4), 7)
        moved = prepared.zero_ev - prepared.zero_ev.mean()
        np.testing.assert_allclose(moved, truth["drift_ev"] - truth["drift_ev"].mean(), atol=0.02)
        found = prepared.thickness
        pulls = (found.t_over_lambda - truth["t_over_lambda"]) / np.hypot(found.sigma_stat, found.sigma_sys)
        assert np.abs(pulls).max() < 3


ALL = ("LiCoO2", "Li0.5CoO2", "Co3O4", "CoO", "Li2O", "Li2O2", "LiPON")
REST = (Layer("electrolyte", 16.0, {"LiPON": 1.0}), Layer("anode", 16.0, {"Si": 1.0}))
ON_CATHODE = Layer("on it", 8.0, {"LiCoO2": 0.5, "Li2O": 0.25, "Li2O2": 0.25}, 3.7)
CHARGED = ThinSample((Layer("cathode", 24.0, {"LiCoO2": 1.0}, 3.2), ON_CATHODE, *REST))
WITHOUT = ThinSample((Layer("cathode", 28.0, {"LiCoO2": 1.0}, 3.2), *REST))
ON_ANODE = ThinSample(
    (
        Layer("cathode", 24.0, {"LiCoO2": 1.0}, 3.2),
        REST[0],
        Layer("on it", 8.0, {"Si": 0.5, "Li2O": 0.25, "Li2O2": 0.25}),
        REST[1],
    )
)
DISORDERED = ThinSample(
    (
        Layer("cathode", 26.0, {"LiCoO2": 1.0}),
        Layer("disordered", 6.0, {"LiCoO2": 0.2, "Co3O4": 0.8}),
        *REST,
    )
)


@pytest.fixture(scope="module")
def referenced():
    session = Session(0)
    return session, {name: session.reference(name) for name in ALL}


def profiled(referenced, sample, key=11):
    session, references = referenced
    prepared, truth = session.take(sample, scan(rows=48), key)
    return profile_of(prepared, references, truth["x_nm"])


@pytest.mark.parametrize(
    ("sample", "charged", "disordered"),
    [(CHARGED, True, False), (WITHOUT, False, False), (ON_ANODE, False, False), (DISORDERED, False, True)],
    ids=["charged", "null", "permuted", "before cycling"],
)
def test_what_lies_on_the_cathode_is_found_only_where_it_is(referenced, sample, charged, disordered):
    profile = profiled(referenced, sample)
    assert charging_finding(profile).recovered is charged
    assert disordered_finding(profile).recovered is disordered


def test_another_material_of_one_thickness_is_no_lithium_oxide():
    """Low losses of cathode, layer and electrolyte differ: by a mean of theirs, edges have a wrong tail."""
    session = Session(3, hidden=HiddenEels(fine_structure=0.0, drift_ev=0.0))
    references = {name: session.reference(name) for name in ALL}
    sample = replace(DISORDERED, thickness_nm=60.0)
    prepared, truth = session.take(sample, scan(rows=48, dwell_s=0.06), 11)
    found = amount_at_end(profile_of(prepared, references, truth["x_nm"]), "Li2O")
    assert found.sigma_stat < 0.5
    assert abs(found.value) < 3 * found.sigma_stat


def test_valence_of_cobalt_follows_the_layers(referenced):
    """Within 0.2, which is what binned profiles can do."""
    session, references = referenced
    steps = (2.8, 3.0, 3.3, 3.6)
    sample = ThinSample(
        tuple(Layer(f"{valence:g}", 10.0, {"LiCoO2": 1.0}, valence) for valence in steps), interface_nm=0.3
    )
    prepared, _ = session.take(sample, scan(columns=40, rows=48), 3)
    found = cobalt_valence(prepared.columns(10), list(references.values()), np.ones(4, bool)).combined
    for one, valence in zip(found, steps):
        assert abs(one.value - valence) < min(3 * one.sigma, 0.25)
        assert one.sigma < 0.2


def test_what_lies_beside_the_cathode_does_not_move_its_white_lines():
    """The electrolyte scatters less often, and plural scattering moves their ratio."""
    session = Session(3, hidden=HiddenEels(fine_structure=0.0, drift_ev=0.0))
    references = [session.reference(name) for name in ALL[:4]]
    sample = ThinSample(
        (Layer("cathode", 16.0, {"LiCoO2": 1.0}, 2.4), Layer("electrolyte", 48.0, {"LiPON": 1.0})), 65.0, 0.0
    )
    prepared, _ = session.take(sample, scan(columns=64, rows=48, dwell_s=0.1), 3)
    (found, *_) = cobalt_valence(prepared.columns(8), references).by_indicator["white lines"]
    assert found.sigma_stat < 0.02
    assert abs(found.value - 2.4) < 0.05


def test_what_shapes_do_to_a_valence_is_declared_once():
    """With many electrons only shapes are left: samples scatter by what is said, not by half of it."""
    sample = ThinSample((Layer("cathode", 20.0, {"LiCoO2": 1.0}, 3.25),), wedge=0.0)
    pulls = []
    for seed in range(16):
        session = Session(seed)
        references = [session.reference(name) for name in ALL[:4]]
        prepared, _ = session.take(sample, scan(columns=8, rows=8, dwell_s=1.0, beam_na=0.02), 3)
        found = cobalt_valence(prepared.columns(8), references, np.ones(1, bool)).combined[0]
        assert found.sigma_stat < 0.5 * found.sigma_sys
        pulls.append((found.value - 3.25) / found.sigma)
    assert 0.55 < np.sqrt(np.mean(np.square(pulls))) < 1.4


def test_lithium_is_told_from_cobalt_or_nothing_is_said(referenced):
    session, references = referenced
    prepared, truth = session.take(CHARGED, scan(rows=24), 9)
    maps = lithium_map(prepared, {"Li": references["LiPON"], "Co": references["CoO"]})
    for first, last in ((4, 20), (26, 31), (36, 46), (52, 62)):
        where = np.zeros(maps.misfit.shape, bool)
        where[:, first:last] = True
        true = sum(
            thickness[where].mean() * MATERIALS[name].atoms_per_nm3("Li")
            for name, thickness in truth["thickness_nm"].items()
        )
        found = maps.mean("Li", where)
        assert abs(found.value - true) < 3 * found.sigma
    assert maps.amount["Li"][:, 26:31].mean() > 1.2 * maps.amount["Li"][:, 4:20].mean()
    # Where it is the reference's own compound, less is uncertain.
    own = lithium_map(prepared, {"Li": references["LiPON"], "Co": references["CoO"]}, 0.03)
    ratio = np.median(own.sigma_sys["Li"] / maps.sigma_sys["Li"])
    assert ratio == pytest.approx(0.03 / SHAPE_SIGMA, rel=1e-6)
    with pytest.raises(EelsError, match="holds no Li"):
        lithium_map(prepared, {"Li": references["CoO"]})
    with pytest.raises(EelsError, match="a reference of Li is needed"):
        lithium_map(prepared, {"Co": references["CoO"]})


def test_missing_references_are_named(referenced):
    session, references = referenced
    prepared, truth = session.take(CHARGED, scan(rows=2), 9)
    few = {name: references[name] for name in ("LiCoO2", "LiPON")}
    with pytest.raises(EelsError, match=r"Li0\.5CoO2, Co3O4, Li2O, Li2O2, CoO are needed"):
        profile_of(prepared, few, truth["x_nm"])
    with pytest.raises(EelsError, match="1 references of known cobalt valence"):
        cobalt_valence(prepared.columns(8), [references["LiCoO2"]])


def test_the_beam_turns_carbonate_into_oxide_and_cold_slows_it():
    layer = Layer("SEI", 10.0, {"Li2CO3": 1.0})
    warm = damaged(layer, scan(is_cold=False, beam_na=0.001), 500.0)
    cold = damaged(layer, scan(is_cold=True, beam_na=0.001), 500.0)
    assert warm.shares["Li2CO3"] < cold.shares["Li2CO3"] < 1.0
    assert warm.shares["Li2CO3"] + warm.shares["Li2O"] == pytest.approx(1.0)
    assert damaged(layer, scan(beam_na=0.0), 0.0).shares["Li2CO3"] == 1.0
    metal = damaged(Layer("Li", 10.0, {"Li": 1.0}), scan(is_cold=False), 0.0)
    assert metal.shares["Li"] < 0.1


def test_dose_is_that_of_the_electrons_of_a_pixel():
    one = scan(pixel_nm=2.0, beam_na=0.01)
    assert one.electrons == pytest.approx(6.24e5, rel=1e-3)
    assert one.dose_e_per_a2 == pytest.approx(one.electrons / 400.0)


def test_the_same_keys_give_the_same_counts_and_others_do_not():
    probe = Session(4).probe
    small = scan(columns=3, rows=2)
    first, again, other = (probe.take(BATTERY, small, key).core for key in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_layers_of_what_is_unknown_are_refused():
    with pytest.raises(ValueError, match="compounds out of"):
        Layer("gold", 5.0, {"Au": 1.0})
    with pytest.raises(ValueError, match="width"):
        Layer("none", 0.0, {"Li": 1.0})


def test_figures_show_what_was_found_and_say_what_was_not(referenced):
    session, references = referenced
    prepared, truth = session.take(CHARGED, scan(rows=24), 9)
    profile = profile_of(prepared, references, truth["x_nm"])
    maps = lithium_map(prepared, {"Li": references["LiPON"], "Co": references["CoO"]})
    assert not maps.determined("Co")
    drawn = maps_figure(maps, 1.0, "simulated", unit="1/nm2")
    assert any(text.get_text() == "not determined" for axis in drawn.axes for text in axis.texts)
    figure = profile_figure(profile, "simulated")
    legend = figure.axes[0].get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["LiCoO2", "Li2O", "Li2O2", "LiPON"]
    image = prepared.core.between(510.0, 806.0)
    components, bins = components_of([references[name] for name in COMPOUNDS], prepared, image)
    fitted = fit_components(image, components, prepared.core_incident, thickness_bin=bins)
    where = np.zeros(fitted.misfit.shape, bool)
    where[:, 26:30] = True
    spectrum = spectrum_figure(prepared, fitted, where, "simulated")
    left = np.asarray(spectrum.axes[2].lines[0].get_ydata(), float)
    assert np.std(left) < 2.0
    assert claims_text(charging_finding(profile).claims)["Li2O on the cathode over elsewhere, nm"].endswith(
        "holds"
    )
