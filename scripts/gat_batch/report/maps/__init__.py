"""Maps of grids, and what the page knows of their elements.

In: how a grid is connected, the summary, the states that are shown. Out: for each grid a
specification that draws its map, and the numbers that the page's script puts on it.
"""
