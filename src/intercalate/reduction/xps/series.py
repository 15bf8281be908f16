"""A surface that changes: fits of one acquisition after the other, as one dataset."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from intercalate.materials.xps import AL_K_ALPHA_EV, MEAN_FREE_PATH_SIGMA, compound_named
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.reduction.xps.components import MeasuredRegion, XpsOptions, components_of
from intercalate.reduction.xps.composition import composition
from intercalate.reduction.xps.counts import RegionSpectrum, XpsError
from intercalate.reduction.xps.fit import XpsFit, fit_regions
from intercalate.reduction.xps.sei_growth import layer_amounts_nm
from intercalate.reduction.xps.survey import read_survey

LOOKED_FOR = (
    *("Li 1s", "C 1s", "N 1s", "O 1s", "F 1s", "P 2p", "S 2p"),
    *("Ti 2p", "Mn 2p", "Fe 2p", "Co 2p", "Ni 2p"),
)
"""Levels of a survey."""

FILM, SUBSTRATE = "film", "substrate"
"""Layers of a fit, each with a potential of its own."""


@dataclass(frozen=True)
class SurfaceModel:
    """What may be on a face.

    Attributes
    ----------
    substrate
        Compounds of the electrode.
    film
        Compounds that may lie on it.
    marker
        Line of the substrate by whose loss the film is measured, as `graphite C 1s`.
    search_ev
        Within which the shift of a layer is looked for, where nobody says otherwise.
    """

    substrate: tuple[str, ...]
    film: tuple[str, ...]
    marker: str
    search_ev: float = XpsOptions().search_ev

    @property
    def marker_name(self) -> str:
        """As the component is called in a fit."""
        return f"{SUBSTRATE}: {self.marker}"

    def path_nm(self) -> Estimate:
        """Mean free path of the electrons of the marker in the film: mean over what it may consist of.

        Its error is that of the equation, and the scatter between the compounds.
        """
        compound = self.marker.split(" ")[0]
        binding = next(
            one.binding_ev
            for key in self.substrate
            if key == compound
            for one in compound_named(key).levels
            if f"{key} {one.name}" == self.marker
        )
        paths = np.array(
            [compound_named(key).mean_free_path_nm(AL_K_ALPHA_EV - binding) for key in self.film]
        )
        return Estimate(
            float(paths.mean()), 0.0, float(np.hypot(MEAN_FREE_PATH_SIGMA * paths.mean(), paths.std()))
        )


MODELS: Mapping[str, SurfaceModel] = {
    "graphite": SurfaceModel(
        ("graphite",), ("adventitious carbon", "CH3OCO2Li", "Li2CO3", "LiF"), "graphite C 1s"
    ),
    "LiAl": SurfaceModel(("LiAl",), ("adventitious carbon", "Li2O"), "LiAl Al 2p"),
    "Li": SurfaceModel(("Li",), ("adventitious carbon", "Li2CO3", "LiOH", "Li3N", "Li2O"), "Li Li 1s"),
    # Too many species lie side by side for shifts that are looked for; the metal is earthed.
    "Li beside S": SurfaceModel(
        ("Li",),
        (
            *("adventitious carbon", "Li2O", "Li3N", "LiF", "Li2CO3"),
            *("Li2S2O3", "Li2S4O6", "Li2S6", "Li2S"),
        ),
        "Li Li 1s",
        search_ev=0.0,
    ),
    "LTO": SurfaceModel(("LTO",), ("adventitious carbon", "Li2CO3"), "LTO Ti 2p"),
    "LFP": SurfaceModel(("LFP", "FePO4"), ("adventitious carbon", "Li2CO3", "LiF"), "LFP P 2p"),
    "LCO": SurfaceModel(("LCO",), ("adventitious carbon", "Li2CO3", "LiF"), "LCO Co 2p"),
    **{
        oxide: SurfaceModel((oxide,), ("adventitious carbon", "Li2CO3", "LiF"), f"{oxide} O 1s")
        for oxide in ("NMC111", "NMC622", "NMC811")
    },
}
"""By the material of the electrode."""


@dataclass(frozen=True)
class Acquisition:
    """Spectra of a face that were taken one after the other.

    Attributes
    ----------
    spectra
        Regions; or in words why they cannot be used.
    i0
        Counts of the monitor before the sample during each.
    survey
        In which levels of all elements of `LOOKED_FOR` are looked for; None without one.
    """

    spectra: tuple[RegionSpectrum, ...]
    i0: Mapping[str, float]
    note: str = ""
    survey: RegionSpectrum | None = None


def surface_fit(
    spectra: Sequence[RegionSpectrum], model: SurfaceModel, options: XpsOptions | None = None
) -> XpsFit:
    """Fit what may be on a face, its film and its substrate each with a potential of its own.

    Compounds without a line in the regions are left out, and those of which no element but lithium has one.

    Raises
    ------
    XpsError
        If nothing of the film, or of the substrate, has a line in the regions.
    """
    components = []
    for layer, compounds in ((FILM, model.film), (SUBSTRATE, model.substrate)):
        seen = [key for key in compounds if is_seen(key, spectra)]
        if not seen:
            names = ", ".join(one.name for one in spectra)
            raise XpsError(f"no line of {', '.join(compounds)} lies in the regions {names}")
        components += components_of(seen, spectra, layer, tied=layer == FILM)
    return fit_regions(spectra, components, options or XpsOptions(search_ev=model.search_ev))


def is_seen(key: str, spectra: Sequence[MeasuredRegion]) -> bool:
    """Whether a compound has a line in the regions, by which it is told from others with lithium."""
    levels = compound_named(key).levels
    others = [line for line in levels if line.level != "Li 1s"]
    return any(
        one.binding_ev[0] + 1.0 < line.binding_ev < one.binding_ev[-1] - 1.0
        for line in others or levels
        for one in spectra
    )


def surface_series(
    acquisitions: Iterable[Acquisition],
    model: SurfaceModel,
    options: XpsOptions | None = None,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> xr.Dataset:
    """Fit a face at every acquisition.

    Returns
    -------
    xarray.Dataset
        Along `acquisition`: `atomic_percent.ELEMENT` with `_sigma_stat` and `_sigma_sys`, as if the surface
        were the same at all depths that are seen; `film_nm`, by which the substrate is hidden more than at
        first; `survey_percent.ELEMENT` of those that stand out in a survey; `reduced_chi2`, `converged`,
        `unknown` (binding energies of lines that nothing explains), `note`.
        Along `component` as well, by its name in the fits: `component_percent` of all atoms,
        `component_binding_ev` and, of the film, `component_nm`, as if its atoms were all of it in one even
        layer (see `layer_amounts_nm`), each with both errors, and `component_present`.
    """
    kept: list[tuple[XpsFit | None, Acquisition, str]] = []
    for number, one in enumerate(acquisitions, start=1):
        fit, note = None, one.note
        if not note:
            try:
                fit = surface_fit(one.spectra, model, options)
                note = "" if fit.converged else fit.message
            except XpsError as error:
                note = str(error)
        kept.append((fit, one, note))
        progress(number)
    columns: dict[str, list[Estimate]] = {"film_nm": _film(kept, model)}
    columns |= _compositions([fit for fit, _, _ in kept])
    columns |= _surveys([one.survey for _, one, _ in kept])
    variables: dict[str, Any] = {}
    for name, found in columns.items():
        variables |= _estimates(name, found, "nm" if name == "film_nm" else "%")
    fits = [fit for fit, _, _ in kept]
    chi2 = [np.nan if fit is None else fit.reduced_chi2 for fit in fits]
    unknown = [
        "" if fit is None else ", ".join(f"{one.binding_ev.value:.1f} eV" for one in fit.unknown)
        for fit in fits
    ]
    return xr.Dataset(
        {
            **variables,
            **_components(fits, model),
            "reduced_chi2": ("acquisition", np.array(chi2)),
            "converged": ("acquisition", np.array([fit is not None and fit.converged for fit in fits])),
            "unknown": ("acquisition", np.array(unknown)),
            "note": ("acquisition", np.array([note for _, _, note in kept])),
        }
    )


def _components(fits: Sequence[XpsFit | None], model: SurfaceModel) -> dict[str, Any]:
    """Of each component at every acquisition, undetermined where there is no fit."""
    found = [{} if fit is None or not fit.converged else composition(fit).by_component for fit in fits]
    names = list(dict.fromkeys(one.name for fit in fits if fit is not None for one in fit.components))
    percent = [[row.get(name, UNDETERMINED) for name in names] for row in found]
    binding = [
        [UNDETERMINED if fit is None else fit.centre.get(name, UNDETERMINED) for name in names]
        for fit in fits
    ]
    present = [[fit is not None and bool(fit.present.get(name)) for name in names] for fit in fits]
    shape = (len(fits), len(names))
    dims = ("acquisition", "component")
    variables: dict[str, Any] = {
        "component": ("component", np.array(names, dtype=str)),
        "component_present": (dims, np.array(present, dtype=bool).reshape(shape)),
    }
    nm = [_amounts(fit, names, model) for fit in fits]
    for name, rows, units in (("percent", percent, "%"), ("binding_ev", binding, "eV"), ("nm", nm, "nm")):
        for end in ("value", "sigma_stat", "sigma_sys"):
            values = np.array([[getattr(one, end) for one in row] for row in rows], float).reshape(shape)
            column = f"component_{name}" + ("" if end == "value" else f"_{end}")
            variables[column] = (dims, values, {"units": units})
    return variables


def _amounts(fit: XpsFit | None, names: Sequence[str], model: SurfaceModel) -> list[Estimate]:
    """Thickness of each component of the film; undetermined where the substrate is not seen."""
    if fit is None or not fit.present.get(model.marker_name, False):
        return [UNDETERMINED] * len(names)
    groups = {one.name: [one.name] for one in fit.components if one.layer == FILM}
    substrate = next(one.compound for one in fit.components if one.name == model.marker_name)
    found = layer_amounts_nm(fit, groups, substrate_line=model.marker_name, substrate=substrate)
    return [found.get(name, UNDETERMINED) for name in names]


def _compositions(fits: Sequence[XpsFit | None]) -> dict[str, list[Estimate]]:
    """Of elements and compounds, by the names of their columns; undetermined where there is no fit."""
    rows: list[dict[str, Estimate]] = []
    for fit in fits:
        row: dict[str, Estimate] = {}
        if fit is not None and fit.converged:
            found = composition(fit)
            row = {f"atomic_percent.{element}": one for element, one in found.atomic_percent.items()}
        rows.append(row)
    names = {name: None for row in rows for name in row}
    return {name: [row.get(name, UNDETERMINED) for row in rows] for name in names}


def _surveys(surveys: Sequence[RegionSpectrum | None]) -> dict[str, list[Estimate]]:
    """Of elements, by the names of their columns; undetermined where there is no survey or nothing in it."""
    rows: list[Mapping[str, Estimate]] = []
    for one in surveys:
        try:
            found = {} if one is None else read_survey(one, LOOKED_FOR).atomic_percent
        except XpsError:
            found = {}
        rows.append({f"survey_percent.{element}": value for element, value in found.items()})
    names = {name: None for row in rows for name in row}
    return {name: [row.get(name, UNDETERMINED) for row in rows] for name in names}


def _film(kept: Sequence[tuple[XpsFit | None, Acquisition, str]], model: SurfaceModel) -> list[Estimate]:
    """Thickness by which the substrate is hidden more than at first: path times ln of its loss.

    The region of the marker may be missing, or the substrate no longer seen: undetermined then.
    """
    path = model.path_nm()
    signals = [_signal(fit, one, model) for fit, one, _ in kept]
    first = next((one for one in signals if np.isfinite(one.value)), UNDETERMINED)
    found = []
    for one in signals:
        if not np.isfinite(one.value + first.value):
            found.append(UNDETERMINED)
            continue
        loss = float(np.log(first.value / one.value))
        relative = np.hypot(one.sigma_stat / one.value, first.sigma_stat / first.value)
        # What is assumed of background and profile is the same in both, so its part cancels in the main.
        assumed = abs(one.sigma_sys / one.value - first.sigma_sys / first.value)
        stat = 0.0 if one is first else float(path.value * relative)
        found.append(
            Estimate(path.value * loss, stat, float(np.hypot(path.sigma_sys * loss, path.value * assumed)))
        )
    return found


def _signal(fit: XpsFit | None, one: Acquisition, model: SurfaceModel) -> Estimate:
    """Area of the marker for each count of the monitor, along the normal of the surface."""
    name = model.marker_name
    if fit is None or not fit.converged or not fit.present.get(name, False):
        return UNDETERMINED
    component = next(one for one in fit.components if one.name == name)
    count = one.i0.get(component.region, np.nan)
    if not count > 0:
        return UNDETERMINED
    area = fit.area[name]
    return Estimate(area.value / count, area.sigma_stat / count, area.sigma_sys / count)


def _estimates(name: str, found: Sequence[Estimate], units: str) -> dict[str, Any]:
    """Values and both uncertainties, as columns."""
    attributes = {"units": units}
    return {
        name: ("acquisition", np.array([one.value for one in found]), attributes),
        f"{name}_sigma_stat": ("acquisition", np.array([one.sigma_stat for one in found]), attributes),
        f"{name}_sigma_sys": ("acquisition", np.array([one.sigma_sys for one in found]), attributes),
    }
