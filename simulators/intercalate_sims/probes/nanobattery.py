"""A thin battery between two electrodes of a holder, and films of known compounds beside it."""

from enum import StrEnum

from intercalate.materials import Mark, Source
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.eels import Layer, ThinSample

REFERENCE_FILMS = ("CoO", "Co3O4", "LiCoO2", "Li0.5CoO2", "Li2O", "Li2O2", "LiPON")
FILM_NM = 50.0
FILM_SIGMA = 0.03
"""What is told of the thickness of a film, and by how much it is off, relative."""
FILM_SOURCE = Source("films thin enough for the beam; usual error of a quartz monitor", Mark.ILLUSTRATION)

CHARGES_ABOVE_V = 3.9
"""Above which lithium leaves LiCoO2 against an anode of silicon."""
CHARGING_SOURCE = Source("plateau of LiCoO2, 3.9 V against Li; silicon is a little above Li", Mark.RECALLED)
LAYERS_SOURCE = Source("widths, thickness, shares of oxides and valences of cobalt", Mark.ILLUSTRATION)


class NanobatteryLaw(StrEnum):
    """What lies on the cathode, before it is charged and afterwards."""

    REAL = "real"
    """A disordered layer; then highly oxidised cobalt with lithium oxide and peroxide."""
    STILL = "still"
    """The disordered layer, whatever is done."""
    REVERSED = "reversed"
    """The oxidised one at first, the disordered one after charging."""


def nanobattery(seed: int, law: NanobatteryLaw, *, was_charged: bool) -> ThinSample:
    """Cathode, what lies on it, electrolyte and anode, from the left.

    Parameters
    ----------
    was_charged
        Whether a voltage above `CHARGES_ABOVE_V` has been applied: what it leaves stays.
    """
    draw = keyed_generator(seed, "nanobattery", 0).random(7)
    inside = 3.0 + 0.3 * float(draw[0])
    width_nm = 6.0 + 4.0 * float(draw[1])
    oxides = {"Li2O": 0.2 + 0.1 * float(draw[2]), "Li2O2": 0.2 + 0.1 * float(draw[3])}
    is_oxidised = {
        NanobatteryLaw.REAL: was_charged,
        NanobatteryLaw.STILL: False,
        NanobatteryLaw.REVERSED: not was_charged,
    }[law]
    on_it = (
        Layer("oxidised", width_nm, {"LiCoO2": 1.0 - sum(oxides.values()), **oxides}, inside + 0.4)
        if is_oxidised
        else Layer("disordered", width_nm, {"LiCoO2": 0.2, "Co3O4": 0.8})
    )
    return ThinSample(
        (
            Layer("cathode", 22.0 + 3.0 * float(draw[6]), {"LiCoO2": 1.0}, inside if is_oxidised else None),
            on_it,
            Layer("electrolyte", 16.0, {"LiPON": 1.0}),
            Layer("anode", 20.0, {"Si": 1.0}),
        ),
        40.0 + 20.0 * float(draw[4]),
        interface_nm=0.7 + 0.8 * float(draw[5]),
    )


def film(compound: str, seed: int) -> ThinSample:
    """One compound, about as thick as is told."""
    number = REFERENCE_FILMS.index(compound)
    off = float(keyed_generator(seed, "told thickness", number).standard_normal())
    return ThinSample(
        (Layer(compound, 1.0, {compound: 1.0}),),
        FILM_NM * (1.0 + FILM_SIGMA * off),
        wedge=0.0,
        kind="reference",
    )
