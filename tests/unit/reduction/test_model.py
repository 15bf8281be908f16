import numpy as np
import pytest

from intercalate.reduction import Pattern, SecondLine, full_cell
from intercalate.reduction.model import PowderModel
from intercalate.reduction.separable import pattern_jacobian


def empty_pattern(distance_mm=300.0, second_line=None):
    x = np.linspace(4.5, 25.0, 800)
    return Pattern(x, np.full(x.size, 10.0), np.ones(x.size), 0.495937, distance_mm, second_line)


@pytest.fixture(params=[None, SecondLine(0.4975, 1 / 3)], ids=["one line", "doublet"])
def model(request):
    pattern = empty_pattern(second_line=request.param)
    return PowderModel(pattern, full_cell(positive_um=65.0, negative_um=75.0), 6)


@pytest.mark.parametrize(("wavelength", "share"), [(0.0, 0.3), (float("nan"), 0.3), (0.5, 0.0), (0.5, 1.0)])
def test_a_second_line_that_cannot_be_is_refused(wavelength, share):
    with pytest.raises(ValueError, match=r"second line.* is"):
        SecondLine(wavelength, share)


def test_a_doublet_has_its_second_line_where_bragg_puts_it():
    """Both lines of one spacing, shares 2 to 1, and the whole of the area."""
    phases = full_cell(positive_um=65.0, negative_um=75.0)[:1]
    second = SecondLine(0.52, 1 / 3)
    model = PowderModel(empty_pattern(None, second), phases, 6)
    geometry = model.geometry(np.array(model.start))
    profile = model.profiles(geometry).value[:, 0]
    d = 0.495937 / 2 / np.sin(np.radians(geometry.centre[0] / 2))
    weaker = np.degrees(2 * np.arcsin(second.wavelength_angstrom / 2 / d))
    parts = [
        float(np.trapezoid(profile[near], model.x[near]))
        for near in (
            np.abs(model.x - centre) < (weaker - geometry.centre[0]) / 2
            for centre in (geometry.centre[0], weaker)
        )
    ]
    assert parts == pytest.approx([2 / 3, 1 / 3], abs=0.02)


def parameters_of(model, seed=0):
    draw = np.random.default_rng(seed)
    parameters = np.array(model.start)
    for index, name in enumerate(model.names):
        last = name.split(".")[-1]
        if last in ("a", "c", "d"):
            parameters[index] *= 1 + 2e-3 * draw.normal()
        elif last == "displacement_um":
            parameters[index] = 40.0
        elif last in ("W", "U"):
            parameters[index] = 0.003
        else:
            parameters[index] *= draw.uniform(0.8, 1.5)
    return parameters


def test_jacobian_is_that_of_finite_differences(model):
    parameters = parameters_of(model)
    intensities = np.random.default_rng(1).uniform(1.0, 50.0, model.reflection_phase.size)
    geometry = model.geometry(parameters)
    analytic = pattern_jacobian(geometry, model.profiles(geometry), intensities)
    for index, name in enumerate(model.names):
        step = np.zeros(parameters.size)
        step[index] = max(abs(parameters[index]), 1e-3) * 1e-6
        up, down = (
            model.profiles(model.geometry(parameters + sign * step)).value @ intensities for sign in (1, -1)
        )
        numeric = (up - down) / (2 * step[index])
        scale = np.abs(numeric).max()
        assert scale > 0, name
        assert np.abs(analytic[:, index] - numeric).max() < 2e-4 * scale, name


def test_lines_lie_where_braggs_law_puts_them():
    phases = full_cell(positive_um=65.0, negative_um=75.0)
    model = PowderModel(empty_pattern(distance_mm=None), phases, 6)
    centre = model.geometry(np.array(model.start)).centre
    a, c = phases[0].start
    for row, name in enumerate(phases[0].reflections[:6]):
        h, k, index_l = (int(index) for index in name)
        d = 1 / np.sqrt(4 / 3 * (h * h + h * k + k * k) / a**2 + (index_l / c) ** 2)
        assert centre[row] == pytest.approx(np.degrees(2 * np.arcsin(0.495937 / 2 / d)), abs=1e-9)


def test_downstream_phase_is_seen_at_smaller_angle_by_the_ratio_of_distances(model):
    parameters = np.array(model.start)
    parameters[0] = 300.0
    seen = model.geometry(parameters).centre[model.rows(3)]
    flat = PowderModel(empty_pattern(distance_mm=None), model.phases, 6)
    bragg = flat.geometry(np.array(flat.start)).centre[flat.rows(3)]
    ratio = np.tan(np.radians(seen)) / np.tan(np.radians(bragg))
    depth_um = model.phases[3].depth_um + 300.0
    np.testing.assert_allclose(ratio, 1 - depth_um / 300_000.0, rtol=1e-9)


def test_no_displacement_is_refined_without_a_standard_or_a_flat_geometry():
    phases = full_cell(positive_um=65.0, negative_um=75.0)
    assert "displacement_um" not in PowderModel(empty_pattern(None), phases, 6).names
    assert "displacement_um" not in PowderModel(empty_pattern(), phases[:2], 6).names
