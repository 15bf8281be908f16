"""The fault matrix: whatever dies, the cell ends where its protocol says, and nothing measured is lost."""
