"""Contingencies on top of a state.

In: a state of a prepared grid and outages. Out: for each contingency its system figures and its
violations, or its whole solution. In blocks where that is exact, one by one where it isn't.
"""
