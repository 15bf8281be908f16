"""`python -m intercalate.cli`."""

from intercalate.cli import main

main()
