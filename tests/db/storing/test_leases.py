"""Leases of runs: one holder at a time, until they expire, are released or their process is gone."""

from prunestats.db import Holder, read, release_lease, take_lease, write
from prunestats.db.schema import tables as schema

ONE, OTHER = Holder("host", "1 0 0"), Holder("host", "2 0 0")


def taken(engine, holder, *, seconds=60.0, **options):
    with write(engine) as connection:
        return take_lease(connection, "run 1", holder, seconds=seconds, **options)


def test_a_lease_has_one_holder_until_it_is_released(engine):
    assert taken(engine, ONE)
    assert not taken(engine, OTHER)
    with write(engine) as connection:
        release_lease(connection, "run 1")
    assert taken(engine, OTHER)


def test_a_lease_that_expired_is_free(engine):
    assert taken(engine, ONE, seconds=-1)
    assert taken(engine, OTHER)
    with read(engine) as connection:
        assert [row.process for row in connection.execute(schema.lease.select())] == [OTHER.process]


def test_a_lease_whose_process_is_gone_is_free(engine):
    asked = []

    def is_free(holder):
        asked.append(holder)
        return True

    assert taken(engine, ONE)
    assert taken(engine, OTHER, is_free=is_free)
    assert asked == [ONE]
