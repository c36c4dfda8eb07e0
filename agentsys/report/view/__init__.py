"""The page of a run: one set of templates for a local server and for the one file `report.html`."""
