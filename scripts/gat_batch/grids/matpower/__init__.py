"""MATPOWER cases, version 2: ``.m`` text and ``.mat`` files."""
