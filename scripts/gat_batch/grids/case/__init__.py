"""A grid as plain tables in MATPOWER's conventions: the middle between networks and files.

In: tables of a case, or a network. Out: a network with the same power flow, or the tables.
"""
