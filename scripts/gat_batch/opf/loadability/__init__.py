"""How much load a grid can serve.

In: a grid. Out: the largest common factor on all of its loads at which its optimal power flow still
has a solution.
"""
