"""Runs in a client's network namespace: transactions over lasting connections until stdin closes.

Input: a line of {"connection": libpq parameters, "clients": number, "seconds": of a transaction}.
Output: how many transactions were committed, how many broke after BEGIN was answered (lost: the
application cannot know what became of them without asking), how many connections were ended
between two transactions (nothing was lost: the application connects again), and how many attempts
to connect failed; with the errors' texts, and the longest committed transaction in seconds.
"""

import collections
import json
import sys
import threading
import time

import psycopg

request = json.loads(sys.stdin.readline())
done = threading.Event()
counts: collections.Counter[str] = collections.Counter()
errors: collections.Counter[str] = collections.Counter()
longest = [0.0]


def client() -> None:
    """One application that keeps its connection and makes a new one when it was ended."""
    while not done.is_set():
        try:
            connection = psycopg.connect(**request["connection"], autocommit=True)
        except psycopg.Error as error:
            counts["refused"] += 1
            errors[f"connect: {error}"] += 1
            done.wait(0.2)
            continue
        began = False
        try:
            while not done.is_set():
                began = False
                started = time.monotonic()
                connection.execute("BEGIN")
                began = True
                connection.execute("UPDATE buyers SET tier = tier WHERE license_id = 'none'")
                connection.execute("SELECT pg_sleep(%s)", (request["seconds"],))
                connection.execute("COMMIT")
                counts["committed"] += 1
                longest.append(time.monotonic() - started)
        except psycopg.Error as error:
            counts["lost" if began else "ended"] += 1
            errors[f"{'lost' if began else 'ended'}: {error}"] += 1
        finally:
            connection.close()


clients = [threading.Thread(target=client) for _ in range(request["clients"])]
for each in clients:
    each.start()
sys.stdin.read()
done.set()
for each in clients:
    each.join()
names = ("committed", "lost", "ended", "refused")
answer = {name: counts[name] for name in names}
print(json.dumps(answer | {"errors": dict(errors), "longest_seconds": max(longest)}))
