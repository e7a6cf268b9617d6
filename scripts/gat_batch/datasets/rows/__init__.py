"""What a state asks of a grid, as rows of a dataset.

In: a network, a state. Out: buses, branches and generators in the order of their rows, what of them
is in service, their limits and costs.
"""
