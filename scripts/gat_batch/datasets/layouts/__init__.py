"""How the files of a dataset are laid out.

In: arrays of samples. Out: files of a part of a dataset.
"""
