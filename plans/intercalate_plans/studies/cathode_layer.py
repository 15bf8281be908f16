"""What lies on the cathode of a thin battery before it is charged and afterwards, by electron losses."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from intercalate.materials import Mark, Source
from intercalate.nanobattery_results import NANOBATTERY, profile_in
from intercalate.reduction.eels import EelsError, NanobatteryProfile, charging_finding, disordered_finding
from intercalate.reduction.eels.nanobattery import LITHIUM_OXIDES, REDUCED, LayerFinding, amount_at_end
from intercalate.views.operando import BLUE, GREEN, ORANGE
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, only

CHARGED_ABOVE_V = 3.9
"""Of the voltage across the holder; what a battery of LiCoO2 / Si has when lithium leaves the cathode."""
CHARGED_SOURCE = Source("plateau of LiCoO2, 3.9 V against Li; silicon is a little above Li", Mark.RECALLED)


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Look for the disordered layer in the first scan of the battery, and for the oxidised one in the last.

    Parameters
    ----------
    cells
        One battery, on no cycler; its frames are scans with their profiles.
    published
        Not used: the publication gives no numbers.
    """
    _, frames = only(cells)
    try:
        profiles = _before_and_charged(frames)
    except EelsError as error:
        return Finding(
            f"The battery was not seen before and after: {error}.",
            [],
            [Claim.undetermined("the battery is seen before cycling and charged")],
        )
    before, charged = disordered_finding(profiles[0]), charging_finding(profiles[1])
    claims = [*_claims("before cycling", before), *_claims("charged", charged)]
    quantities = []
    for state, finding in (("before", before), ("charged", charged)):
        for name, layer in finding.layers.items():
            width = layer.width_nm
            quantities.append(
                Quantity(
                    f"{state}_{name}_width_nm", f"width of {name}, {state}", width.value, width.sigma, "nm"
                )
            )
        for claim in finding.claims:
            key = claim.name.split(",")[0].split(":")[0].replace(" ", "_")
            if "nearness" not in claim.name:
                unit = "nm" if claim.name.endswith("nm") else ""
                label = f"{claim.name.removesuffix(', nm')}, {state}"
                quantities.append(
                    Quantity(f"{state}_{key}", label, claim.value.value, claim.value.sigma, unit)
                )
    # A layer that was there before is not of the charging.
    for name in LITHIUM_OXIDES:
        text = f"charging adds {name} at the end of the cathode"
        was, became = (amount_at_end(one, name) for one in profiles)
        added = became.minus(was)
        claims.append(Claim.exceeds(text, added.value, added.sigma))
        quantities.append(
            Quantity(f"added_{name}", f"{name} that charging adds", added.value, added.sigma, "nm")
        )
    seen = "a disordered layer" if before.recovered else "no disordered layer"
    then = (
        "highly oxidised cobalt with lithium oxide and peroxide"
        if charged.recovered
        else "no layer of highly oxidised cobalt with lithium oxide and peroxide"
    )
    return Finding(f"Before cycling {seen} lies on the cathode; charged, {then}.", quantities, claims)


def _before_and_charged(frames: xr.Dataset) -> tuple[NanobatteryProfile, NanobatteryProfile]:
    """First scan of the battery, at a voltage below that of charging, and the last one, above."""
    scans = np.flatnonzero(np.asarray(frames["content"]).astype(str) == NANOBATTERY)
    bias_v = np.asarray(frames["scan_bias_v"], float)
    if scans.size < 2 or bias_v[scans[0]] > CHARGED_ABOVE_V or bias_v[scans[-1]] <= CHARGED_ABOVE_V:
        listed = ", ".join(f"{bias_v[one]:g} V" for one in scans) or "none"
        raise EelsError(
            f"scans of the battery: {listed}; one at most at {CHARGED_ABOVE_V:g} V and a later one above "
            "are needed"
        )
    return profile_in(frames, int(scans[0])), profile_in(frames, int(scans[-1]))


def _claims(state: str, finding: LayerFinding) -> list[Claim]:
    return [
        Claim.exceeds(
            f"{state}, {one.name} above {one.threshold:g}", one.value.value, one.value.sigma, one.threshold
        )
        for one in finding.claims
    ]


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Compounds and the valence of cobalt across the battery, before cycling and charged."""
    _, frames = only(cells)
    try:
        profiles = _before_and_charged(frames)
    except EelsError:
        shown = plt.figure(figsize=(6.0, 2.0))
        shown.suptitle(title, fontsize=9)
        return shown
    shown, axes = plt.subplots(
        2, 2, figsize=(8.4, 5.6), sharex=True, sharey="row", layout="constrained", height_ratios=(3, 2)
    )
    names = ((LITHIUM_OXIDES[0], BLUE), (LITHIUM_OXIDES[1], ORANGE), (REDUCED, GREEN))
    for (upper, lower), profile, state in zip(axes.T, profiles, ("before cycling", "charged")):
        end = profile.cathode_end.position_nm.value
        x_nm = profile.x_nm - end
        cathode = profile.maps.amount["LiCoO2"][0]
        upper.plot(x_nm, cathode, color="#666666", lw=1.0, label="LiCoO$_2$")
        upper.plot(x_nm, profile.maps.amount["LiPON"][0], color="#666666", lw=1.0, ls="--", label="LiPON")
        for name, colour in names:
            amount, sigma = profile.maps.amount[name][0], profile.maps.sigma_stat[name][0]
            upper.errorbar(x_nm, amount, sigma, fmt="o", ms=2.5, lw=0.8, color=colour, label=name)
        upper.set_title(state, fontsize=9)
        found = profile.valence.combined
        lower.errorbar(
            profile.valence_x_nm - end,
            [one.value for one in found],
            [one.sigma for one in found],
            fmt="o",
            ms=3,
            lw=0.8,
            color=BLUE,
        )
        lower.axhline(3.0, color="#999999", lw=0.8, ls=":")
        lower.set_xlabel("Distance from the end of the cathode (nm)")
        for axis in (upper, lower):
            axis.axvline(0.0, color="#999999", lw=0.8, ls=":")
    axes[0][0].set_ylabel("Thickness along the beam (nm)")
    axes[1][0].set_ylabel("Valence of cobalt")
    axes[0][1].legend(fontsize=7, frameon=False)
    shown.suptitle(title, fontsize=9)
    return shown
