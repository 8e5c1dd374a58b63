"""A whole deployment: version 1 serves while the ordinary, atomic migrations of version 2 run in a window that defers.

Each version is a Django project of its own (deployment/v1, deployment/v2), run by processes of its own: `manage.py` for
what a deployment does, `serve.py` for the application.
"""

import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import psycopg

from support import as_dba, install_zdm

PROJECT = pathlib.Path(__file__).parent / "deployment"
DATABASE = "store"
TEMPLATE = "store_template"
SEED = """
    INSERT INTO store_tag (name) SELECT 'tag ' || n FROM generate_series(1, 20) n;
    INSERT INTO store_product (sku, title, stock)
        SELECT 'sku ' || n, 'Product ' || n, 1000000 FROM generate_series(1, 500) n;
    INSERT INTO store_product_tags (product_id, tag_id) SELECT n, 1 + n % 20 FROM generate_series(1, 500) n;
    INSERT INTO store_customer (name, email, phone, segment, legacy_code, credit)
        SELECT 'Customer ' || n, n || '@example.org', CASE WHEN n % 2 = 0 THEN '555-' || n END,
               CASE WHEN n % 10 = 0 THEN 'gold' ELSE 'retail' END, 'L' || n, n % 100 FROM generate_series(1, 10000) n;
    INSERT INTO store_order (customer_id, state, note, placed_at)
        SELECT n, 'done', CASE WHEN n % 3 = 0 THEN 'ring twice' END, now() FROM generate_series(1, 10000) n;
    INSERT INTO store_orderline (order_id, product_id, quantity)
        SELECT 1 + n / 2, 1 + n % 500, 1 FROM generate_series(0, 19999) n;
    INSERT INTO store_review (product_id, author, stars, text)
        SELECT 1 + n % 500, 'author ' || n, 1 + n % 5, 'fine' FROM generate_series(1, 5000) n;
    INSERT INTO store_coupon (code, customer_id, percent)
        SELECT 'coupon ' || n, n, 5 FROM generate_series(1, 5000) n;
    ANALYZE store_tag, store_product, store_customer, store_order, store_orderline, store_review, store_coupon;
"""
MIGRATE_ATTEMPTS = 10
# Far more than any action takes by itself on a busy machine, far less than zdm.lock_wait_max
LONGEST_ACTION = 10
# Rows that version 1 goes on writing, and that version 2's constraints do not allow: a deployment fills them in the end.
FILL = [
    "UPDATE store_customer SET phone = '' WHERE phone IS NULL",
    "UPDATE store_order SET note = '' WHERE note IS NULL",
]
# What version 2 has written and version 1 has no place for: an abort names it, and somebody has to decide.
REMOVE = [
    "DROP TABLE store_invoice",
    "UPDATE store_customer SET legacy_code = 'unknown' WHERE legacy_code IS NULL",
    "ALTER TABLE store_customer DROP COLUMN discount, DROP COLUMN language, DROP COLUMN sponsor_id",
    "ALTER TABLE store_order DROP COLUMN priority",
    "ALTER TABLE store_opinion DROP COLUMN helpful",
    "UPDATE store_product SET title = left(title, 40) WHERE length(title) > 40",
]
# What pg_dump passes over in silence
INVALID = """
    SELECT indexrelid::regclass::text FROM pg_index WHERE NOT (indisvalid AND indisready)
    UNION ALL SELECT conname FROM pg_constraint WHERE NOT convalidated
"""


def environment(version, database, application):
    return os.environ | {
        "PYTHONPATH": str(PROJECT / f"v{version}"),
        "STORE_DATABASE": database,
        "STORE_APPLICATION": application,
    }


def manage(version, *arguments, database=DATABASE):
    """Run manage.py as a deployment does, and return what it prints."""
    command = [sys.executable, str(PROJECT / "manage.py"), *arguments]
    done = subprocess.run(command, env=environment(version, database, "deployment"), capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"manage.py {' '.join(arguments)}: {done.stdout}\n{done.stderr}")
    return done.stdout


def migrate():
    """As often as it takes: DDL that gets its lock on a second table not at once gives way to the application."""
    for _ in range(MIGRATE_ATTEMPTS - 1):
        try:
            return manage(2, "migrate")
        except AssertionError as error:
            if "could not obtain locks" not in str(error):
                raise
    return manage(2, "migrate")


def as_deployer(*statements, database=DATABASE):
    """Run statements as the role that owns the store and deploys it; the rows of the last one."""
    with psycopg.connect(dbname=database, user="shop", autocommit=True) as deployer:
        for statement in statements:
            result = deployer.execute(statement)
        return result.fetchall() if result.description else []


def schema(database):
    """The schema by name, as pg_dump sees it."""
    command = ["pg_dump", "--schema-only", "--schema=public", database]
    dump = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line for line in dump.splitlines() if line and not line.startswith(("--", "\\"))]


def make_database(name, template="template1"):
    as_dba(
        f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name} OWNER shop TEMPLATE {template}"
    )


@functools.cache
def make_template():
    """The store of version 1 in production, that each test gets a copy of, and its schema."""
    make_database(TEMPLATE)
    install_zdm(TEMPLATE)
    manage(2, "migrate", "auth", database=TEMPLATE)
    manage(2, "migrate", "store", "0001", database=TEMPLATE)
    as_deployer(SEED, database=TEMPLATE)
    return schema(TEMPLATE)


@functools.cache
def plain_schema():
    """The schema that version 2's migrations make in a database without zdm."""
    make_database("store_plain")
    manage(2, "migrate", database="store_plain")
    return schema("store_plain")


class Process:
    """A process of the application, from its start to its report."""

    def __init__(self, version, number):
        application = f"store-v{version}"
        binding = {"STORE_BINDING": "server" if number % 2 else "client"}
        self.popen = subprocess.Popen(
            [sys.executable, str(PROJECT / "serve.py"), f"v{version}-{number}"],
            env=environment(version, DATABASE, application) | binding,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_until_serving(self):
        line = self.popen.stdout.readline()
        if line != "serving\n":
            raise AssertionError(f"the process does not serve: {line}{self.popen.stdout.read()}")

    def stop(self):
        self.popen.send_signal(signal.SIGTERM)
        return json.loads(self.popen.communicate(timeout=60)[0].splitlines()[-1])

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        self.popen.stdout.close()


class DeploymentTestCase(unittest.TestCase):
    """A store in production: version 1's schema and rows, and zdm.  Each table with rows counts as large."""

    maxDiff = None

    def setUp(self):
        self.schema_before = make_template()
        make_database(DATABASE, template=TEMPLATE)
        as_dba(f"ALTER DATABASE {DATABASE} SET zdm.small_table = 0")

    def start(self, version, count=2):
        processes = [Process(version, number) for number in range(count)]
        for process in processes:
            self.addCleanup(process.kill)
        for process in processes:
            process.wait_until_serving()
        return processes

    def stop(self, processes):
        """No process has met an error, none has waited for long, and each has done all that it does."""
        for report in [process.stop() for process in processes]:
            self.assertEqual(report["errors"], [], "\n".join(report["errors"]))
            self.assertLess(report["longest"]["seconds"], LONGEST_ACTION, report)
            self.assertGreater(min(report["ran"].values(), default=0), 0, report)

    def begin_window(self):
        as_deployer("SELECT zdm_begin_window('v2', 'defer', old_clients => 'store-v1%')")

    def assert_ends_not_yet(self, *reasons, function="zdm_end_window"):
        with self.assertRaises(psycopg.Error) as raised:
            as_deployer(f"SELECT {function}('v2')")
        self.assertEqual(raised.exception.sqlstate, "ZDM03", raised.exception)
        for reason in reasons:
            self.assertIn(reason, raised.exception.diag.message_detail)

    def assert_window_is(self, state):
        self.assertEqual(as_deployer("SELECT state FROM zdm_windows"), [(state,)])

    def assert_nothing_is_left(self):
        """Neither steps that wait or have failed, nor half-done objects."""
        left = "SELECT sql, state, last_error FROM zdm.step WHERE state NOT IN ('done', 'undone', 'cancelled')"
        self.assertEqual(as_dba(left, dbname=DATABASE), [])
        self.assertEqual(as_dba(INVALID, dbname=DATABASE), [])


class Deployment(DeploymentTestCase):
    def test_window_ends(self):
        old = self.start(version=1)
        self.begin_window()
        self.assertIn("Rename model Review to Opinion", manage(2, "migrate", "--plan"))
        self.assertEqual(as_dba("SELECT count(*) FROM zdm.step", dbname=DATABASE), [(0,)], "--plan does nothing")
        migrate()
        as_deployer("CALL zdm_wait()")
        self.assertIn("No migrations to apply", manage(2, "migrate"))
        self.assertIn("No changes detected", manage(2, "makemigrations", "--check"))

        new = self.start(version=2)
        time.sleep(2)
        self.assert_ends_not_yet("store-v1", "store_customer", "phone")
        self.stop(old)

        self.assert_ends_not_yet("phone", "note")
        as_deployer(*FILL)
        as_deployer("SELECT zdm_end_window('v2')", "CALL zdm_wait()")
        self.assert_window_is("closed")
        time.sleep(1)
        self.stop(new)

        self.assertEqual(schema(DATABASE), plain_schema())
        self.assert_nothing_is_left()
        self.assert_rows_are_right()

    def test_window_is_aborted(self):
        """Version 2 is given up after it has been tried; what it has written is put right first."""
        old = self.start(version=1)
        self.begin_window()
        migrate()
        as_deployer("CALL zdm_wait()")
        new = self.start(version=2, count=1)
        time.sleep(1)
        self.stop(new)
        self.assert_ends_not_yet(
            "legacy_code", "discount", "priority", "store_invoice", "helpful", function="zdm_abort_window"
        )
        self.assert_ends_not_yet("would rewrite table", "rows in its way", function="zdm_abort_window")
        # A column gets its narrower type back where to rewrite the table takes no time.
        as_dba(f"ALTER DATABASE {DATABASE} SET zdm.small_table = '8MB'")
        as_deployer(*REMOVE)
        as_deployer("SELECT zdm_abort_window('v2')", "CALL zdm_wait()")
        self.assert_window_is("aborted")
        self.stop(old)
        self.assertEqual(schema(DATABASE), self.schema_before)
        self.assert_nothing_is_left()

    def assert_rows_are_right(self):
        """What the migrations say of rows from before, and what each version has written."""
        checks = {
            "gold customers have got their discount": "SELECT count(*) = 1000 FROM store_customer"
            " WHERE segment = 'gold' AND discount = 10 AND id <= 10000",
            "others have not": "SELECT count(*) = 9000 FROM store_customer WHERE discount = 0 AND id <= 10000",
            "version 1 has written defaults": "SELECT count(*) > 0 AND count(DISTINCT (discount, language)) = 1"
            " FROM store_customer WHERE name LIKE 'v1-%' AND discount = 0 AND language = 'en'",
            "orders of version 1 have the priority of those before": "SELECT bool_and(o.priority = 1) FROM store_order o"
            " JOIN store_customer c ON c.id = o.customer_id WHERE c.name LIKE 'v1-%'",
            "what both call their own is in one table": "SELECT count(DISTINCT left(author, 2)) = 3"
            " FROM store_opinion",
            "all reviews from before are there": "SELECT count(*) = 5000 FROM store_opinion WHERE author LIKE 'author %'",
        }
        for what, sql in checks.items():
            self.assertEqual(as_dba(sql, dbname=DATABASE), [(True,)], what)
