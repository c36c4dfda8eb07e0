"""Explicit integrators and their measured orders."""
