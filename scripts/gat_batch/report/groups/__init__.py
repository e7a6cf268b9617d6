"""How the groups of scenarios that a manifest compares stand, and against the first of them.

In: the tables of the summary and the rows of all results. Out: a section of the report: for each
group a verdict in words, a figure of all of them, and what is violated, side by side.
"""
