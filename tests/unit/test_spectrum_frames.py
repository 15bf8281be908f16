"""Spectrum images as frames and back; who shares the column of a microscope."""

import tomllib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from intercalate.config import DEFAULT_CONFIG, Config
from intercalate.spectrum_frames import SpectrumFrameError, frame_shape, packed, unpacked


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 40), st.integers(0, 2**31))
def test_what_was_packed_is_unpacked(rows: int, columns: int, channels: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    low, core = generator.integers(0, 2**32, (2, rows, columns, channels), dtype=np.uint32)
    frame = packed(low, core)
    assert frame.dtype == np.uint32
    assert frame.shape == frame_shape((rows, columns), channels)
    for found, made in zip(unpacked(frame, (rows, columns)), (low, core)):
        assert np.array_equal(found, made)


def test_what_is_no_scan_is_refused() -> None:
    with pytest.raises(SpectrumFrameError, match="no scan of 4 x 5 pixels"):
        unpacked(np.zeros((19, 8)), (4, 5))
    with pytest.raises(SpectrumFrameError, match="two windows"):
        unpacked(np.zeros((20, 7)), (4, 5))
    with pytest.raises(SpectrumFrameError, match="twice"):
        packed(np.zeros((4, 5, 6)), np.zeros((4, 5, 7)))


@pytest.fixture
def content() -> dict[str, Any]:
    return tomllib.loads(DEFAULT_CONFIG.read_text())


def test_a_column_is_described_once(content: dict[str, Any]) -> None:
    config = Config.model_validate(content)
    assert config.eels is not None
    assert config.tem is not None
    assert config.ebsd is not None
    assert config.sem is not None
    assert config.eels.column == config.tem.column
    assert config.ebsd.column == config.sem.column
    assert config.changer_of("eels") == config.changer_of("tem") == config.tem.changer
    assert config.changer_of("ebsd") != config.tem.changer


@pytest.mark.parametrize(("name", "microscope"), [("eels", "tem"), ("ebsd", "sem")])
def test_what_is_on_a_column_needs_its_microscope(
    content: dict[str, Any], name: str, microscope: str
) -> None:
    column = content.pop(microscope)["column"]
    with pytest.raises(ValidationError, match=r"column"):
        Config.model_validate(content)
    content[name]["column"] = column
    for other in ("eds", "ebsd"):
        if other != name and microscope == "sem":
            content.pop(other)
    with pytest.raises(ValidationError, match=rf"\[{name}\] is on the column .*add \[{microscope}\]"):
        Config.model_validate(content)


def test_a_place_in_the_microscope_names_no_channel_that_there_is_not(content: dict[str, Any]) -> None:
    place = content["tem"]["changer"]["places"]["empty"]
    del place["content"]
    place["channel"] = "CH9"
    with pytest.raises(ValidationError, match=r"tem\.changer\.places\.empty names channel 'CH9'"):
        Config.model_validate(content)
