"""Laboratory scans of an electrochemical cell, made elsewhere: its beryllium window has known lines."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.special import voigt_profile

from intercalate.reduction import FitOptions, FitPhase, Pattern, SecondLine, fit, fit_series

pytestmark = pytest.mark.realdata

CU_K_ALPHA_1_ANGSTROM = 1.5405980
CU_K_ALPHA_2 = SecondLine(1.5444260, 1 / 3)
LINES = {"100": (1, 0, 0), "002": (0, 0, 2), "101": (1, 0, 1), "102": (1, 0, 2), "110": (1, 1, 0)}
BERYLLIUM = (2.2858, 3.5843)
"""a and c in A: Mackay & Hill, J. Nucl. Mater. 8 (1963) 263, from memory."""

ZERO_DEG = 1.06
"""Mean difference between the tabulated and the observed lines of beryllium: the scans are offset."""

OPTIONS = FitOptions(range_deg=(43.5, 90.0), background_terms=14)


def beryllium() -> FitPhase:
    return FitPhase(
        name="Be",
        reflections=tuple(LINES),
        parameters=("a", "c"),
        start=BERYLLIUM,
        low=(2.20, 3.45),
        high=(2.37, 3.72),
        coefficients=np.array([(4 / 3 * (h * h + h * k + k * k), i * i) for h, k, i in LINES.values()]),
        offset=np.zeros(len(LINES)),
        key_line="002",
    )


def scan(path: Path, zero_deg: float) -> Pattern:
    root = ElementTree.parse(path).getroot()
    name = {"x": root.tag.split("}")[0][1:]}
    points = root.find(".//x:dataPoints", name)
    assert points is not None
    ends = [
        float(points.findtext(f"x:positions[@axis='2Theta']/x:{end}Position", namespaces=name) or "nan")
        for end in ("start", "end")
    ]
    counts = np.array((points.findtext("x:intensities", namespaces=name) or "").split(), dtype=float)
    angle = np.linspace(ends[0], ends[1], counts.size) - zero_deg
    sigma = np.sqrt(np.maximum(counts, 1.0))
    return Pattern(angle, counts, sigma, CU_K_ALPHA_1_ANGSTROM, second_line=CU_K_ALPHA_2)


def free_line(name: str, d_angstrom: float) -> FitPhase:
    """A line that no lattice ties to others."""
    return FitPhase(
        name=name,
        reflections=(name,),
        parameters=("d",),
        start=(d_angstrom,),
        low=(0.985 * d_angstrom,),
        high=(1.015 * d_angstrom,),
        coefficients=np.ones((1, 1)),
        offset=np.zeros(1),
        key_line=name,
    )


def peak_deg(pattern: Pattern, near_deg: float) -> tuple[float, float]:
    """Position of a single peak and its error: Voigt doublet over a straight line, by scipy alone."""
    near = np.abs(pattern.two_theta_deg - near_deg) < 0.8
    x, y = pattern.two_theta_deg[near], pattern.intensity[near]
    ratio = CU_K_ALPHA_2.wavelength_angstrom / CU_K_ALPHA_1_ANGSTROM

    def doublet(x, centre, gaussian, lorentzian, area, level, slope):
        second = 2 * np.degrees(np.arcsin(ratio * np.sin(np.radians(centre / 2))))
        first_part = 2 / 3 * voigt_profile(x - centre, gaussian, lorentzian)
        second_part = 1 / 3 * voigt_profile(x - second, gaussian, lorentzian)
        return area * (first_part + second_part) + level + slope * (x - centre)

    start = (near_deg, 0.05, 0.03, 0.15 * np.ptp(y), y.min(), 0.0)
    low = (near_deg - 0.5, 1e-3, 1e-4, 0.0, -np.inf, -np.inf)
    high = (near_deg + 0.5, 0.5, 0.5, np.inf, np.inf, np.inf)
    found, covariance = curve_fit(doublet, x, y, start, pattern.sigma[near], bounds=(low, high))
    return float(found[0]), float(np.sqrt(covariance[0, 0]))


@pytest.fixture(scope="module")
def scans(real_data: Path) -> list[Path]:
    found = sorted((real_data / "insitu_xrd").glob("*.xrdml"))
    if not found:
        pytest.skip(f"no scans in {real_data / 'insitu_xrd'}")
    return found


def test_one_lattice_explains_all_five_lines_of_the_beryllium_window(scans):
    """Two parameters, five lines: the ratio c/a does not lean on the offset of the goniometer."""
    result = fit(scan(scans[0], ZERO_DEG), [beryllium()], OPTIONS)
    assert result.converged, result.message
    a, c = result.parameters["Be.a"].value, result.parameters["Be.c"].value
    assert (a, c) == pytest.approx(BERYLLIUM, abs=2e-3)
    assert c / a == pytest.approx(BERYLLIUM[1] / BERYLLIUM[0], abs=5e-4)


@pytest.mark.parametrize("zero_deg", [1.02, 1.10])
def test_the_ratio_stands_whatever_the_offset(scans, zero_deg):
    result = fit(scan(scans[0], zero_deg), [beryllium()], OPTIONS)
    assert result.converged, result.message
    ratio = result.parameters["Be.c"].value / result.parameters["Be.a"].value
    assert ratio == pytest.approx(BERYLLIUM[1] / BERYLLIUM[0], abs=5e-4)


def test_window_is_the_same_in_all_scans(scans):
    dataset = fit_series((scan(path, ZERO_DEG) for path in scans), [beryllium()], OPTIONS)
    assert dataset["converged"].all()
    for name in ("Be.a", "Be.c"):
        values, total = (
            dataset[name].values,
            np.hypot(dataset[f"{name}_sigma_stat"], dataset[f"{name}_sigma_sys"]),
        )
        assert np.abs(values - values.mean()).max() < 3 * float(total.max())
        assert np.ptp(values) < 2e-3


@pytest.mark.parametrize("number", range(6))
def test_every_line_is_where_a_fit_of_it_alone_finds_it(scans, number):
    """Five lines from 46 to 85 degrees, strong and weak, with the doublet merged and apart."""
    pattern = scan(scans[number], ZERO_DEG)
    window = beryllium()
    spacings = 1 / np.sqrt(window.inverse_d_squared(np.array(BERYLLIUM)))
    result = fit(pattern, [free_line(name, float(d)) for name, d in zip(LINES, spacings)], OPTIONS)
    assert result.converged, result.message
    for name in LINES:
        d = result.parameters[f"{name}.d"]
        theta = np.arcsin(CU_K_ALPHA_1_ANGSTROM / 2 / d.value)
        position, sigma = np.degrees(2 * theta), np.degrees(2 * np.tan(theta) * d.sigma / d.value)
        alone, sigma_alone = peak_deg(pattern, float(position))
        assert abs(position - alone) < 2 * np.hypot(sigma, sigma_alone), name
        # Nor is it the errors that make them agree.
        assert abs(position - alone) < 0.01, name
        assert sigma < 0.02, name
