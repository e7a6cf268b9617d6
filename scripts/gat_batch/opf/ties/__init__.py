"""What ties units together: ramps and storages over snapshots, the ends of DC lines in each.

In: the snapshots. Out: linear rows over their units' active power, with variables of their own.
"""
