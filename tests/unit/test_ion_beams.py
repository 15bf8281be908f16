"""Milling, on this side of the wire: what is refused, what is kept, and what a milled place becomes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from intercalate.cell import Cell
from intercalate.config import DEFAULT_CONFIG, EXAMPLES, Config, ConfigError
from intercalate.devices.ion_column import Cut
from intercalate.dose_ledger import MILLING, DoseLedger, Spot
from intercalate.materials.electron_range import IMAGED_MATERIALS
from intercalate.materials.ion_milling import (
    COLD_BELOW_C,
    LOW_CURRENT_NA,
    UM3_PER_NC,
    longest_s,
    um3_per_s,
    why_lithium_suffers,
)
from intercalate.milled_results import columns_of_walls, wall_of
from intercalate.orchestration.dosing import MilledSpotError, _require_untouched
from intercalate.orchestration.ion_beams import confirmation
from intercalate.orchestration.sample_check import problems_of_milled
from intercalate.reduction.micrographs import micrograph
from intercalate.reduction.raman import MapError
from intercalate.sem_results import reduce_micrographs
from intercalate.techniques import table
from intercalate.views.milled import milled_figure, save_milled_figure
from intercalate_sims.probes.sem_fib import IonBeam, MilledPlace, milled_relief
from intercalate_sims.probes.sem_image import HiddenMicroscope, ImageConditions, SemProbe

CELL = Cell.from_file(EXAMPLES / "cells" / "lithium_polymer_face.toml")
HERE = Spot(0.1, 0.0, 0.01, 0.008)


@pytest.fixture
def ledger(tmp_path: Path) -> DoseLedger:
    return DoseLedger(tmp_path / "dose.sqlite")


def milled(ledger: DoseLedger, depth_um: float, spot: Spot = HERE, kv: float = 30.0) -> None:
    number = ledger.reserve(CELL.name, MILLING, "um", spot, kv, 5.0, 1.8e9, "run")
    ledger.commit(number, depth_um)


def test_every_material_that_is_imaged_has_a_rate_with_a_source() -> None:
    assert set(UM3_PER_NC) == set(IMAGED_MATERIALS) - {"lanthanum zirconate", "lanthanum oxide"}
    assert all(value > 0 and source.citation for value, source in UM3_PER_NC.values())


@given(st.floats(1.0, 30.0), st.floats(0.01, 50.0), st.floats(1.0, 1e4))
def test_no_material_takes_longer_than_the_longest(kv: float, na: float, volume_um3: float) -> None:
    longest = longest_s(volume_um3, kv, na)
    rates = [um3_per_s(value, kv, na) for value, _ in UM3_PER_NC.values()]
    assert all(volume_um3 / rate <= longest * (1 + 1e-12) for rate in rates)
    assert longest_s(volume_um3, kv, 2 * na) == pytest.approx(longest / 2)


@pytest.mark.parametrize(
    ("temperature_c", "current_na", "suffers"),
    [
        (25.0, LOW_CURRENT_NA, False),
        (25.0, 1.01 * LOW_CURRENT_NA, True),
        (COLD_BELOW_C, 20.0, False),
        (COLD_BELOW_C + 1.0, 20.0, True),
    ],
)
def test_lithium_is_milled_cold_or_at_low_current(
    temperature_c: float, current_na: float, suffers: bool
) -> None:
    assert bool(why_lithium_suffers(temperature_c, current_na)) is suffers


@pytest.mark.parametrize("sizes", [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, float("nan"))])
def test_a_cut_has_a_size(sizes: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        Cut(*sizes)


def test_the_confirmation_names_sample_and_place() -> None:
    assert confirmation("mill", CELL, "V1") == "mill lithium-polymer-lithium-face at V1"


def test_a_cut_that_nobody_committed_counts_as_deep_as_asked(ledger: DoseLedger) -> None:
    ledger.reserve(CELL.name, MILLING, "um", HERE, 30.0, 5.0, 1.8e9)
    assert ledger.milled_um(CELL.name, HERE) == 5.0


def test_several_goes_at_one_place_add_up_and_other_places_are_whole(ledger: DoseLedger) -> None:
    milled(ledger, 1.0)
    milled(ledger, 2.0, kv=5.0)
    milled(ledger, 4.0, Spot(0.105, 0.0, 0.01, 0.008))
    assert ledger.amount_at(CELL.name, MILLING, HERE) == 3.0
    assert ledger.milled_um(CELL.name, HERE) == 4.0, "the deepest of those that overlap"
    assert ledger.milled_um(CELL.name, Spot(0.1, 0.0, 0.2, 0.2)) == 4.0
    assert ledger.milled_um(CELL.name, Spot(0.5, 0.0, 0.2, 0.2)) == 0.0
    assert ledger.milled_um("another", HERE) == 0.0


def test_it_is_no_dose_of_a_beam(ledger: DoseLedger) -> None:
    milled(ledger, 1.0)
    assert ledger.totals(CELL.name, "sem") == []
    assert [one.unit for one in ledger.totals(CELL.name, MILLING)] == ["um"]


def test_it_outlives_the_name_that_a_cell_did_not_have(ledger: DoseLedger) -> None:
    number = ledger.reserve("unnamed cell in V1", MILLING, "um", HERE, 30.0, 5.0, 1.8e9)
    ledger.commit(number, 2.0)
    ledger.put("V1", CELL.name, "Li")
    assert ledger.milled_um(CELL.name, HERE) == 2.0


class Meter:
    """As much of a dose meter as is asked."""

    def __init__(self, ledger: DoseLedger, size_mm: float):
        self._ledger, self._size_mm = ledger, size_mm

    def spot_at(self, x_mm: float, y_mm: float) -> Spot:
        return Spot(x_mm, y_mm, self._size_mm, self._size_mm)

    def removed_um(self, cell: str, spot: Spot) -> float:
        return self._ledger.milled_um(cell, spot)

    def milled_here(self) -> tuple[str, float]:
        return CELL.name, self.removed_um(CELL.name, self.spot_at(0.1, 0.0))


def station(technique: str, ledger: DoseLedger, size_mm: float = 0.2) -> Any:
    return SimpleNamespace(name=technique, technique=technique, dose=Meter(ledger, size_mm))


@pytest.mark.parametrize("technique", ["xps", "ebsd"])
def test_what_needs_an_untouched_surface_is_refused_where_there_is_none(
    ledger: DoseLedger, technique: str
) -> None:
    one = station(technique, ledger)
    _require_untouched(one)
    milled(ledger, 2.0)
    with pytest.raises(MilledSpotError, match=r"milled 2 um deep into lithium-polymer.*take another spot"):
        _require_untouched(one)
    (problem,) = problems_of_milled(one, CELL, [(0.0, 0.5), (0.1, 0.0)])
    assert problem.where == "spots_mm[1]"
    assert "2 um deep" in problem.limit


@pytest.mark.parametrize("technique", ["sem", "eds", "xrd"])
def test_images_of_a_milled_place_are_taken(ledger: DoseLedger, technique: str) -> None:
    milled(ledger, 2.0)
    _require_untouched(station(technique, ledger))
    assert problems_of_milled(station(technique, ledger), CELL, [(0.1, 0.0)]) == []


def test_the_table_says_of_which_techniques() -> None:
    assert {name for name, one in table().techniques.items() if one.untouched} == {"xps", "ebsd"}
    assert table().techniques["fib"].driven


PIXEL_UM = 0.012


def wall(wall_um: float | None, start_s: float = 1.0, *, empty: bool = False) -> np.ndarray:
    probe = SemProbe(HiddenMicroscope.draw(3), 3)
    conditions = ImageConditions(pixel_um=PIXEL_UM, columns=512, rows=512, kv=5.0)
    grid = probe.grid(conditions, start_s)
    nothing = MilledPlace(1e-6, None, "lithium", "lithium", "lithium")
    place = nothing if empty else MilledPlace(2.0, wall_um)
    return probe.scan(milled_relief(place, IonBeam(), grid, 3), grid, conditions, start_s)


def reduced(images: list[np.ndarray], deep_um: list[float], cut_um: float = 8.0) -> xr.Dataset:
    section = Config.from_file(DEFAULT_CONFIG).sem
    assert section is not None
    columns = {
        "column_field_of_view_um": ("frame", np.full(len(images), 512 * PIXEL_UM)),
        "dose_milled_um": ("frame", np.array(deep_um)),
        "dose_cut_um": ("frame", np.where(np.array(deep_um) > 0, cut_um, 0.0)),
    }
    data, _ = reduce_micrographs(images, xr.Dataset(columns), {}, section, CELL, lambda done: None)
    return data


def test_a_run_says_what_is_inside_and_how_thick_the_wall_is(tmp_path: Path) -> None:
    data = reduced([wall(0.32), wall(None)], [3.0, 3.0])
    assert list(data["inside"].values) == ["hollow", "filled"]
    thick, sigma = (float(data[f"milled.wall_um{end}"][0]) for end in ("", "_sigma_sys"))
    assert abs(thick - 0.32) < 3 * sigma
    assert np.isnan(data["milled.wall_um"][1])
    assert "coverage" not in data, "an opened place has no deposits of an untouched face"
    save_milled_figure(tmp_path / "milled.png", data, "lithium")
    assert (tmp_path / "milled.png").stat().st_size > 20_000


def test_images_before_milling_are_those_of_a_face() -> None:
    data = reduced([wall(0.32), wall(0.32)], [0.0, 3.0])
    assert list(data["inside"].values) == ["", "hollow"]
    assert list(data["wall_frame"].values) == [1]
    assert "coverage" in data
    assert np.isnan(data["coverage"][1])


def test_a_place_without_a_body_says_so() -> None:
    data = reduced([wall(None, empty=True)], [3.0])
    assert "no body is seen" in str(data["note"].values[0])
    assert list(data["inside"].values) == [""]
    figure = milled_figure(data, "lithium")
    assert "nothing is said" in figure.axes[0].get_title()


def test_an_image_of_more_than_the_cut_is_not_judged() -> None:
    data = reduced([wall(0.32)], [3.0], cut_um=5.0)
    assert "shows more than the cut of 5 um" in str(data["note"].values[0])
    assert list(data["inside"].values) == [""]
    assert "milled.darkness" not in data


def test_a_run_without_a_cut_has_no_figure_of_one() -> None:
    data = reduced([wall(0.32)], [0.0])
    assert columns_of_walls([None]) == {}
    with pytest.raises(MapError, match="nothing was milled"):
        milled_figure(data, "lithium")


def test_a_small_field_keeps_its_pixels() -> None:
    image = micrograph(wall(0.32), PIXEL_UM)
    assert wall_of(image).picture.shape == (256, 256)


def test_a_microscope_without_an_ion_column_is_one(tmp_path: Path) -> None:
    text = DEFAULT_CONFIG.read_text()
    start, end = text.index("[sem.ion_column]"), text.index("# A detector of X-rays on the column.")
    path = tmp_path / "without.toml"
    path.write_text(text[:start] + text[end:])
    section = Config.from_file(path).sem
    assert section is not None
    assert section.ion_column is None
    path.write_text(text.replace("field_um = 200.0", "field_um = -1.0"))
    with pytest.raises(ConfigError, match=r"sem\.ion_column\.field_um"):
        Config.from_file(path)
