"""What is asked.

In: configuration, manifest and tables as users write them. Out: the same, checked and typed. Knows
the files, not the grids.
"""
