"""What rims enclose: insides of deposits, and face between them."""

import numpy as np
import pytest

from intercalate.reduction.micrographs import DepositClass, MicrographError, deposits, micrograph, segments
from intercalate.reduction.micrographs.insides import _wrong_px, filled_outlines

from .drawn_images import discs, face, rods, with_shapes

SIDE, RADIUS = 300, 14
PLACES = [(row, column) for row in (40, 110, 180) for column in (40, 110, 180)]
FRAME = (slice(220, 280), slice(40, 160))
NOISE = 2.0


def ringed(places, gap_px=0):
    """Outlines of discs, the first with a gap, and of a frame; and grey that falls towards their middle."""
    solid = discs(SIDE, places, RADIUS)
    outlines = discs(SIDE, places, RADIUS + 2) & ~solid
    if gap_px:
        row, column = places[0]
        outlines[row - gap_px // 2 : row + gap_px // 2, column : column + RADIUS + 3] = False
    rows, columns = FRAME
    outlines[rows, columns] = True
    outlines[rows.start + 2 : rows.stop - 2, columns.start + 2 : columns.stop - 2] = False
    y, x = np.mgrid[:SIDE, :SIDE]
    away = 0.3 * np.random.default_rng(1).standard_normal((SIDE, SIDE))
    for row, column in places:
        inward = RADIUS - np.hypot(y - row, x - column)
        away += np.where(inward > 0, -10.0 + 6.0 * np.exp(-inward / 4.0), 0.0)
    return outlines, away


def in_frame(covered):
    rows, columns = FRAME
    return float(covered[rows, columns].mean())


def test_insides_are_filled_and_face_between_rims_is_not():
    outlines, away = ringed(PLACES)
    found = filled_outlines(outlines, away, NOISE)
    assert found.covered[discs(SIDE, PLACES, RADIUS)].all()
    assert in_frame(found.covered) < 0.2
    assert found.doubtful_px < 0.01 * found.covered.sum()


def test_the_level_of_insides_tells_one_that_does_not_fall():
    outlines, away = ringed(PLACES)
    away[FRAME] -= 9.0
    assert in_frame(filled_outlines(outlines, away, NOISE).covered) > 0.99


@pytest.mark.parametrize(("places", "is_filled"), [(PLACES, True), (PLACES[:1], False)])
def test_what_is_open_by_a_gap_is_an_inside_only_if_it_looks_like_known_ones(places, is_filled):
    outlines, away = ringed(places, gap_px=6)
    found = filled_outlines(outlines, away, NOISE).covered[discs(SIDE, places[:1], RADIUS - 2)]
    assert found.mean() > 0.99 if is_filled else found.mean() < 0.01


def test_outlines_that_enclose_nothing_stay_as_they_are():
    nothing = np.zeros((SIDE, SIDE), dtype=bool)
    for outlines in (nothing, ~nothing):
        found = filled_outlines(outlines, np.zeros((SIDE, SIDE)), NOISE)
        assert np.array_equal(found.covered, outlines)
        assert found.doubtful_px == 0.0


def test_doubt_is_what_two_of_three_cases_stay_within():
    # Many places of either kind: as of a normal distribution.
    likely = np.repeat([0.6, 0.4], 100)
    assert _wrong_px(likely, np.repeat([-10.0, 10.0], 100)) == pytest.approx(
        10 * np.sqrt(200 * 0.24), rel=0.15
    )
    # A large one that is hardly in doubt, and one that is as likely either.
    assert _wrong_px(np.array([0.02]), np.array([10_000.0])) == 0.0
    assert _wrong_px(np.array([0.5]), np.array([10_000.0])) == 10_000.0


def crossing(count):
    ends = np.random.default_rng(2).uniform(-40, 296, (count, 2, 2))
    return rods(256, [(tuple(one), tuple(other)) for one, other in ends], 1.5)


def test_the_face_between_crossing_needles_is_told():
    mask = crossing(60)
    found = deposits(micrograph(with_shapes(mask), 0.1), with_scatter=False)
    assert mask.mean() > 0.3
    assert found.kind is DepositClass.NEEDLE
    assert np.mean(found.segments.covered[mask]) > 0.9
    bare = segments(micrograph(face(256).astype(np.uint8), 0.1))
    assert found.segments.face_sigma < 3.0 * bare.face_sigma


@pytest.mark.parametrize("count", [70, 100])
def test_needles_that_leave_no_face_to_see_are_refused(count):
    with pytest.raises(MicrographError, match="magnify more"):
        deposits(micrograph(with_shapes(crossing(count)), 0.1), with_scatter=False)
