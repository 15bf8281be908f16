"""No garbage is looked for while a session opens, and again afterwards, however that ends."""

import gc

import pytest

from intercalate.garbage import nothing_collected


def test_garbage_is_collected_again_also_after_an_error() -> None:
    @nothing_collected()
    def opens() -> None:
        assert not gc.isenabled()
        raise ValueError("opening")

    assert gc.isenabled()
    with pytest.raises(ValueError, match="opening"):
        opens()
    assert gc.isenabled()


def test_who_collects_nothing_is_left_so() -> None:
    gc.disable()
    try:
        with nothing_collected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
