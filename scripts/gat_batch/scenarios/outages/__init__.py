"""What fails in the scenarios of a family.

In: the elements of a grid, an ``each_outage``. Out: sets of outages, enumerated, listed or drawn.
"""
