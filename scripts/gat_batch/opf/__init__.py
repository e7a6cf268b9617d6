"""Optimal power flow.

In: states of a prepared grid. Out: the cheapest dispatch of each, with prices, proved to be an
optimum; or why no dispatch keeps all limits.
"""
