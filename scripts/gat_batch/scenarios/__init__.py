"""Scenario specifications: a short description of many scenarios -> a manifest and its tables.

Read in this order: ``specification`` (what is asked for), ``selection`` (which elements are meant),
``profiles``, ``sampling`` and ``outage_sets`` (what varies), ``injections`` and ``expansion`` (the
scenarios and their tables), ``product`` (the files), ``forecast`` (what they will cost).
"""
