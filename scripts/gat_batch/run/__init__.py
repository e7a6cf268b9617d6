"""A run at work.

In: a plan. Out: its results, solved by workers under deadlines, with retries; journals and the
status of the batch; the end of the run.
"""
