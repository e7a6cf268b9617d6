"""Transformers whose tap controllers hold the voltage of a bus.

Equations of a state in; the same with the taps that controllers settle on out.
"""
