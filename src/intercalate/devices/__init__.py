"""The instruments and the cycler as ophyd devices."""
