"""What is in the beam at which position."""

import numpy as np
import pytest

from intercalate_sims.changer import FRAME_RADIUS_MM, WINDOW_RADIUS_MM, Changer, Holder

CHANGER = Changer([Holder("H1", "A1", 0.2, -0.1), Holder("LaB6", "LaB6", -15.0, 0.0)])
BEAM = (0.5, 0.5)


@pytest.mark.parametrize(
    ("at", "content", "window", "air"),
    [
        ((0.2, -0.1), "A1", 1.0, 0.0),
        ((0.2, 2.5), "A1", 1.0, 0.0),
        ((-15.0, 1.0), "LaB6", 1.0, 0.0),
        ((4.2, -0.1), None, 0.0, 0.0),
        ((-7.4, 0.0), None, 0.0, 1.0),
        ((40.0, 40.0), None, 0.0, 1.0),
    ],
    ids=["cell", "cell, off centre", "calibrant", "frame", "between", "far away"],
)
def test_what_the_beam_meets(at: tuple[float, float], content: str | None, window: float, air: float) -> None:
    in_beam = CHANGER.in_beam(*at, BEAM)
    assert (in_beam.content, in_beam.window, in_beam.air) == (content, window, air)


def test_the_place_counts_from_the_true_centre() -> None:
    assert CHANGER.in_beam(1.0, 1.0, BEAM).place_mm == pytest.approx((0.8, 1.1))


def test_shares_change_over_the_size_of_the_beam() -> None:
    """Window and frame edge are as wide as the beam, and lie at their radii."""
    x = np.arange(0.0, 6.0, 0.02)
    for beam_mm in (0.2, 0.8):
        found = [CHANGER.in_beam(0.2 + float(at), -0.1, (beam_mm, 0.05)) for at in x]
        window, air = np.array([(one.window, one.air) for one in found]).T
        assert (np.diff(window) <= 0).all()
        assert (np.diff(air) >= 0).all()
        for share, radius in ((1 - window, WINDOW_RADIUS_MM), (air, FRAME_RADIUS_MM)):
            edge = x[(share > 0) & (share < 1)]
            assert edge.mean() == pytest.approx(radius, abs=0.05)
            assert np.ptp(edge) == pytest.approx(beam_mm * 8 / 9, abs=0.05)


def test_a_window_is_as_wide_as_it_should_be_in_an_alignment_scan() -> None:
    x = np.arange(-4.0, 4.0, 0.01)
    window = np.array([CHANGER.in_beam(float(at), -0.1, BEAM).window for at in x])
    inside = x[window > 0.5]
    assert inside.mean() == pytest.approx(0.2, abs=0.02)
    assert np.ptp(inside) == pytest.approx(2 * WINDOW_RADIUS_MM, abs=0.05)


def test_without_holders_there_is_air() -> None:
    assert Changer([]).in_beam(0.0, 0.0, BEAM).air == 1.0
    assert Changer([]).content_near(0.0, 0.0) is None
