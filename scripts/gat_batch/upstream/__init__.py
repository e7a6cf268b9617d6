"""What leans on inner names of other packages: a module for each package.

An upgrade of one of them may break what stands here, and nothing else; tests/upstream says what.
"""
