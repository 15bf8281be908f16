import math

import pytest

from intercalate.beam_quality import BeamLimits, BeamQuality

LIMITS = BeamLimits(full_i0_per_s=1e6, weak_below=0.5, none_below=0.01)


@pytest.mark.parametrize(
    ("i0_counts", "live_s", "quality"),
    [
        (6e7, 60.0, BeamQuality.VALID),
        (3.0e7, 60.0, BeamQuality.VALID),
        (2.9e7, 60.0, BeamQuality.WEAK),
        (6e5, 60.0, BeamQuality.WEAK),
        (5.9e5, 60.0, BeamQuality.NONE),
        (0.0, 60.0, BeamQuality.NONE),
        (-5.0, 60.0, BeamQuality.UNKNOWN),
        (6e7, 0.0, BeamQuality.UNKNOWN),
        (math.nan, 60.0, BeamQuality.UNKNOWN),
    ],
)
def test_an_exposure_is_judged_by_its_share_of_the_full_beam(i0_counts, live_s, quality) -> None:
    assert LIMITS.quality(i0_counts, live_s) is quality
