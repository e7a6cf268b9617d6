"""What a specification names: grids, tags, profiles.

In: references and file names. Out: their content, each read once and only if needed.
"""
