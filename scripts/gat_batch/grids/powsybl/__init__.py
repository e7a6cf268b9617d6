"""Grids that powsybl reads: PSS/E, UCTE, IEEE CDF, PowerFactory, CGMES, IIDM.

powsybl's network in SI units becomes a pandapower network with every element: exactly where
pandapower has such an element, otherwise approximated and listed in ``net["approximations"]``.
"""
