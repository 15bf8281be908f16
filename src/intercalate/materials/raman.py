"""Raman bands with their sources. Marks: V verified, R recalled, ? unsure, I interpolated or illustrative.

Shifts are in 1/cm. They depend on the material alone but for D and 2D, which disperse with the energy of the
laser.
"""

from dataclasses import dataclass

from intercalate.materials.constants import HC_EV_NM
from intercalate.materials.model import Mark, Source


@dataclass(frozen=True, slots=True)
class BandPosition:
    """Where a band of LixC6 lies while lithium goes in.

    Attributes
    ----------
    li_content
        Lower and upper end of the window in x in which the band is there.
    shift_per_cm
        At both ends of that window, linear between.
    """

    key: str
    li_content: tuple[float, float]
    shift_per_cm: tuple[float, float]
    source: Source

    def at(self, li_content: float) -> float:
        """Shift at a lithium content, that of the nearer end outside the window."""
        low, high = self.li_content
        place = min(max((li_content - low) / (high - low), 0.0), 1.0)
        return self.shift_per_cm[0] + place * (self.shift_per_cm[1] - self.shift_per_cm[0])


@dataclass(frozen=True, slots=True)
class DispersingBand:
    """A band whose shift follows the energy of the laser.

    Attributes
    ----------
    shift_per_cm
        With a laser of 532 nm.
    per_cm_per_ev
        Dispersion.
    """

    key: str
    shift_per_cm: float
    per_cm_per_ev: float
    source: Source

    def at(self, laser_nm: float) -> float:
        """Shift with a laser of this wavelength."""
        return self.shift_per_cm + self.per_cm_per_ev * (HC_EV_NM / laser_nm - HC_EV_NM / 532.0)


@dataclass(frozen=True, slots=True)
class StageIndex:
    """Number of carbon layers between two of lithium at one lithium content."""

    li_content: float
    index: float
    source: Source


SILICON_PER_CM = 520.7
"""First-order line of crystalline silicon at 25 degC, by which the axis of a spectrum is set."""
SILICON_SOURCE = Source("Parker, Feldman & Ashkin, Phys. Rev. 155 (1967) 712; usual reference", Mark.RECALLED)

_HARDWICK = Source("Hardwick et al., Solid State Ionics 177 (2006) 2801", Mark.RECALLED)
_INABA = Source(
    "Inaba et al., J. Electrochem. Soc. 142 (1995) 20; Sole, Drewett & Hardwick, Faraday Discuss. 172 (2014) "
    "223; course within the window",
    Mark.UNSURE,
)
_KERR = Source("ACS Energy Lett. 7 (2022) 2611, 10.1021/acsenergylett.2c01120", Mark.VERIFIED)
_FERRARI = Source("Ferrari, Solid State Commun. 143 (2007) 47", Mark.RECALLED)

DILUTE = BandPosition("E2g2", (0.0, 0.06), (1581.0, 1590.0), _HARDWICK)
"""The only band of graphite with little lithium in it."""
INNER = BandPosition("E2g2(i)", (0.13, 0.40), (1575.0, 1584.0), _INABA)
"""Of carbon layers without lithium beside them."""
OUTER = BandPosition("E2g2(b)", (0.13, 0.50), (1599.0, 1606.0), _INABA)
"""Of carbon layers with lithium on one side; the only band of stage 2."""
DENSE = BandPosition("E2g2(1)", (0.50, 1.0), (1590.0, 1564.0), _KERR)
"""The broad band of stage 1 beside stage 2."""

FANO_COUPLING, FANO_COUPLING_SIGMA = -0.06, 0.03
"""1 / q of the band of stage 1, and by how much samples differ: phonon and electrons scatter together."""
FANO_SOURCE = Source(
    "Chacon-Torres et al., Phys. Status Solidi B 249 (2012) 2640, arXiv:1204.5971 (abstract: KC8, CaC6 and "
    "LiC6 have Fano lines); near -1 in KC8, a small part of it in LiC6, whose interlayer band is empty: "
    "value and spread",
    Mark.UNSURE,
)

DISORDER = DispersingBand("D", 1350.0, 50.0, _FERRARI)
OVERTONE = DispersingBand("2D", 2700.0, 100.0, _FERRARI)
OVERTONE_LOSS_PER_CM = -70.0
"""By which 2D has moved when it disappears, before stage 2: 2681 to 2611 with 633 nm, Sole 2014; R."""

CARBIDE_PER_CM = (1845.0, 1856.0)
"""Between which the band of Li2C2 has been seen."""
CARBIDE_SOURCE = Source(
    "J. Power Sources 124 (2003) 518 (abstract: the heat of the laser makes it of carbonates on lithium, ca. "
    "1845); Schmitz et al., J. Power Sources 217 (2012) 98",
    Mark.VERIFIED,
)
HARMLESS_W_CM2 = 1.0e5
"""Of visible light, below which a sample is hardly changed."""
HARMLESS_SOURCE = Source(
    "Baddour-Hadjean & Pereira-Ramos, Chem. Rev. 110 (2010) 1278; 0.1 to 1 mW on a micrometre is common "
    "practice",
    Mark.RECALLED,
)

INNER_TO_OUTER = 1.0
"""Ratio of both intensities in units of (n - 2) / 2 for stage n, after S. A. Solin, Adv. Chem. Phys. 49
(1982) 455; the constant is of order 1 and differs between samples: I."""

_WINDOWS = Source("middle of the windows of the stages in the tables of diffraction", Mark.ILLUSTRATION)
STAGE_INDICES = (
    StageIndex(0.13, 4.5, _WINDOWS),
    StageIndex(0.165, 4.0, _WINDOWS),
    StageIndex(0.23, 3.0, _WINDOWS),
    StageIndex(0.335, 2.0, _WINDOWS),
)
"""From dilute to stage 2, where no layer is without lithium beside it."""
