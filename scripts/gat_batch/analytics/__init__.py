"""Analyses across scenarios and batches.

In: the results of a batch, or its grids. Out: one table an analysis under ``summary/analytics``.
"""
