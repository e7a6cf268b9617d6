"""One door to all solvers.

In: a model, a state and how it is to be solved. Out: its solution, by a power flow or an optimal
one, on the admittance model or by pandapower; or the deviation between both.
"""
