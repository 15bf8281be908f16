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


def test_what_is_kept_for_good_is_not_looked_through_again() -> None:
    kept = gc.get_freeze_count()
    try:
        with nothing_collected(for_good=True):
            made = [[] for _ in range(1000)]
        assert gc.get_freeze_count() >= kept + len(made)
        assert gc.isenabled()
    finally:
        gc.unfreeze()


def test_who_collects_nothing_is_left_so() -> None:
    gc.disable()
    try:
        with nothing_collected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
