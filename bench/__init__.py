"""Measures what a live call of four costs: ``python -m bench``."""
