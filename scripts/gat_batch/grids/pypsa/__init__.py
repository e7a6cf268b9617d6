"""PyPSA networks (a folder of CSV files, or ``.nc``) with their time series, without PyPSA.

In: the files. Out: a pandapower network with the same power flow, its time series, and a list of
what it has only approximately. The equations are those of PyPSA's documentation, "Power flow".
"""
