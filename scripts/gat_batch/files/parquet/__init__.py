"""Parquet files beside what pyarrow does with them: footers read and put together."""
