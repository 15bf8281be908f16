"""Whether lithium on a garnet thins evenly, and whether it grows again where it has thinned."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from intercalate.reduction.micrographs import (
    DepositClass,
    LineMap,
    MicrographError,
    ThinningField,
    excess_spread,
    thinned_places,
    uneven_thinning,
)
from intercalate.reduction.micrographs.layers import LITHIUM_UM_PER_MAH_CM2
from intercalate.views.operando import VERMILION
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, MeasuredCell

IMAGES, MAPS = "sem", "eds"
"""Measurements of the study."""
ELEMENTS = ("Zr", "La", "C")
SPREAD_SIGMA = 0.15
"""Declared, relative, of a spread in um: a field is not the whole face to which the charge belongs, and
X-rays from below a film fall not quite in proportion to its thickness."""
LEAST_CHARGE = 0.01
"""mAh/cm2 below which a film counts as fresh."""


@dataclass(frozen=True)
class Film:
    """What maps say of a film.

    Attributes
    ----------
    stripped_mah_cm2
        Charge that had left the electrode at each map, shape (n,).
    loss_um, sigma_um
        Of thickness since the first map, with statistical errors, shape (n, rows, columns).
    step_um
        Between two places.
    """

    stripped_mah_cm2: np.ndarray
    loss_um: np.ndarray
    sigma_um: np.ndarray
    step_um: float

    @property
    def last(self) -> int:
        """The map when most had been stripped."""
        return int(np.argmax(self.stripped_mah_cm2))

    def spread_um(self, number: int) -> tuple[float, float]:
        """Standard deviation of the loss over the face, and its statistical error; the mean loss is that of
        the charge.
        """
        relative = excess_spread(self.loss_um[number], self.sigma_um[number])
        mean_um = LITHIUM_UM_PER_MAH_CM2 * float(self.stripped_mah_cm2[number])
        # Half of the error of the variance at least: there is no negative spread.
        root = float(np.sqrt(max(relative.value, relative.sigma)))
        value = float(np.sqrt(max(relative.value, 0.0)))
        return mean_um * value, mean_um * 0.5 * relative.sigma / root


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Compare the thickness of a film from place to place, and the places of growth with it.

    Parameters
    ----------
    cells
        One with images `sem` and X-ray maps `eds` of a film, stripped and plated again, and one with X-ray
        maps `eds` of a cut through its garnet.
    published
        Not used: the publication gives no numbers.
    """
    try:
        face = _face(cells)
        film, elements = film_of(face), _elements(cells)
        found = uneven_thinning(_field(face, film), elements)
        stripped = np.flatnonzero(film.stripped_mah_cm2[: film.last + 1] > LEAST_CHARGE)
        spreads = [film.spread_um(int(number)) for number in stripped]
    except MicrographError as error:
        text = f"Nothing can be said of the film: {error}."
        return Finding(text, [], [Claim.undetermined("a film was seen before and after it was stripped")])
    quantities = [
        Quantity(
            f"spread_{order}",
            f"unevenness after {film.stripped_mah_cm2[number]:.2f} mAh/cm2",
            value,
            float(np.hypot(sigma, SPREAD_SIGMA * value)),
            "um",
        )
        for order, (number, (value, sigma)) in enumerate(zip(stripped, spreads), start=1)
    ]
    quantities += [
        Quantity(one.name, one.label, one.estimate.value, one.estimate.sigma, one.unit)
        for one in found.observations
    ]
    quantities += _habits(face)
    # What is declared of a spread is a factor on both, and so on what is between them.
    rise = spreads[-1][0] - spreads[0][0]
    rise_sigma = float(np.sqrt(spreads[0][1] ** 2 + spreads[-1][1] ** 2 + (SPREAD_SIGMA * rise) ** 2))
    claims = [Claim(one.text, one.sigmas, one.holds) for one in found.claims]
    claims.append(Claim.exceeds("it becomes less even with the charge", rise, rise_sigma))
    return Finding(f"{found.text[:1].upper()}{found.text[1:]}.", quantities, claims)


def _face(cells: Cells) -> MeasuredCell:
    for cell in cells.values():
        if IMAGES in cell.frames and "film_um" in cell.frames.get(MAPS, xr.Dataset()):
            return cell
    raise MicrographError("no cell has images of a film and X-ray maps of it")


def film_of(cell: MeasuredCell) -> Film:
    """What the maps of a cell say of its film.

    Raises
    ------
    MicrographError
        If fewer than three maps are of use, or nothing was stripped.
    """
    maps = cell.frames[MAPS]
    film = np.asarray(maps["film_um"], float)
    sigma = np.asarray(maps["film_um_sigma_stat"], float)
    used = np.flatnonzero(np.isfinite(film).any(axis=(1, 2)))
    if used.size < 3:
        raise MicrographError(f"{used.size} maps of a film are of use, 3 are the least")
    if "charge_mah_cm2" not in maps:
        raise MicrographError("the area of the cell is not known; say area_cm2 in its file")
    charge = np.asarray(maps["charge_mah_cm2"], float)[used]
    stripped = charge[0] - charge
    if np.sum(stripped > LEAST_CHARGE) < 2:
        raise MicrographError("fewer than two maps were made of a film of which something had been stripped")
    # Images and maps are scans of one column, whose scale is measured with images.
    images = cell.frames[IMAGES]
    stated, measured = (
        float(np.median(np.asarray(images[name], float))) for name in ("column_field_of_view_um", "field_um")
    )
    step_um = float(np.median(np.asarray(maps["map_step_um"], float))) * measured / stated
    return Film(stripped, film[used[0]] - film[used], sigma[used], step_um)


def starts_um(cell: MeasuredCell) -> np.ndarray:
    """Places of what is in the last image and was not in the one before, shape (n, 2), from the middle.

    Raises
    ------
    MicrographError
        If there are no two images of use.
    """
    images = cell.frames[IMAGES]
    used = np.flatnonzero(np.asarray(images["note"]).astype(str) == "")
    order = used[np.argsort(np.asarray(images["test_time_second"], float)[used])]
    if order.size < 2:
        raise MicrographError(f"{order.size} images are of use, 2 are the least")
    before, after = (_places(images, int(number)) for number in order[-2:])
    apart_um = _width_um(images)
    new = [one for one in after if before.size == 0 or np.min(np.hypot(*(before - one).T)) > apart_um]
    return np.array(new).reshape(-1, 2)


def _width_um(images: xr.Dataset) -> float:
    """Within which two deposits are the same."""
    return 10.0 * float(np.median(np.asarray(images["pixel_um"], float)))


def _places(images: xr.Dataset, number: int) -> np.ndarray:
    found = np.stack([np.asarray(images[f"deposit_{axis}_um"][number], float) for axis in "xy"], axis=1)
    return found[np.isfinite(found).all(axis=1)]


def _field(cell: MeasuredCell, film: Film) -> ThinningField:
    loss, sigma = film.loss_um[film.last], film.sigma_um[film.last]
    rows, columns = loss.shape
    starts = np.zeros(loss.shape, dtype=bool)
    for x_um, y_um in starts_um(cell):
        row, column = int(y_um / film.step_um + 0.5 * rows), int(x_um / film.step_um + 0.5 * columns)
        if 0 <= row < rows and 0 <= column < columns:
            starts[row, column] = True
    return ThinningField(loss, sigma, starts, film.step_um)


def _elements(cells: Cells) -> dict[str, LineMap]:
    """Counts of lines over the cut, maps of several places one below the other."""
    found = {}
    for cell in cells.values():
        maps = cell.frames.get(MAPS, xr.Dataset())
        if "film_um" in maps:
            continue
        for name in ELEMENTS:
            if f"line.{name}" in maps:
                counts, sigma = (
                    np.concatenate(np.asarray(maps[f"line.{name}{end}"], float))
                    for end in ("", "_sigma_stat")
                )
                found[name] = LineMap(counts, sigma)
    missing = [name for name in ELEMENTS if name not in found]
    if missing:
        raise MicrographError(f"no map of a cut shows {', '.join(missing)}")
    return found


def _habits(cell: MeasuredCell) -> list[Quantity]:
    """How many deposits of each class the last image shows."""
    images = cell.frames[IMAGES]
    last = int(np.argmax(np.asarray(images["test_time_second"], float)))
    kinds = np.asarray(images["deposit_class"][last]).astype(str)
    names = (DepositClass.MOSSY, DepositClass.NEEDLE, DepositClass.GLOBULAR)
    counts = {name: int(np.sum(kinds == name)) for name in names}
    return [
        Quantity(
            f"count_{name}", f"{name} deposits in a field", float(count), float(np.sqrt(max(count, 1))), ""
        )
        for name, count in counts.items()
    ]


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Loss of thickness with the places of growth, the last image, the course, and elements in the cut."""
    shown = Figure(figsize=(10.0, 7.0), layout="constrained")
    shown.suptitle(title, fontsize=9)
    try:
        face = _face(cells)
        film, elements = film_of(face), _elements(cells)
        field = _field(face, film)
    except MicrographError:
        return shown
    grid = shown.add_gridspec(2, 3)
    half_um = 0.5 * field.loss_um.shape[1] * film.step_um
    extent = (-half_um, half_um, half_um, -half_um)
    axis = shown.add_subplot(grid[0, 0])
    scale = LITHIUM_UM_PER_MAH_CM2 * film.stripped_mah_cm2[film.last] / float(np.nanmean(field.loss_um))
    image = axis.imshow(scale * field.loss_um, extent=extent, cmap="viridis")
    shown.colorbar(image, ax=axis, fraction=0.046, label="loss (µm)")
    axis.contour(
        thinned_places(field), levels=[0.5], extent=extent, origin="upper", colors="w", linewidths=0.7
    )
    places = starts_um(face)
    axis.plot(places[:, 0], places[:, 1], ".", color=VERMILION, ms=4)
    axis.set_title("Stripped; dots: growth later", fontsize=9)
    axis.set(xlim=(-half_um, half_um), ylim=(half_um, -half_um), xlabel="µm")
    axis = shown.add_subplot(grid[0, 1])
    images = face.frames[IMAGES]
    last = int(np.argmax(np.asarray(images["test_time_second"], float)))
    axis.imshow(images["thumbnail"][last], cmap="gray", extent=extent)
    axis.set_title("Plated again", fontsize=9)
    axis.set(xlabel="µm")
    axis = shown.add_subplot(grid[0, 2])
    charge = film.stripped_mah_cm2[: film.last + 1]
    spreads = [
        film.spread_um(number) if stripped > LEAST_CHARGE else (0.0, 0.0)
        for number, stripped in enumerate(charge)
    ]
    errors = [float(np.hypot(sigma, SPREAD_SIGMA * value)) for value, sigma in spreads]
    axis.errorbar(charge, [value for value, _ in spreads], yerr=errors, fmt="o-", ms=4, lw=0.8)
    axis.set(xlabel="Stripped (mAh/cm²)", ylabel="Spread of the loss (µm)")
    for column, name in enumerate(ELEMENTS):
        axis = shown.add_subplot(grid[1, column])
        picture = axis.imshow(elements[name].counts, extent=extent, cmap="magma")
        shown.colorbar(picture, ax=axis, fraction=0.046, label="counts")
        axis.set_title(f"{name} in the cut", fontsize=9)
        axis.set(xlabel="µm")
    return shown
