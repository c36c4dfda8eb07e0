"""Reports: pure functions of a run directory. `write_reports` puts `report.md` and `report.html` into it."""
