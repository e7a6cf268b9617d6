"""What the report shows of scenarios with snapshots.

In: a row for each state of a few scenarios. Out: figures of their values, in the order of the
snapshots and sorted, in a section.
"""
