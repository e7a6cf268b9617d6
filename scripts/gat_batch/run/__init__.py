"""A run at work.

In: a plan. Out: its results, by workers under deadlines, with retries; a journal and the status of
the batch; the end of the run.
"""
