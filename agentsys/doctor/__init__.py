"""Checks of this machine: what a run needs, whether it is there, and how to put it right. `diagnose` runs them all."""
