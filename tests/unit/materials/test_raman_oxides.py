"""Bands of oxides: what is said of one is complete, and charge is balanced."""

from dataclasses import replace

import pytest

from intercalate.materials.model import Source
from intercalate.materials.raman_oxides import FRAMEWORK, OXIDES, OxideBand, RedoxOxide
from intercalate.materials.tables import ELECTRODES


@pytest.mark.parametrize("oxide", OXIDES.values(), ids=lambda one: one.key)
def test_a_full_electrode_has_the_lowest_and_an_empty_one_the_highest_number(oxide: RedoxOxide) -> None:
    assert oxide.li_content(oxide.oxidation_numbers[0]) == pytest.approx(1.0)
    assert 0.0 <= oxide.li_content(oxide.oxidation_numbers[-1]) < 0.15


@pytest.mark.parametrize("oxide", OXIDES.values(), ids=lambda one: one.key)
def test_it_is_an_electrode_with_sources(oxide: RedoxOxide) -> None:
    assert oxide.key in {one.key for one in ELECTRODES}
    assert all(isinstance(band.source, Source) for band in oxide.bands)
    assert oxide.strength(FRAMEWORK) == pytest.approx(1.0)


def test_what_is_missing_is_said() -> None:
    spinel = OXIDES["LMNO"]
    bands = spinel.bands
    with pytest.raises(ValueError, match="no band of the framework"):
        replace(spinel, bands=tuple(one for one in bands if one.of != FRAMEWORK))
    with pytest.raises(ValueError, match=r"must be one of its ions and is Ni2\+, Ni3\+"):
        replace(spinel, bands=tuple(one for one in bands if one.of != "Ni2+"))
    with pytest.raises(ValueError, match=r"bands of Mn3\+; its ions are Ni2\+, Ni3\+, Ni4\+"):
        replace(spinel, bands=(*bands, OxideBand("Mn3+-O", "Mn3+", 580.0, 30.0, 0.1, bands[0].source)))
