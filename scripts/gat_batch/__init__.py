"""Batches of power-system studies: from a manifest of scenarios to results and summaries."""

__version__ = "0.1.0"
