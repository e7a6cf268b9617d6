"""Hints name what somebody may have meant, and never more than one reads."""

from __future__ import annotations

from gat_batch.files.words import MOST_KNOWN, nearest


def test_a_hint_names_the_nearest_of_very_many():
    known = [f"s{n:06}" for n in range(100_000)]
    assert nearest("s00123", known) == "did you mean 's000123' or 's001023' or 's001123'?"


def test_a_hint_lists_what_is_known_if_nothing_is_near_and_no_more_than_one_reads():
    assert nearest("xyz", ["load", "gen"]) == "known are load, gen"
    known = [f"scenario-{n}" for n in range(1000)]
    hint = nearest("xyz", known)
    assert hint.endswith(f"scenario-{MOST_KNOWN - 1} and {1000 - MOST_KNOWN} more")
