"""Power flows by plain pandapower: for what the admittance model can't represent.

A model with a state laid over its network in, its solution out.
"""
