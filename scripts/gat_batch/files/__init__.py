"""Files, whatever they hold.

In: a path. Out: JSON and YAML documents, columns of CSV and Parquet files, locks, and files that
are written whole or not at all. Knows nothing of power systems.
"""
