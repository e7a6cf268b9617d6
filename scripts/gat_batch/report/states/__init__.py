"""The states that the page can show on its maps.

In: the tables of scenarios, elements and contingencies, and the rows of all results as they are
read. Out: for each grid some states, chosen so that the page stays small, with what every bus and
branch has in them.
"""
