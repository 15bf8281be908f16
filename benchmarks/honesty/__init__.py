"""Do the errors of every reduction tell the truth? Tables for docs/honesty.md."""
