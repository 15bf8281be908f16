"""Spectrum images in, compounds out: the reduction against a simulator that shares nothing with it but tables."""

import numpy as np
import pytest

from intercalate.reduction.eels import components_of, fit_components

from .eels_session import BATTERY, Session, scan

COMPOUNDS = ("LiCoO2", "Li2O", "Li2O2", "LiPON")


@pytest.fixture(scope="module")
def sessions():
    return [Session(seed) for seed in range(3)]


def maps_of(session, key=5, names=COMPOUNDS, **changed):
    prepared, truth = session.take(BATTERY, scan(**changed), key)
    image = prepared.core.between(508.0, 808.0)
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
