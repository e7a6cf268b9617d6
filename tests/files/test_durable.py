"""Results reach the disk while others are written, and a disk that fails is told of."""

from __future__ import annotations

import os

import pytest

from gat_batch.files import durable
from gat_batch.files.durable import Durable


@pytest.fixture
def synced(monkeypatch):
    """The files that reached the disk, in turn."""
    known, true = [], os.fsync

    def fsync(descriptor):
        known.append(os.fstat(descriptor).st_ino)
        true(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return known


def written(folder, count):
    paths = [folder / str(number) for number in range(count)]
    for path in paths:
        path.write_text("rows")
    return paths


def test_every_file_reaches_the_disk_once(tmp_path, synced):
    paths = written(tmp_path, 5)
    with Durable() as keeper:
        for path in paths:
            keeper.add(path)
        keeper.add(tmp_path / "removed since")
        assert not synced
    assert synced == [path.stat().st_ino for path in paths]


def test_files_reach_the_disk_while_others_are_written(tmp_path, synced, monkeypatch):
    monkeypatch.setattr(durable, "EVERY_SECS", 0.0)
    first, second = written(tmp_path, 2)
    with Durable() as keeper:
        keeper.add(first)
        keeper._end()
        assert synced == [first.stat().st_ino]
        keeper.add(second)
    assert len(synced) == 2


def test_a_disk_that_fails_is_told_of(tmp_path, monkeypatch):
    def fsync(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="Input/output error"), Durable() as keeper:
        keeper.add(*written(tmp_path, 1))


def test_an_interrupted_job_does_not_wait_for_the_disk(tmp_path, synced):
    with pytest.raises(KeyboardInterrupt), Durable() as keeper:
        interrupted(keeper, *written(tmp_path, 1))
    assert not synced


def interrupted(keeper, path):
    keeper.add(path)
    raise KeyboardInterrupt
