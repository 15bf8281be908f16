"""The study of a pressed sample: its finding comes out where it is, and not where it is not."""

import numpy as np
import pytest
import xarray as xr

from intercalate.reduction.pressure import AXES, pressures, volumes
from intercalate_plans.studies import load_study
from intercalate_plans.studies.measured import one_cell
from pressed_lengths import GOLD, SHARES, made

S29 = load_study("S29")


def frames(
    seed: int, shares: np.ndarray = SHARES, *, step: float = 0.0, lost: int | None = None
) -> xr.Dataset:
    """As the catalog gives them."""
    lengths, _ = made(seed, shares, step=step, systematic=True)
    count = len(lengths.marker)
    columns = {"Au.a": lengths.marker, "Au.a_sigma_stat": lengths.marker_stat}
    columns["Au.a_sigma_sys"] = lengths.common * lengths.marker
    for number, axis in enumerate(AXES):
        columns[f"LFP.{axis}"] = lengths.sample[:, number]
        columns[f"LFP.{axis}_sigma_stat"] = lengths.sample_stat[:, number]
    for name, series in (
        ("pressure_gpa", pressures(lengths, GOLD)),
        ("volume_angstrom3", volumes(lengths, GOLD)),
    ):
        columns[name] = np.array([one.value for one in series])
        columns[f"{name}_sigma_stat"] = np.array([one.sigma_stat for one in series])
        columns[f"{name}_sigma_sys"] = np.array([one.sigma_sys for one in series])
    found = xr.Dataset({name: ("frame", np.asarray(one, float)) for name, one in columns.items()})
    found["converged"] = ("frame", np.ones(count, bool))
    if lost is not None:
        for name in ("Au.a", "LFP.a", "LFP.b", "LFP.c", "pressure_gpa", "volume_angstrom3"):
            found[name][lost] = np.nan
        found["converged"][lost] = False
    return found.assign_attrs(material="LFP", marker="Au")


def analysed(data: xr.Dataset):
    return S29.analyse(one_cell(xr.Dataset(), data))


@pytest.mark.parametrize("seed", range(4))
def test_the_finding_comes_out(seed: int) -> None:
    finding = analysed(frames(seed))
    assert finding.recovered, [str(one) for one in finding.claims]
    assert finding.quantity("bulk_modulus_gpa").value == pytest.approx(130.0, abs=5.0)


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({"shares": np.full(3, 1 / 3)}, "gives way more"),
        ({"shares": SHARES[[1, 0, 2]]}, "a gives way more than c"),
        ({"step": 0.03}, "no step"),
        ({"step": 0.008}, "no step"),
        ({"lost": 6}, "the same cell is found"),
    ],
)
def test_it_does_not_where_something_else_is_so(change: dict, failed: str) -> None:
    finding = analysed(frames(5, **change))
    assert not finding.recovered
    assert any(failed in one.text and not one.holds for one in finding.claims)


def test_nothing_fitted_is_undetermined() -> None:
    data = frames(1)
    for name in ("Au.a", "LFP.a", "LFP.b", "LFP.c", "pressure_gpa", "volume_angstrom3"):
        data[name][:] = np.nan
    finding = analysed(data)
    assert not finding.recovered
    assert "No equation of state" in finding.text


def test_the_figure_shows_what_was_found() -> None:
    cells = one_cell(xr.Dataset(), frames(1))
    figure = S29.figure(cells, S29.analyse(cells), "S29")
    lengths, volume, _ = figure.axes
    assert {line.get_label()[0] for line in lengths.get_lines()} == {"a", "b", "c"}
    assert "K = " in volume.texts[0].get_text()
    stepped = one_cell(xr.Dataset(), frames(1, step=0.03))
    figure = S29.figure(stepped, S29.analyse(stepped), "S29")
    assert "no equation of state fits" in figure.axes[1].texts[0].get_text()
