"""Analyses across scenarios and batches.

In: the results of a batch, or its grids. Out: a table for each analysis, in ``summary/analytics``.
"""
