"""What a batch comes to.

In: results. Out: all rows in one file; tables with a row per scenario, per element and per
overloaded branch; contingencies ranked by how bad they are.
"""
