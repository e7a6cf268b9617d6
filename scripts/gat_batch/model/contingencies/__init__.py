"""Contingencies: what fails together on top of a scenario's own state, and in which category.

In: what a manifest asks for, and a grid. Out: sets of outages with a name, in a fixed order.
"""
