"""Scripted runs for tests: a small paper, and answers written by hand for these tests (no model wrote them)."""
