"""Laboratory scans of an electrochemical cell, made elsewhere: its beryllium window has known lines."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from intercalate.reduction import FitOptions, FitPhase, Pattern, fit, fit_series

pytestmark = pytest.mark.realdata

CU_K_ALPHA_ANGSTROM = (2 * 1.5405980 + 1.5444260) / 3
BERYLLIUM = (2.2858, 3.5843)
"""a and c in A: Mackay & Hill, J. Nucl. Mater. 8 (1963) 263, from memory."""

ZERO_DEG = 1.06
"""Mean difference between the tabulated and the observed lines of beryllium: the scans are offset."""

OPTIONS = FitOptions(range_deg=(43.5, 90.0), background_terms=14)


def beryllium() -> FitPhase:
    indices = {"100": (1, 0, 0), "002": (0, 0, 2), "101": (1, 0, 1), "102": (1, 0, 2), "110": (1, 1, 0)}
    return FitPhase(
        name="Be",
        reflections=tuple(indices),
        parameters=("a", "c"),
        start=BERYLLIUM,
        low=(2.20, 3.45),
        high=(2.37, 3.72),
        coefficients=np.array([(4 / 3 * (h * h + h * k + k * k), i * i) for h, k, i in indices.values()]),
        offset=np.zeros(len(indices)),
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
    return Pattern(angle, counts, np.sqrt(np.maximum(counts, 1.0)), CU_K_ALPHA_ANGSTROM)


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
