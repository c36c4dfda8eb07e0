"""The plan: its rules, its files on disk, and what is generated from it without a model."""
