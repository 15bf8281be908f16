"""Fits of a series of frames, each started from the one before."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import xarray as xr

from intercalate.reduction.conversion import lithium_rich_fraction
from intercalate.reduction.integration import Pattern
from intercalate.reduction.pawley import fit
from intercalate.reduction.phases import FitPhase
from intercalate.reduction.results import UNDETERMINED, Estimate, FitOptions, PawleyResult
from intercalate.reduction.staging import stage_1_fraction

Share = Callable[[PawleyResult, float], Estimate]
"""A quantity from the result of a fit, and the wavelength in A."""

_SHARES: Mapping[str, Share] = {
    "stage_1_fraction": stage_1_fraction,
    "lithium_rich_fraction": lithium_rich_fraction,
}


def fit_series(
    patterns: Iterable[Pattern | str],
    phases: Sequence[FitPhase],
    options: FitOptions | None = None,
    *,
    times: Sequence[float] | None = None,
    shares: Mapping[str, Share] | None = None,
) -> xr.Dataset:
    """Fit one pattern after the other.

    A fit starts from the last good one; if that fails, lines are searched for afresh. Phases may come
    and go: where one is absent its parameters are NaN.

    Parameters
    ----------
    patterns
        In order of time; may be a generator. A text in the place of a pattern says why there is none.
    times
        Coordinate of the frames, ascending; the frame number where not given.
    shares
        Further quantities of each fit by name, or others in the place of these of transmission.

    Returns
    -------
    xarray.Dataset
        Along `frame`: each parameter with `_sigma_stat` and `_sigma_sys`, `stage_1_fraction` or
        `lithium_rich_fraction` likewise,
        `present_<phase>`, `reduced_chi2`, `converged` and `message`. Values of fits that did not
        converge, or of frames without a pattern, are NaN.

    Raises
    ------
    ValueError
        If `times` has another length than the series, or the series holds no pattern at all.
    """
    results: list[PawleyResult | str] = []
    wanted = {**_SHARES, **(shares or {})}
    fractions: dict[str, list[Estimate]] = {name: [] for name in wanted}
    last: PawleyResult | None = None
    for pattern in patterns:
        if isinstance(pattern, str):
            results.append(pattern)
            for series in fractions.values():
                series.append(UNDETERMINED)
            continue
        result = fit(pattern, phases, options, start=last)
        if not result.converged and last is not None:
            result = fit(pattern, phases, options)
        if result.converged:
            last = result
        results.append(result)
        for name, share in wanted.items():
            fractions[name].append(share(result, pattern.wavelength_angstrom))
    if all(isinstance(result, str) for result in results):
        why = f": {results[0]}" if results else ""
        raise ValueError(f"the series holds no pattern{why}")
    if times is not None and len(times) != len(results):
        raise ValueError(f"{len(times)} times were given for {len(results)} patterns")
    return _dataset(results, fractions, times)


def _dataset(
    results: Sequence[PawleyResult | str],
    fractions: Mapping[str, list[Estimate]],
    times: Sequence[float] | None,
) -> xr.Dataset:
    fitted = [result if isinstance(result, PawleyResult) else None for result in results]
    first = next(result for result in fitted if result is not None)
    columns = {}
    estimates = {
        name: [UNDETERMINED if one is None or not one.converged else one.parameters[name] for one in fitted]
        for name in first.parameters
    }
    for name, shares in fractions.items():
        if any(np.isfinite(share.value) for share in shares):
            estimates[name] = shares
    for name, series in estimates.items():
        attributes = {"units": _unit(name)}
        for suffix, field in (("", "value"), ("_sigma_stat", "sigma_stat"), ("_sigma_sys", "sigma_sys")):
            values = np.array([getattr(estimate, field) for estimate in series])
            columns[f"{name}{suffix}"] = ("frame", values, attributes)
    for phase in first.present:
        present = [one is not None and one.present[phase] for one in fitted]
        columns[f"present_{phase}"] = ("frame", np.array(present))
    chi2 = [np.nan if one is None else one.reduced_chi2 for one in fitted]
    messages = [one if isinstance(one, str) else one.message for one in results]
    columns["reduced_chi2"] = ("frame", np.array(chi2))
    columns["converged"] = ("frame", np.array([one is not None and one.converged for one in fitted]))
    columns["message"] = ("frame", np.array(messages))
    coordinate = np.arange(len(results)) if times is None else np.asarray(times, dtype=float)
    return xr.Dataset(columns, coords={"frame": coordinate})


def _unit(name: str) -> str:
    last = name.split(".")[-1]
    if last in ("a", "b", "c", "d"):
        return "angstrom"
    if last == "displacement_um":
        return "um"
    if last in ("W", "U", "broad"):
        return "deg2"
    if last == "Y":
        return "deg"
    return "1e-6" if last.startswith("strain") else ""
