"""Analyses across scenarios and batches, one table each under ``summary/analytics``."""
