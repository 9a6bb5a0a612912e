"""Time and memory of a fit."""
