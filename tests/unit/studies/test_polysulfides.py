"""Long polysulfides before the boundary of the plateaus and short ones after it are found where it is so."""

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from intercalate.materials.raman_sulfur import DISULFIDE, LONG, SHORT, SPECIES, SULFIDE, SULFUR
from intercalate_plans.studies import MeasuredCell, load_study
from intercalate_plans.studies.onsets import Series, end_of, onset_of
from intercalate_plans.studies.polysulfides import plateaus_of

matplotlib.use("Agg")

S23 = load_study("S23")
HOURS, BOUNDARY = 9.0, 2.2


def records(boundary: float = BOUNDARY, drop_v: float = 0.24) -> xr.Dataset:
    hours = np.linspace(0.0, HOURS, 540)
    voltage = 2.36 - 0.01 * hours - drop_v / (1.0 + np.exp(-(hours - boundary) / 0.02))
    current = np.where(hours < 0.1, 0.0, -4e-4)
    columns = {"test_time_second": 3600.0 * hours, "voltage_volt": voltage, "current_ampere": current}
    return xr.Dataset({name: ("record", values) for name, values in columns.items()})


def rising(hours: np.ndarray, begin: float, slope: float) -> np.ndarray:
    return slope * np.maximum(hours - begin, 0.0)


def frames(hours: np.ndarray, columns: dict[str, np.ndarray], sigma: float, seed: int, **attributes):
    draw = np.random.default_rng(seed)
    made = {}
    for name, true in columns.items():
        made[name] = true + sigma * draw.standard_normal(hours.size)
        made[f"{name}_sigma_stat"] = np.full(hours.size, sigma)
        made[f"{name}_sigma_sys"] = 0.01 * np.abs(true)
    data = xr.Dataset({name: ("frame", values) for name, values in made.items()})
    return data.assign(test_time_second=("frame", 3600.0 * hours)).assign_attrs(attributes)


def cell(electrolyte: str, *, long_at: float = 0.15, short_at: float = BOUNDARY, seed: int = 0, **without):
    seldom, often = np.arange(0.0, HOURS, 0.5), np.arange(0.0, HOURS, 0.25)
    species = {
        SULFUR: np.maximum(1.0 - often / BOUNDARY, 0.0),
        LONG: rising(often, long_at, 0.3),
        SHORT: rising(often, short_at, 0.05),
        DISULFIDE: rising(often, BOUNDARY + 0.4, 0.05),
        SULFIDE: rising(often, BOUNDARY, 0.05),
    }
    for name in without.get("absent", ()):
        species[name] = np.zeros(often.size)
    crystals = {
        "amount.S8": np.maximum(1.0 - seldom / BOUNDARY, 0.0),
        "amount.Li2S": rising(seldom, BOUNDARY, 0.06),
    }
    made = {
        "xrd": frames(seldom, crystals, 0.003, seed, electrolyte=f"LiTFSI in {electrolyte}"),
        "cathode": frames(often, {f"cathode.{one}": species[one] for one in SPECIES}, 0.006, seed + 1),
        "electrolyte": frames(
            often, {f"electrolyte.{one}": 7.0 * species[one] for one in SPECIES}, 0.06, seed + 2
        ),
    }
    return MeasuredCell(records(), made)


def analysed(*found: MeasuredCell):
    return S23.analyse({f"H{number}": one for number, one in enumerate(found)})


def test_the_finding_is_recovered_and_shown():
    cells = {"H1": cell("DOL:DME"), "H2": cell("PY13-FSI", seed=9)}
    finding = S23.analyse(cells)
    assert finding.recovered, [str(one) for one in finding.claims]
    boundary = finding.quantity("boundary_DOL:DME")
    assert boundary.value == pytest.approx(BOUNDARY, abs=3 * boundary.sigma)
    assert finding.quantity("s2_cathode_DOL:DME").value == pytest.approx(BOUNDARY + 0.4, abs=0.3)
    shown = S23.figure(cells, finding, "title")
    assert len(shown.axes) == 8
    plt.close(shown)


@pytest.mark.parametrize("seed", range(5))
def test_short_before_long_is_not_the_finding(seed):
    finding = analysed(cell("DOL:DME", long_at=BOUNDARY, short_at=0.15, seed=seed))
    failed = [one.text for one in finding.claims if not one.holds]
    assert not finding.recovered
    assert any("long polysulfides are on the cathode" in text for text in failed)
    assert any("S4(2-) is on the cathode" in text for text in failed)


@pytest.mark.parametrize("name", [LONG, SHORT, DISULFIDE, SULFIDE])
def test_a_species_that_never_appears_is_undetermined(name):
    finding = analysed(cell("DOL:DME", absent=[name]))
    claims = [one for one in finding.claims if name in one.text or (name == LONG and "long" in one.text)]
    assert claims
    assert any(not one.holds and np.isnan(one.sigmas) for one in claims)
    assert not finding.recovered


def test_one_electrolyte_without_the_effect_is_enough_to_fail():
    assert not analysed(cell("DOL:DME"), cell("PY13-FSI", short_at=0.5)).recovered


def test_a_voltage_without_two_plateaus_is_said_to_have_none():
    assert plateaus_of(records(drop_v=0.0)) is None
    broken = MeasuredCell(records(drop_v=0.0), cell("DOL:DME").frames)
    finding = analysed(broken)
    assert not finding.recovered
    assert finding.text == "No discharge has two plateaus."


@pytest.mark.parametrize("boundary", [1.0, 2.2, 4.5])
def test_boundary_is_found_wherever_it_is(boundary):
    found = plateaus_of(records(boundary))
    assert found is not None
    assert found.boundary[0] == pytest.approx(boundary, abs=3 * found.boundary[1])


def test_errors_of_onsets_cover_them():
    hours, off = np.arange(0.0, 9.0, 0.25), []
    for seed in range(60):
        draw = np.random.default_rng(seed)
        begin = draw.uniform(0.5, 4.0)
        value = rising(hours, begin, 0.1) + 0.02 * draw.standard_normal(hours.size)
        time, sigma = onset_of(Series(hours, value, np.full(hours.size, 0.02), np.zeros(hours.size)))
        off.append((time - begin) / sigma)
    assert np.mean(np.abs(off) < 2.0) > 0.85
    assert np.sqrt(np.mean(np.square(off))) < 1.4


def test_an_end_is_an_onset_the_other_way_round():
    hours = np.arange(0.0, 9.0, 0.5)
    value = np.maximum(1.0 - hours / 3.2, 0.0)
    time, sigma = end_of(Series(hours, value, np.full(hours.size, 0.01), np.zeros(hours.size)))
    assert time == pytest.approx(3.2, abs=0.05)
    assert sigma < 0.2


def test_nothing_begins_in_noise():
    hours = np.arange(0.0, 9.0, 0.25)
    for seed in range(40):
        value = np.random.default_rng(seed).standard_normal(hours.size)
        assert np.isnan(onset_of(Series(hours, value, np.ones(hours.size), np.zeros(hours.size)))[0])
