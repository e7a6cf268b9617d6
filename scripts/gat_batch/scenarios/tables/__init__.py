"""Rows of tables that generated scenarios have beside their injections.

In: a grid's own values and what was drawn. Out: rows with a column ``scenario``.
"""
