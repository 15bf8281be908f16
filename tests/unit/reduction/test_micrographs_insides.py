"""What rims enclose: insides of deposits, and face between them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from intercalate.reduction.micrographs import DepositClass, MicrographError, deposits, micrograph, segments
from intercalate.reduction.micrographs.enclosed import Places
from intercalate.reduction.micrographs.insides import (
    Filled,
    _alike,
    _Face,
    _likely,
    _Round,
    _wrong_px,
    filled_outlines,
)
from intercalate.reduction.micrographs.pixels import depth_px
from intercalate.reduction.micrographs.repeats import square_off

from .drawn_images import discs, face, rods, with_shapes

SIDE, RADIUS, LARGE = 300, 14, 42
PLACES = [(row, column) for row in (40, 110, 180) for column in (40, 110, 180)]
FRAME = (slice(220, 280), slice(40, 160))
NOISE = 2.0


def ringed(places, gap_px=0, radius=RADIUS):
    """Outlines of discs, the first with a gap, and of a frame; and grey that falls towards their middle."""
    rows, columns = FRAME
    outlines = np.zeros((SIDE, SIDE), dtype=bool)
    outlines[rows, columns] = True
    outlines[rows.start + 2 : rows.stop - 2, columns.start + 2 : columns.stop - 2] = False
    outlines |= discs(SIDE, places, radius + 2) & ~discs(SIDE, places, radius)
    if gap_px:
        row, column = places[0]
        outlines[row - gap_px // 2 : row + gap_px // 2, column : column + radius + 3] = False
    y, x = np.mgrid[:SIDE, :SIDE]
    away = 0.3 * np.random.default_rng(1).standard_normal((SIDE, SIDE))
    for row, column in places:
        inward = radius - np.hypot(y - row, x - column)
        away += np.where(inward > 0, -10.0 + 6.0 * np.exp(-inward * 3.5 / radius), 0.0)
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


@pytest.mark.parametrize(("places", "is_filled"), [(PLACES[:2], True), (PLACES[:1], False)])
def test_what_is_open_by_a_gap_is_an_inside_only_if_it_looks_like_a_known_one(places, is_filled):
    outlines, away = ringed(places, gap_px=6)
    found = filled_outlines(outlines, away, NOISE).covered[discs(SIDE, places[:1], RADIUS - 2)]
    assert found.mean() > 0.99 if is_filled else found.mean() < 0.01


def test_of_a_large_deposit_much_of_the_rim_may_be_missing():
    places = [(80, 80), (80, 220)]
    outlines, away = ringed(places, gap_px=36, radius=LARGE)
    closed, _ = ringed(places, radius=LARGE)
    found, whole = (filled_outlines(one, away, NOISE) for one in (outlines, closed))
    true = discs(SIDE, places, LARGE + 2)
    assert found.covered[discs(SIDE, places[:1], LARGE - 10)].all()
    # Where there is no rim, nobody knows how far it goes.
    wrong_px = np.sum(found.covered[: FRAME[0].start] ^ true[: FRAME[0].start])
    assert whole.doubtful_px < 0.1 * wrong_px < found.doubtful_px
    assert wrong_px < 2.0 * found.doubtful_px


def test_an_inside_that_is_open_to_enclosed_face_is_told_from_it():
    inner = (250, 62)
    outlines, away = ringed([inner, *PLACES], gap_px=6)
    found = filled_outlines(outlines, away, NOISE).covered
    assert found[discs(SIDE, [inner], RADIUS - 2)].mean() > 0.99
    rows, columns = FRAME
    assert found[rows, columns.stop - 60 : columns.stop].mean() < 0.2


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


def with_a_weak_rim(seed, rim=12.0):
    """A disc whose bright rim has a stretch of so much brightness only."""
    mask = discs(256, [(128, 128)], 40)
    depth = depth_px(mask)
    rows, columns = np.mgrid[:256, :256]
    strength = np.where((np.abs(rows - 128) < 8) & (columns > 128), rim, 60.0)
    bright = mask * (strength * np.exp(-(((depth - 1.0) / 1.2) ** 2)) + 4.0 * np.exp(-depth / 8.0))
    image = face(256, seed=seed) + ndimage.gaussian_filter(bright, 0.7)
    return mask, micrograph(np.clip(image, 0, 255).astype(np.uint8), 0.1)


def test_a_rim_that_is_hardly_closed_is_known_to_be():
    """Noise closes it in some images, in which the disc is filled. Each of them says so, also those in which
    it is far from open.
    """
    seen = [with_a_weak_rim(seed) for seed in range(12)]
    found = [deposits(image).coverage for _, image in seen]
    value, stat = (np.array([getattr(one, name) for one in found]) for name in ("value", "sigma_stat"))
    size = seen[0][0].mean()
    assert np.ptp(value) > 0.8 * size
    assert stat.min() > 0.1 * size
    assert 0.7 < np.sqrt(np.mean(((value - value.mean()) / stat) ** 2)) < 1.5


def test_noise_that_is_put_on_an_image_does_not_make_its_face_vary_more():
    _, image = with_a_weak_rim(0)
    found = segments(image)
    more = np.random.default_rng(1).normal(0.0, 4.0, image.grey.shape).astype(np.float32)
    noisier = replace(image, grey=image.grey + more)
    assert segments(noisier).face_sigma > 1.5 * found.face_sigma
    alike = segments(noisier, like=found)
    assert (alike.face_sigma, alike.slope_sigma) == (found.face_sigma, found.slope_sigma)


FACE = _Face(np.array([3.0, 30.0]), np.zeros(2), np.ones(2))


def decided(bright, level, noise, rounds=1):
    """What is taken for an inside by its grey in an image, and what noise would make of that in another.

    The first place is the face, which is larger than all others. Gaps that are wider, round by round, leave
    the same places.
    """
    count = len(level) + 1
    columns = ([9000, *[100] * (count - 1)], [0, *bright], [0, *noise], [0, *level], [0, *noise])
    size, outer, outer_noise, inner, inner_noise = np.array(columns, dtype=float)
    like, seen = np.ones(count), np.full(count, True)
    labels = np.arange(1, count + 1)[None]
    places = Places(labels, size, outer, outer_noise, inner, inner_noise, like, 6 * like, seen)
    greys = outer[None], inner[None]
    likely = _likely(places, greys, _alike(places, greys), FACE, 0.6)
    one = _Round(places, np.zeros(count, int), size)
    behind = [replace(one, within=np.arange(count))] * (rounds - 1)
    return likely[0, 1:] > 0.5, Filled(labels > 0, 0.0, FACE, (one, *behind)).turning_px() / 100


def turned_and_said(true_bright, true_level, noise, which, images=40):
    """Variance of how many of some places are insides, over images; and the mean of what each says of it."""
    generator, noise = np.random.default_rng(1), np.array(noise)
    drawn = []
    for _ in range(images):
        bright, level = (
            np.array(one) + noise * generator.standard_normal(noise.size) for one in (true_bright, true_level)
        )
        inside, said = decided(bright, level, noise)
        drawn.append((inside[which].sum(), said**2))
    counts, chances = np.transpose(drawn)
    return counts.var(ddof=1), chances.mean()


def test_noise_turns_one_place_as_often_as_each_image_says():
    """A brighter middle falls less, besides: what turns is that of both together."""
    levels = np.linspace(-18.0, -4.0, 57)
    sure_bright, sure_level, still = [-13.0, -14.0, -15.0], [-17.0, -18.0, -19.0], [0.0] * 3
    is_inside = [
        decided([*sure_bright, level], [*sure_level, level], [*still, 0.1])[0][3] for level in levels
    ]
    limit = levels[is_inside.index(False)]
    pairs = [
        turned_and_said([*sure_bright, level], [*sure_level, level], [*still, 0.3], slice(3, None))
        for level in limit + np.linspace(-2.0, 2.0, 17)
    ]
    turned, said = np.transpose(pairs)
    assert turned.max() > 0.15
    # Far from the limit it is what all images vary by, which is more than this one is off.
    assert 1.0 < said.mean() / turned.mean() < 1.5


def test_a_place_that_is_open_to_several_gaps_is_filled_once():
    """At its limit for each: one place is all that an image can be off by, and nearly what this one is."""
    sure_bright, sure_level, still = [-13.0, -14.0, -15.0], [-17.0, -18.0, -19.0], [0.0] * 3
    levels = np.linspace(-18.0, -4.0, 57)
    places = [([*sure_bright, level], [*sure_level, level], [*still, 0.3]) for level in levels]
    open_once = [said for inside, said in (decided(*place) for place in places) if not inside[3]]
    open_always = [said for inside, said in (decided(*place, rounds=3) for place in places) if not inside[3]]
    assert 0.5 < max(open_once) < max(open_always) < 1.0


def test_noise_that_decides_whether_insides_are_known_turns_all_places():
    """The only sure inside falls by hardly more than must be: without it others are face."""
    noise = 0.1
    least = 2.0 * np.hypot(noise, noise)
    turned, said = turned_and_said(
        [-15.0 + least, *[-16.5] * 4],
        [-16.0, *[-16.5] * 4],
        [noise, *[0.0] * 4],
        slice(1, None),
    )
    assert turned == pytest.approx(4.0, rel=0.4)
    # Four at once, of images that lie about the limit by their noise.
    about = square_off(np.random.default_rng(2).standard_normal(10_000)).mean()
    assert said == pytest.approx(4**2 * about, rel=0.2)
