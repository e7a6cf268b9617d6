"""Another batch that a batch is compared with, scenario by scenario.

In: the summaries of both. Out: a section of the report with what is new, gone, better and worse,
and a table of all that changed, ``summary/against.parquet``.
"""
