"""What a batch comes to.

In: results. Out: all rows in one file, a row a scenario, a row an element, contingencies ranked by
how bad they are.
"""
