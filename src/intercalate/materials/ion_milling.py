"""How fast a focused beam of gallium ions removes material, and what lithium bears of it."""

from intercalate.materials.model import Mark, Source

REFERENCE_KV = 30.0
"""At which volumes per charge are."""

UM3_PER_NC: dict[str, tuple[float, Source]] = {
    key: (value, source)
    for source, values in (
        (
            Source("tables of sputter rates in Giannuzzi & Stevie, Introduction to Focused Ion Beams (2005)",
                   Mark.RECALLED),
            {"silicon": 0.27, "graphite": 0.18, "carbon film": 0.18, "copper": 0.25,
             "polymer electrolyte": 0.40},
        ),
        (
            Source("of the order of the tables' figures for oxides and light metals", Mark.ILLUSTRATION),
            {"lithium": 0.5, "passivated lithium": 0.3, "lithium carbide": 0.3, "magnesium lithium": 0.45,
             "LFP": 0.25, "LVO": 0.25, "NMC": 0.22, "LLZO": 0.2, "vacuum": 0.27},
        ),
    )
    for key, value in values.items()
}  # fmt: skip
"""Cubic micrometres that a nanocoulomb of gallium ions removes at `REFERENCE_KV`, by the names of
`electron_range.IMAGED_MATERIALS`, with their sources."""

SLOWEST_UM3_PER_NC = min(value for value, _ in UM3_PER_NC.values())

VOLTAGE_EXPONENT = 0.3
VOLTAGE_SOURCE = Source("removal rises slower than the voltage", Mark.ILLUSTRATION)

COLD_BELOW_C = -100.0
LOW_CURRENT_NA = 0.1
LITHIUM_SOURCE = Source(
    "ions damage lithium too, and gallium reacts with it: cold, or at low current; where that begins was "
    "chosen for illustration",
    Mark.ILLUSTRATION,
)
"""At or below one of both, lithium may be milled."""


def um3_per_s(um3_per_nc: float, voltage_kv: float, current_na: float) -> float:
    """Volume per second that a beam removes.

    Parameters
    ----------
    um3_per_nc
        Of the material, at `REFERENCE_KV`.
    """
    return um3_per_nc * current_na * (voltage_kv / REFERENCE_KV) ** VOLTAGE_EXPONENT


def longest_s(volume_um3: float, voltage_kv: float, current_na: float) -> float:
    """Time to mill a volume of the material that withstands longest, in seconds."""
    return volume_um3 / um3_per_s(SLOWEST_UM3_PER_NC, voltage_kv, current_na)


def why_lithium_suffers(temperature_c: float, current_na: float) -> str:
    """Why lithium must not be milled so; empty if it may."""
    if temperature_c <= COLD_BELOW_C or current_na <= LOW_CURRENT_NA:
        return ""
    return (
        f"ions of {current_na:g} nA at {temperature_c:g} degC damage lithium, with which gallium reacts; "
        f"cool the stage to {COLD_BELOW_C:g} degC, or mill with at most {LOW_CURRENT_NA:g} nA"
    )
