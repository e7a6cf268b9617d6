"""Equations of a grid some of whose branches are made of something else.

In: the equations of the grid as given, and both grids. Out: those of the other one.
"""
