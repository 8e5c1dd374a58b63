"""What the tests share: databases, the migration runner, and the assertions that say how zdm judges an operation."""

import functools
import unittest

import django
import psycopg
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

django.setup()

from shop.models import Customer, Order  # noqa: E402  (models need django.setup())

WINDOW = "v2"
CUSTOMERS, ORDERS = 40_000, 80_000  # several MB each, so that neither table is below zdm.small_table

# Names, types and definitions of all that belongs to the shop's tables.
SHOP_SCHEMA = """
    SELECT format('%s.%s %s notnull=%s default=%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                  a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     WHERE c.relname LIKE 'shop\\_%' AND c.relkind = 'r'
    UNION ALL
    SELECT format('%s on %s: %s validated=%s', conname, conrelid::regclass, pg_get_constraintdef(oid), convalidated)
      FROM pg_constraint WHERE conrelid::regclass::text LIKE 'shop\\_%'
    UNION ALL
    SELECT format('%s valid=%s', pg_get_indexdef(indexrelid), indisvalid)
      FROM pg_index WHERE indrelid::regclass::text LIKE 'shop\\_%'
    ORDER BY 1
"""


def query(sql, *args):
    """Rows of a query sent by the application's own role."""
    with connection.cursor() as cursor:
        cursor.execute(sql, args or None)
        return cursor.fetchall()


def as_dba(*statements, dbname="postgres"):
    """Run statements as superuser; the rows of the last one."""
    with psycopg.connect(dbname=dbname, autocommit=True) as dba:
        for statement in statements:
            result = dba.execute(statement)
        return result.fetchall() if result.description else []


def new_database(name, template="template1"):
    connection.close()
    as_dba(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name} OWNER shop TEMPLATE {template}")
    connection.settings_dict["NAME"] = name


def install_zdm(dbname):
    """What a DBA does once for a database: the role that deploys may open, end and abort windows."""
    as_dba(
        "CREATE EXTENSION zdm",
        "GRANT EXECUTE ON FUNCTION zdm_begin_window, zdm_end_window, zdm_abort_window TO shop",
        dbname=dbname,
    )


def decisions(decision, dbname="shop"):
    """The rules of the statements of which zdm decided so, in their order."""
    rows = as_dba(
        f"SELECT unnest(rules) FROM (SELECT * FROM zdm_history WHERE decision = '{decision}' ORDER BY id) AS h",
        dbname=dbname,
    )
    return [row[0] for row in rows]


@functools.cache
def make_shop_template(name, customers, orders):
    """A database that tests get copies of."""
    new_database(name)
    install_zdm(name)
    call_command("migrate", "shop", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(f"""
            INSERT INTO shop_customer (company_name, plan, company_address, credit)
            SELECT 'Company ' || n, 'free', CASE WHEN n % 2 = 0 THEN n || ' Long Street, Springfield' END, n
              FROM generate_series(1, {customers}) n""")
        cursor.execute(f"""
            INSERT INTO shop_order (customer_id, number, note)
            SELECT 1 + n % {customers}, n, 'leave it with the neighbours' FROM generate_series(1, {orders}) n""")
        cursor.execute("ANALYZE shop_customer, shop_order")


class ShopTestCase(unittest.TestCase):
    """Each test gets a shop of its own, with the old version's models, and migrates it."""

    template, customers, orders = "shop_template", CUSTOMERS, ORDERS

    def setUp(self):
        make_shop_template(self.template, self.customers, self.orders)
        self.open_shop()
        self.addCleanup(lambda: connection.close())

    def open_shop(self):
        new_database("shop", template=self.template)
        self.use_old_models()

    def use_old_models(self):
        self.models = MigrationLoader(None).project_state(("shop", "0001_initial"))

    def migrate(self, *operations, atomic=True):
        """Run operations as `manage.py migrate` runs a migration file that holds them."""
        migration = Migration("next", "shop")
        migration.operations = list(operations)
        try:
            with connection.schema_editor(atomic=atomic) as editor:
                self.models = migration.apply(self.models, editor)
        except DatabaseError:
            # manage.py ends here, and its connection with it
            connection.close()
            del connections[DEFAULT_DB_ALIAS]
            raise

    def begin_window(self):
        query("SELECT zdm_begin_window(%s)", WINDOW)

    def end_window(self):
        query("SELECT zdm_end_window(%s)", WINDOW)

    def shop_schema(self):
        return [row[0] for row in query(SHOP_SCHEMA)]

    def assert_refused(self, operation, rule, table, atomic=True):
        """zdm refuses the operation for this rule and table, says so, and nothing is left of the migration."""
        before = self.shop_schema()
        with self.assertRaises(DatabaseError) as raised:
            self.migrate(operation, atomic=atomic)
        error = raised.exception.__cause__
        self.assertEqual(error.sqlstate, "ZDM01", error)
        self.assertIn(f"Rule {rule}:", error.diag.message_detail)
        self.assertIn(table, f"{error.diag.message_primary}\n{error.diag.message_detail}")
        self.assertTrue(error.diag.message_hint, "a refusal says what to do instead")
        self.assertEqual(self.shop_schema(), before)
        self.assert_old_version_works()
        return error.diag

    def assert_runs(self, operation, atomic=True):
        """zdm lets the operation through and it changes the schema; the new version's models are returned."""
        before = self.shop_schema()
        self.migrate(operation, atomic=atomic)
        self.assertNotEqual(self.shop_schema(), before)
        return self.models.apps

    def assert_old_version_works(self):
        """All that the old version does to its tables: every column is read and written by name."""
        customer = Customer.objects.create(company_name="Acme", plan="pro", company_address=None, credit=5)
        order = Order.objects.create(customer=customer, number=-1, note=None)
        Customer.objects.filter(pk=customer.pk).update(plan="free", company_address="1 Short Street")
        Order.objects.filter(pk=order.pk).update(note="call first")
        self.assertEqual(Customer.objects.get(company_name="Acme").company_address, "1 Short Street")
        self.assertEqual(Order.objects.select_related("customer").get(number=-1).customer.plan, "free")
        customer.delete()  # its order goes with it
        self.assertEqual((Customer.objects.count(), Order.objects.count()), (self.customers, self.orders))

