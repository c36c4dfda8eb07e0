"""Long jobs: a profile or the cells of claims, run by an engine elsewhere, taken in once what came back was checked."""
