"""`python -m agentsys`."""

from agentsys.cli.app import main

main()
