"""The apps that ship with Django migrate under zdm as they do without it."""

import unittest

from django.core.management import call_command
from django.db import connection

from support import WINDOW, as_dba, install_zdm, new_database, query

APPS = ["contenttypes", "auth", "admin", "sessions", "sites"]
APPS_BACK = ["sites", "sessions", "admin", "auth", "contenttypes"]


class BundledApps(unittest.TestCase):
    def setUp(self):
        new_database("bundled")
        install_zdm("bundled")
        self.addCleanup(connection.close)

    def migrate_forward(self):
        for app in APPS:
            call_command("migrate", app, verbosity=0)
        tables = connection.introspection.table_names()
        for table in ["django_content_type", "auth_user", "django_admin_log", "django_session", "django_site"]:
            self.assertIn(table, tables)

    def migrate_back(self):
        for app in APPS_BACK:
            call_command("migrate", app, "zero", verbosity=0)
        self.assertEqual(connection.introspection.table_names(), ["django_migrations"])

    def history(self):
        """What zdm let through although it has a hazard: the rules, and why it ran."""
        return set(as_dba("SELECT decision, rule FROM zdm_history, unnest(rules) rule", dbname="bundled"))

    def test_forward_and_back(self):
        """A refusal would be an error here. No old version is said to run, so going back may drop tables."""
        self.migrate_forward()
        self.migrate_back()
        self.assertEqual(query("SHOW zdm.mode"), [("enforce",)])
        self.assertIn(("run", "drop_table"), self.history())
        self.assertEqual([decision for decision, _ in self.history() if decision != "run"], [])

    def test_forward_and_back_within_a_window(self):
        """Whatever is born in a window is unknown to the old version: changing or dropping it is no hazard."""
        query("SELECT zdm_begin_window(%s)", WINDOW)
        self.migrate_forward()
        self.migrate_back()
        self.assertEqual(self.history(), set())
        query("SELECT zdm_end_window(%s)", WINDOW)
