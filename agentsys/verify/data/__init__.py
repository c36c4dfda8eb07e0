"""Data of the paper's own scale: found, judged by the policy, fetched, pinned, counted, shown to a run."""
