"""The record of a run's claims in the forms that others keep records in. Nothing is published or sent."""
