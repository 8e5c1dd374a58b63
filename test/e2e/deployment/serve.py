"""One process of the store, of the version that is on its path: serves until SIGTERM, then says what it has seen.

Prints `serving` when all actions have run once, and in the end a line of JSON: how often each action ran, the errors,
and the longest time that an action took.
"""

import json
import os
import random
import signal
import sys
import time
import traceback

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
django.setup()

from store import traffic  # noqa: E402  (models need django.setup())


class Worker:
    """What the actions need to know: chance, names that no other process uses, and the rows that are this one's."""

    def __init__(self, name):
        self.name = name
        self.random = random.Random(name)
        self.last_number = 0
        self.customers = {}  # primary key -> credit that it must have
        self.orders = []  # primary keys

    def new_name(self):
        self.last_number += 1
        return f"{self.name}-{self.last_number}"


def main():
    worker = Worker(sys.argv[1])
    report = {"worker": worker.name, "ran": {}, "errors": [], "longest": {"seconds": 0.0}}
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    actions = list(traffic.ACTIONS)
    while not stopped:
        for action in actions:
            started = time.monotonic()
            try:
                action(worker)
            except Exception:
                report["errors"].append(f"{worker.name} {action.__name__}: {traceback.format_exc(limit=-6)}")
            seconds = time.monotonic() - started
            if seconds > report["longest"]["seconds"]:
                report["longest"] = {"action": action.__name__, "seconds": seconds}
            report["ran"][action.__name__] = report["ran"].get(action.__name__, 0) + 1
        if report["ran"][actions[-1].__name__] == 1:
            print("serving", flush=True)
        worker.random.shuffle(actions)
    try:
        traffic.check_own_rows(worker)
    except Exception:
        report["errors"].append(f"{worker.name} check_own_rows: {traceback.format_exc(limit=-6)}")
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
