"""Wiring: the only part that sees drivers, models and rules at once."""
