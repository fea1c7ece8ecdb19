"""A client that goes on writing while its database is changed."""

import threading
import time

import psycopg

from tests.localcloud.databases_cloud import DatabasesCloud


class Writer:
    """A client that inserts one row after the other and notes those that were acknowledged."""

    def __init__(self, cloud: DatabasesCloud, identifier: str) -> None:
        self._cloud, self._identifier = cloud, identifier
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.acknowledged: list[int] = []
        self.broken: list[str] = []
        self.longest_pause_seconds = 0.0

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        number, last = 0, time.monotonic()
        while not self._stopping.is_set():
            try:
                with self._cloud.connect(self._identifier) as connection:
                    while not self._stopping.is_set():
                        number += 1
                        connection.execute("INSERT INTO buyers VALUES (%s)", [number])
                        self.acknowledged.append(number)
                        pause = time.monotonic() - last
                        self.longest_pause_seconds = max(self.longest_pause_seconds, pause)
                        last = time.monotonic()
            except (psycopg.Error, KeyError, AssertionError) as error:
                self.broken.append(str(error))
                time.sleep(0.05)


def rows(cloud: DatabasesCloud, identifier: str) -> set[int]:
    """What is in the table that a `Writer` fills."""
    with cloud.connect(identifier) as connection:
        found = connection.execute("SELECT id FROM buyers").fetchall()
    return {int(row[0]) for row in found}
