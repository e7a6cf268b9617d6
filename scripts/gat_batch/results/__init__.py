"""The one table of results.

In: solutions. Out: rows; result files that are whole or not there; and the same rows, read back.
"""
