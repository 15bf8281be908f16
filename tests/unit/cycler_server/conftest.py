"""A cycler server on a fake cell."""

from pathlib import Path

import pytest

from .fakes import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Server with a cell of 10 mAh at 3 V, recording into a folder of its own."""
    return Bench(tmp_path)
