"""Micrographs in, class and coverage out: the reduction against images of a microscope that it knows nothing
of.
"""

from dataclasses import replace

import numpy as np
import pytest

from intercalate.reduction.ebsd import overlap
from intercalate.reduction.micrographs import (
    Inside,
    MicrographError,
    cracks,
    deposits,
    micrograph,
    milled_body,
    particle_growth,
    scale_of,
    section,
    shift_between,
)
from intercalate_sims.probes.sem_fib import IonBeam, MilledPlace, milled_relief
from intercalate_sims.probes.sem_image import (
    Exposed,
    HiddenMicroscope,
    ImageConditions,
    ImageDetector,
    SemProbe,
    contamination_nm,
)
from intercalate_sims.probes.sem_section import CrossSection, SectionLayer, calibration_grid, section_relief
from intercalate_sims.probes.sem_surface import Cracks, Deposit, Habit, SurfaceView

PIXEL_UM = 0.08


def image_of(seed, *grown, start_s=10.0, **changed):
    conditions = ImageConditions(columns=640, rows=640, pixel_um=PIXEL_UM, **changed)
    return SemProbe(HiddenMicroscope.draw(seed), seed).surface(SurfaceView(grown), conditions, start_s)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("habit", "size_um"),
    [(Habit.NEEDLE, 16.0), (Habit.MOSSY, 10.0), (Habit.GLOBULAR, 5.0), (Habit.NONE, 0.0)],
)
def test_class_and_coverage(seed, habit, size_um):
    taken = image_of(seed, Deposit(habit, 0.2, size_um, 2.0))
    found = deposits(micrograph(taken.counts, PIXEL_UM))
    assert found.kind == habit
    true = float(np.mean(taken.truth.covered[habit]))
    assert abs(found.coverage.value - true) < 3 * found.coverage.sigma
    assert found.coverage.sigma < 0.05


def test_deposits_grow_at_the_same_places():
    small = image_of(3, Deposit(Habit.MOSSY, 0.10, 8.0, 2.0)).truth.covered[Habit.MOSSY]
    large = image_of(3, Deposit(Habit.MOSSY, 0.20, 9.0, 2.0), start_s=500.0).truth.covered[Habit.MOSSY]
    assert large.mean() > 1.3 * small.mean()
    # At other places, a fifth of the old deposits would be covered by chance.
    assert (small & large).sum() > 0.75 * small.sum()


def test_another_field_shows_the_same_place():
    """A field beside the first one, which overlaps it by half, has the same deposits there."""
    view = SurfaceView([Deposit(Habit.GLOBULAR, 0.2, 4.0, 2.0)])
    probe = SemProbe(HiddenMicroscope(), 4)
    conditions = ImageConditions(columns=256, rows=256, pixel_um=0.125)
    first, beside = (
        probe.surface(view, replace(conditions, x_um=x_um), 1.0).truth.covered[Habit.GLOBULAR]
        for x_um in (0.0, 16.0)
    )
    assert np.mean(first[:, 128:] == beside[:, :128]) > 0.999


def test_noise_follows_the_electrons():
    scatter = []
    for dwell_us in (1.0, 4.0):
        grey = image_of(5, dwell_us=dwell_us).counts.astype(float)
        scatter.append(np.std(grey[:, 1:] - grey[:, :-1]))
    assert scatter[0] / scatter[1] == pytest.approx(2.0, rel=0.25)


def test_no_beam_is_refused():
    taken = image_of(6, current_na=0.0)
    with pytest.raises(MicrographError, match="blank"):
        deposits(micrograph(taken.counts, PIXEL_UM))


def test_a_film_of_carbon_and_a_dose_change_the_face():
    conditions = ImageConditions(columns=256, rows=256, pixel_um=0.05)
    probe = SemProbe(HiddenMicroscope(), 7)
    lithium = SurfaceView(material="lithium")
    fresh, filmed, burnt, cold = (
        probe.surface(lithium, replace(conditions, temperature_c=temperature), 1.0, exposed).counts.astype(
            float
        )
        for temperature, exposed in (
            (25.0, Exposed()),
            (25.0, Exposed(seconds=600.0)),
            (25.0, Exposed(dose_c_cm2=5.0)),
            (-170.0, Exposed(dose_c_cm2=5.0)),
        )
    )
    assert abs(filmed.mean() - fresh.mean()) > 2.0
    assert burnt.std() > 2 * fresh.std()
    assert cold.std() < 0.5 * burnt.std()
    assert contamination_nm(600.0, 1e-4, -170.0) < 0.01 * contamination_nm(600.0, 1e-4, 25.0)
    assert contamination_nm(600.0, 1e-7, 25.0) < 0.02 * contamination_nm(600.0, 1e-4, 25.0)


def test_above_melting_a_passivation_layer_keeps_its_relief():
    deposit = Deposit(Habit.MOSSY, 0.2, 8.0, 2.0)
    kept, lost = (
        SemProbe(HiddenMicroscope.draw(8), 8)
        .surface(
            SurfaceView([deposit], passivated=passivated),
            ImageConditions(columns=640, rows=640, pixel_um=PIXEL_UM, temperature_c=325.0),
            9.0,
        )
        .counts
        for passivated in (True, False)
    )
    before = deposits(micrograph(image_of(8, deposit).counts, PIXEL_UM))
    above = deposits(micrograph(kept, PIXEL_UM))
    assert overlap(before, above).value > 0.8
    assert deposits(micrograph(lost, PIXEL_UM)).kind == Habit.NONE


@pytest.mark.parametrize("seed", [1, 2])
def test_scale_and_layers_of_a_section(seed):
    """The grid gives the true size of a pixel, and with it the true thickness."""
    probe = SemProbe(HiddenMicroscope.draw(seed), seed)
    on_grid = ImageConditions(columns=512, rows=512, pixel_um=0.1, kv=5.0)
    grid = probe.grid(on_grid, 1.0)
    scale = scale_of(
        micrograph(probe.scan(calibration_grid(grid, 5.0, seed), grid, on_grid, 1.0), 0.1), 5.0, 0.01
    )
    assert abs(scale.pixel_x_um.value / (0.1 * probe.hidden.scale) - 1) < 3 * scale.pixel_x_um.sigma / 0.1
    cut = ImageConditions(
        columns=512,
        rows=768,
        pixel_um=0.1,
        kv=5.0,
        current_na=0.3,
        dwell_us=10.0,
        detector=ImageDetector.BACKSCATTERED,
        brightness=0.7,
        contrast=0.6,
    )
    layers = [
        SectionLayer("lithium", 15.0, 0.6),
        SectionLayer("polymer electrolyte", 25.0, 0.6),
        SectionLayer("LFP", 20.0, 0.5),
    ]
    grid = probe.grid(cut, 2.0)
    under = section_relief(CrossSection(layers), grid, seed)
    image = micrograph(probe.scan(under, grid, cut, 2.0), scale.pixel_um.value, scale.pixel_um.sigma)
    found = section(image, ["Li", "SPE", "LFP"])
    for name, material in (("Li", "lithium"), ("SPE", "polymer electrolyte")):
        true = np.sum(under.material == under.index(material)) / 512 * 0.1 * probe.hidden.scale
        assert abs(found.layer(name).thickness_um.value - true) < 3 * found.layer(name).thickness_um.sigma
        assert found.layer(name).thickness_um.sigma < 0.4


@pytest.mark.parametrize("hollow", [True, False])
@pytest.mark.parametrize("perforated", [True, False])
def test_a_milled_needle(hollow, perforated):
    probe = SemProbe(HiddenMicroscope.draw(3), 3)
    conditions = ImageConditions(pixel_um=0.01, columns=400, rows=400, kv=3.0)
    grid = probe.grid(conditions, 1.0)
    place = MilledPlace(1.6, 0.25 if hollow else None, perforated=perforated)
    counts = probe.scan(milled_relief(place, IonBeam(), grid, 3), grid, conditions, 1.0)
    found = milled_body(micrograph(counts, 0.01), 200, 200)
    assert found.inside is (Inside.HOLLOW if hollow else Inside.FILLED)
    assert found.perforated is perforated
    if hollow:
        assert abs(found.wall_um.value - 0.25) < 3 * found.wall_um.sigma


def test_warm_milling_damages_more_than_cold():
    grid = SemProbe(HiddenMicroscope(), 1).grid(ImageConditions(pixel_um=0.01, columns=200, rows=200), 1.0)
    cold, warm = (
        milled_relief(MilledPlace(1.0, None), IonBeam(cold=is_cold), grid, 1).height_um.std()
        for is_cold in (True, False)
    )
    assert warm > cold


def test_particles_that_swell():
    """Volume by 30 % more at the same places, while the stage comes back a little beside."""
    probe = SemProbe(HiddenMicroscope.draw(9), 9)
    conditions = ImageConditions(columns=640, rows=640, pixel_um=0.06)
    grown = 1.3 ** (1 / 3)
    small = Deposit(Habit.GLOBULAR, 0.12, 4.0, 2.0, "silicon")
    # As many, each larger: what is not covered falls with the square of the size.
    large = replace(small, coverage=1 - (1 - small.coverage) ** (grown**2), size_um=4.0 * grown)
    first, second = (
        micrograph(probe.surface(SurfaceView([one], "copper"), where, start_s).counts, 0.06)
        for one, where, start_s in (
            (small, conditions, 1.0),
            (large, replace(conditions, x_um=0.8, y_um=-0.5), 99.0),
        )
    )
    shift = shift_between(first, second)
    assert abs(shift.x_um.value * probe.hidden.scale + 0.8) < 0.15
    assert abs(shift.y_um.value * probe.hidden.scale - 0.5) < 0.15
    found = particle_growth(first, deposits(first), deposits(second), shift)
    assert found.diameter_um.size >= 4
    assert abs(found.mean_ratio.value - 1.3) < 3 * found.mean_ratio.sigma


def test_cracks_of_a_face():
    probe = SemProbe(HiddenMicroscope.draw(10), 10)
    conditions = ImageConditions(columns=640, rows=640, pixel_um=0.08)
    dense, none = (
        cracks(micrograph(probe.surface(SurfaceView((), "LLZO", crack), conditions, 1.0).counts, 0.08))
        for crack in (Cracks(4000.0, 12.0, 0.3), None)
    )
    assert none.count.value == 0
    expected = 4000.0 * 12.0 * np.exp(0.045) * 1e-3
    assert abs(dense.density_per_mm.value - expected) < 3 * dense.density_per_mm.sigma
