"""A batch: its scenarios, perhaps a million, of which a process makes those that it needs."""
