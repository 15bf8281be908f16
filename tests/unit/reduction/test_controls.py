"""Exposed places against others: chance is told from the beam, as rarely wrong as it is said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.reduction.controls import ControlError, check_places, compare, grey_curve, spectrum_curve


def spectra(generator: np.random.Generator, places: int, changed: float = 0.0) -> np.ndarray:
    """Curves of places that differ by themselves, some of whose lines the beam has weakened."""
    channel = np.arange(400)
    found = []
    for _ in range(places):
        line = (1.0 + 0.1 * generator.standard_normal()) * np.exp(-(((channel - 150) / 12) ** 2))
        other = (1.0 - changed) * np.exp(-(((channel - 280) / 15) ** 2))
        found.append(spectrum_curve(generator.poisson(400.0 * (0.2 + line + other))[None, :]))
    return np.array(found)


def test_without_an_effect_it_is_said_as_rarely_as_promised() -> None:
    generator = np.random.default_rng(1)
    found = [compare(spectra(generator, 4), spectra(generator, 4)) for _ in range(300)]
    share = np.mean([one.differs for one in found])
    # Two of 70 exchanges at most: 0.029 of the cases, and the error of 300.
    assert share < 0.029 + 3 * np.sqrt(0.029 * 0.97 / 300)
    assert min(one.probability for one in found) >= 2 / 70


def test_a_line_that_the_beam_has_weakened_is_found() -> None:
    generator = np.random.default_rng(2)
    found = [compare(spectra(generator, 4, 0.3), spectra(generator, 4)) for _ in range(40)]
    assert np.mean([one.differs for one in found]) > 0.9
    assert found[0].in_words().startswith("exposed places differ from others")


def test_more_light_alone_is_no_difference() -> None:
    generator = np.random.default_rng(3)
    frame = generator.poisson(100.0, (1, 300)).astype(float)
    assert spectrum_curve(3.0 * frame) == pytest.approx(spectrum_curve(frame))
    image = generator.poisson(100.0, (64, 64)).astype(float)
    assert grey_curve(2.0 * image) == pytest.approx(grey_curve(image))


@given(st.integers(1, 8), st.integers(1, 8))
@settings(max_examples=60, deadline=2000)
def test_places_that_are_enough_can_show_a_difference(exposed: int, control: int) -> None:
    try:
        check_places(exposed, control)
    except ControlError:
        return
    curves = np.eye(2)[[0] * exposed + [1] * control] + 0.5
    assert compare(curves[:exposed], curves[exposed:]).differs


@pytest.mark.parametrize(("exposed", "control"), [(3, 3), (1, 5), (0, 9)])
def test_too_few_places_are_refused(exposed: int, control: int) -> None:
    with pytest.raises(ControlError, match="take 4 of each"):
        check_places(exposed, control)


@pytest.mark.parametrize("frame", [np.zeros((1, 9)), np.full((2, 2), np.nan), np.zeros((0, 4)), np.ones(5)])
def test_frames_that_hold_nothing_are_refused(frame: np.ndarray) -> None:
    with pytest.raises(ControlError, match="holds nothing"):
        spectrum_curve(frame)


def test_curves_of_different_lengths_are_refused() -> None:
    with pytest.raises(ControlError, match="cannot be compared"):
        compare(np.ones((4, 3)), np.ones((4, 5)))
