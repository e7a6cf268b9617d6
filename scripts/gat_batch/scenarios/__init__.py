"""Many scenarios from a short description.

In: a scenario specification, a grid, profiles. Out: a manifest and its tables of injections.
"""
