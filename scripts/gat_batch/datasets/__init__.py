"""Solved states as samples for machine learning.

In: a batch with its summary. Out: arrays of one grid's buses, branches and generators, sample by
sample, and files of them in the layouts that others read, with a card that says what they hold.
"""

LAYOUTS = ("gridfm", "numpy", "pglearn")
"""Layouts of the files of a dataset."""
