"""What each probe sees of the inside of a cell: pure numpy, seeded, no process variables."""
