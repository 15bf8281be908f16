"""The figures. Marks: V verified, R recalled, ? unsure, I interpolated or illustrative."""

from intercalate.materials.model import (
    CubicMetal,
    ElectrodeMaterial,
    Graphite,
    GraphiteStage,
    LatticePoint,
    LayeredOxide,
    Mark,
    Polymer,
    Reflection,
    Source,
    SpacingLine,
)

_DE_BIASI = Source("de Biasi et al., J. Phys. Chem. C 121 (2017) 26163", Mark.RECALLED)
_MAERKER = Source(
    "de Biasi et al., J. Phys. Chem. C 121 (2017) 26163; Maerker et al., Chem. Mater. 31 (2019) 2545",
    Mark.RECALLED,
)
_BETWEEN = Source("interpolated between the neighbouring rows", Mark.ILLUSTRATION)
_BEYOND = Source("continued beyond 4.3 V along the collapse of c", Mark.ILLUSTRATION)
_DAHN = Source(
    "Dahn, Phys. Rev. B 44 (1991) 9170; Ohzuku et al., J. Electrochem. Soc. 140 (1993) 2490", Mark.RECALLED
)
_DAHN_WINDOW = Source(f"{_DAHN.citation}; window in x", Mark.UNSURE)
_WEIGHTS = Source("IUPAC standard atomic weights (abridged)", Mark.VERIFIED)

_DENSITIES = Source("IUPAC standard atomic weights; crystal density as usually given", Mark.RECALLED)
_PER_SITE = Source(
    "IUPAC standard atomic weights, of so much of the formula as takes up one lithium; usual density",
    Mark.RECALLED,
)

ELECTRODES = (
    ElectrodeMaterial("NMC811", "LixNi0.8Mn0.1Co0.1O2", "LiNi0.8Mn0.1Co0.1O2", 97.28, 4.78, _WEIGHTS),
    ElectrodeMaterial("graphite", "LixC6", "C6", 72.066, 2.26, _WEIGHTS),
    ElectrodeMaterial("Li", "Li", "Li", 6.94, 0.534, _WEIGHTS),
    ElectrodeMaterial("NMC622", "LixNi0.6Mn0.2Co0.2O2", "LiNi0.6Mn0.2Co0.2O2", 96.93, 4.77, _DENSITIES),
    ElectrodeMaterial(
        "NMC111", "LixNi0.333Mn0.333Co0.333O2", "LiNi0.333Mn0.333Co0.333O2", 96.4, 4.75, _DENSITIES
    ),
    ElectrodeMaterial("LCO", "LixCoO2", "LiCoO2", 97.87, 5.05, _DENSITIES),
    ElectrodeMaterial("LFP", "LixFePO4", "LiFePO4", 157.76, 3.60, _DENSITIES),
    ElectrodeMaterial("LMNO", "LixMn1.5Ni0.5O4", "LiMn1.5Ni0.5O4", 182.70, 4.45, _DENSITIES),
    *(
        ElectrodeMaterial(
            f"LMNO-{metal}",
            f"LixMn1.45Ni0.45{metal}0.1O4",
            f"LiMn1.45Ni0.45{metal}0.1O4",
            mass,
            4.45,
            _DENSITIES,
        )
        for metal, mass in (("Cr", 182.21), ("Co", 182.9), ("Al", 179.7), ("Cu", 183.36), ("Mg", 179.44))
    ),
    ElectrodeMaterial("LTO", "Li1.333+xTi1.667O4", "Li1.333Ti1.667O4", 153.03, 3.48, _PER_SITE),
    ElectrodeMaterial("LVO", "Li0.333+xVO2.667", "Li0.333VO2.667", 95.92, 3.50, _PER_SITE),
    ElectrodeMaterial(
        "Li-rich NMC",
        "LixCo0.0833Mn0.4583Ni0.125O1.667",
        "LiCo0.0833Mn0.4583Ni0.125O1.667",
        71.03,
        4.20,
        _PER_SITE,
    ),
    ElectrodeMaterial("Si", "LixSi0.2667", "Si0.2667", 7.49, 2.33, _PER_SITE),
    ElectrodeMaterial("SiO", "LixSi0.38O0.38", "Si0.38O0.38", 16.76, 2.13, _PER_SITE),
    ElectrodeMaterial("S", "LixS0.5", "S0.5", 16.03, 2.07, _PER_SITE),
)

NMC811 = LayeredOxide(
    key="NMC811",
    metals=(("Ni", 0.8), ("Mn", 0.1), ("Co", 0.1)),
    lattice=(
        LatticePoint(1.00, 2.8720, 14.200, _MAERKER),
        LatticePoint(0.90, 2.8620, 14.240, _BETWEEN),
        LatticePoint(0.75, 2.8470, 14.325, _BETWEEN),
        LatticePoint(0.60, 2.8335, 14.415, _BETWEEN),
        LatticePoint(0.47, 2.8245, 14.465, _MAERKER),
        LatticePoint(0.40, 2.8205, 14.430, _BETWEEN),
        LatticePoint(0.30, 2.8165, 14.250, _BETWEEN),
        LatticePoint(0.22, 2.8150, 14.040, _DE_BIASI),
        LatticePoint(0.10, 2.8150, 13.700, _BEYOND),
        LatticePoint(0.00, 2.8150, 13.450, _BEYOND),
    ),
    oxygen_z=(0.2592, 0.0058),
    oxygen_z_source=Source(
        "MO2 slab 2.10 A lithiated, about 2.00 A at x = 0.3, as for layered oxides in general",
        Mark.ILLUSTRATION,
    ),
    reflections=(
        Reflection(0, 0, 3, 2),
        Reflection(1, 0, 1, 6),
        Reflection(0, 0, 6, 2),
        Reflection(0, 1, 2, 6),
        Reflection(1, 0, 4, 6),
        Reflection(0, 1, 5, 6),
        Reflection(0, 0, 9, 2),
        Reflection(1, 0, 7, 6),
        Reflection(0, 1, 8, 6),
        Reflection(1, 1, 0, 6),
        Reflection(1, 1, 3, 12),
        Reflection(0, 2, 1, 6),
        Reflection(1, 0, 10, 6),
        Reflection(1, 1, 6, 12),
        Reflection(2, 0, 2, 6),
        Reflection(0, 0, 12, 2),
        Reflection(0, 2, 4, 6),
        Reflection(0, 1, 11, 6),
        Reflection(2, 0, 5, 6),
        Reflection(1, 1, 9, 12),
        Reflection(0, 2, 7, 6),
    ),
)

GRAPHITE = Graphite(
    key="graphite",
    stages=(
        GraphiteStage("1'", (0.00, 0.06), (3.355, 3.370), (2.4610, 2.4625), "AB", 25.90, _DAHN),
        GraphiteStage("4", (0.13, 0.20), (3.430, 3.450), (2.4645, 2.4665), "AB", 25.97, _DAHN_WINDOW),
        GraphiteStage("3", (0.21, 0.25), (3.460, 3.470), (2.4668, 2.4685), "AB", 25.95, _DAHN_WINDOW),
        GraphiteStage("2L", (0.27, 0.40), (3.490, 3.510), (2.4690, 2.4730), "AB", 25.81, _DAHN),
        GraphiteStage("2", (0.50, 0.50), (3.525, 3.525), (2.4757, 2.4757), "AA", 25.35, _DAHN),
        GraphiteStage("1", (1.00, 1.00), (3.700, 3.700), (2.4860, 2.4860), "AA", 25.32, _DAHN),
    ),
    reflections={
        "AB": (
            Reflection(0, 0, 1, 2),
            Reflection(1, 0, 0, 6),
            Reflection(1, 0, 0.5, 12),
            Reflection(1, 0, 1, 12),
            Reflection(0, 0, 2, 2),
            Reflection(1, 0, 1.5, 12),
            Reflection(1, 1, 0, 6),
            Reflection(1, 1, 1, 12),
            Reflection(0, 0, 3, 2),
        ),
        "AA": (
            Reflection(0, 0, 1, 2),
            Reflection(1, 0, 0, 6),
            Reflection(1, 0, 1, 12),
            Reflection(0, 0, 2, 2),
            Reflection(1, 0, 2, 12),
            Reflection(1, 1, 0, 6),
            Reflection(1, 1, 1, 12),
            Reflection(0, 0, 3, 2),
        ),
    },
)

_FCC = (
    Reflection(1, 1, 1, 8),
    Reflection(2, 0, 0, 6),
    Reflection(2, 2, 0, 12),
    Reflection(3, 1, 1, 24),
    Reflection(2, 2, 2, 8),
)
_BCC = (Reflection(1, 1, 0, 12), Reflection(2, 0, 0, 6), Reflection(2, 1, 1, 24), Reflection(2, 2, 0, 12))

METALS = (
    CubicMetal("Al", "Al", "F", 4.0495, 23.1e-6, 2.699, _FCC, Source("Wyckoff; CRC Handbook", Mark.RECALLED)),
    CubicMetal("Cu", "Cu", "F", 3.6149, 16.5e-6, 8.96, _FCC, Source("Wyckoff; CRC Handbook", Mark.RECALLED)),
    CubicMetal("Li", "Li", "I", 3.5092, 46.0e-6, 0.534, _BCC, Source("Wyckoff; CRC Handbook", Mark.RECALLED)),
)

POLYMERS = (
    Polymer(
        "PE",
        "C2H4",
        1.00,
        (
            SpacingLine("110", 4.110, 100.0, Source("orthorhombic polyethylene, computed", Mark.VERIFIED)),
            SpacingLine("200", 3.705, 30.0, Source("orthorhombic polyethylene; intensity", Mark.RECALLED)),
        ),
        Source("Bunn, Trans. Faraday Soc. 35 (1939) 482", Mark.RECALLED),
    ),
    Polymer(
        "Kapton",
        "C22H10N2O5",
        1.42,
        (
            SpacingLine("meridional 002", 15.5, 30.0, Source("polyimide PMDA-ODA film", Mark.UNSURE)),
            SpacingLine("amorphous halo", 5.0, 100.0, Source("polyimide PMDA-ODA film", Mark.UNSURE)),
        ),
        Source("polyimide film data sheet", Mark.UNSURE),
    ),
)
