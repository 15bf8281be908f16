"""The soft IOC that owns a cycler: sequences programs, keeps records, guards the cell."""
