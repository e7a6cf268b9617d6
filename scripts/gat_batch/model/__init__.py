"""The prepared grid, and states laid over it.

In: a network, and what a scenario changes in it. Out: the grid's model, states of it with their
injections, setpoints, outages, costs and limits, its contingencies, and what a solution of it is.
"""
