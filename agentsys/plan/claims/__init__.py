"""The claims of a paper: read from it or given, and checked against its own words before anything is planned."""
