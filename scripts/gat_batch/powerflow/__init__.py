"""Power flows.

In: a state of a prepared grid. Out: voltages, and from them the quantities of every element: on
equations that are kept from state to state, or by plain pandapower.
"""
