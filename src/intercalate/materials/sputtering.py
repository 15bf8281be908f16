"""What argon ions make of a surface: they remove it, and change what they leave."""

from collections.abc import Mapping, Sequence

from intercalate.materials.model import Mark, Source

BY_SPUTTERING: Mapping[str, tuple[Mapping[str, float], float]] = {
    "LiPF6": ({"LiF": 1.0}, 1.2),
    "LiTFSI": ({"LiF": 3.0, "Li2S": 0.3, "Li3N": 0.2}, 1.0),
    "LiPO2F2": ({"LiF": 2.0}, 0.8),
    "Li2CO3": ({"Li2O": 1.0}, 0.35),
    "CH3OCO2Li": ({"Li2O": 0.5}, 0.6),
    "Li2S4O6": ({"Li2S": 1.0, "S8": 0.25}, 0.5),
    "Li2S2O3": ({"Li2S": 1.0}, 0.4),
    "LiOH": ({"Li2O": 0.5}, 0.3),
    "Li2S6": ({"Li2S": 1.0, "S8": 0.1}, 0.4),
}
"""What a formula unit turns into, and at which rate per 1e16 argon ions per cm2."""
DECOMPOSITION_SOURCE = Source(
    "that salts turn into LiF: Yu et al., ACS Energy Lett. (2022), 10.1021/acsenergylett.2c01587",
    Mark.VERIFIED,
)
RATES_SOURCE = Source("rates, yields and other products were chosen for illustration", Mark.ILLUSTRATION)

NM_PER_FLUENCE = 1.0
"""Removed by 1e16 argon ions per cm2 at a few hundred eV."""
DAMAGED_NM = 3.0
"""Into which ions damage."""
MIXED_NM = 0.8
"""Over which ions carry what lies above into what lies below: the last of a layer leaves with this length."""
REMOVAL_SOURCE = Source("chosen for illustration", Mark.ILLUSTRATION)


def artefacts(compounds: Sequence[str]) -> list[str]:
    """What argon ions may have made of compounds that are looked for on a surface, one sentence each.

    The composition of a sputtered surface is never that of the layer which was there.
    """
    found = []
    for reactant, (products, _) in BY_SPUTTERING.items():
        made = [one for one in products if one in compounds]
        if reactant in compounds and products:
            found.append(f"{reactant} turns into {', '.join(products)}")
        elif made:
            found.append(f"{', '.join(made)} may have been {reactant}")
    light = "light and loosely bound atoms leave first (preferential sputtering)"
    mixed = f"what lies above is carried down by {MIXED_NM:g} nm (mixing)"
    return [*found, light, mixed]
