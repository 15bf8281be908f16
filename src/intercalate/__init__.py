"""In situ and operando experiments on Li-ion cells as one Bluesky experiment."""

__version__ = "0.1.0"
