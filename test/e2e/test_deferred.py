"""Django's migration operations in a window that defers: each in an atomic migration, then the window ends or is given up."""

from django.contrib.postgres.operations import AddConstraintNotValid, RemoveIndexConcurrently, ValidateConstraint
from django.db import DatabaseError, connection, models
from django.db.migrations.operations import (
    AddConstraint,
    AddField,
    AddIndex,
    AlterField,
    AlterModelTable,
    AlterUniqueTogether,
    CreateModel,
    DeleteModel,
    RemoveConstraint,
    RemoveField,
    RemoveIndex,
    RenameField,
    RenameIndex,
    RenameModel,
    RunPython,
    RunSQL,
)
from django.db.models.functions import Lower, Random

from support import WINDOW, ShopTestCase, as_dba, query
from test_operations import BY_PLAN, CREDIT_CHECK, NUMBER_UNIQUE, payer


def execute(*statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def queued():
    """What the queue holds, carried out or not."""
    return as_dba("SELECT sql FROM zdm.step WHERE deferred ORDER BY id", dbname="shop")


class DeferringTestCase(ShopTestCase):
    template, customers, orders = "small_shop_template", 200, 400

    def open_shop(self):
        super().open_shop()
        as_dba("ALTER DATABASE shop SET zdm.small_table = 0")
        as_dba("UPDATE shop_customer SET company_address = '' WHERE company_address IS NULL", dbname="shop")

    def begin_window(self):
        query("SELECT zdm_begin_window(%s, 'defer')", WINDOW)

    def migrate_in_window(self, operations, new_version, atomic):
        self.begin_window()
        if atomic:
            self.migrate(*operations)
        for operation in [] if atomic else operations:
            self.migrate(operation, atomic=False)
        self.assertNotEqual(queued(), [])
        for _ in range(2):
            self.assert_old_version_works()
            new_version(self.models.apps)
            execute("CALL zdm_wait()")


class Deferred(DeferringTestCase):
    """Runs as it is; both versions work until the window ends; the end is Django's own, or the schema from before."""

    def assert_deferred(self, *operations, new_version=lambda apps: None, fill=(), discard=(), atomic=True):
        schema_before = self.shop_schema()
        self.migrate_in_window(operations, new_version, atomic)
        execute(*discard, f"SELECT zdm_abort_window('{WINDOW}')", "CALL zdm_wait()")
        self.assertEqual(self.shop_schema(), schema_before)
        self.assert_old_version_works()
        self.assert_all_is_done("aborted")

        as_dba("ALTER DATABASE shop SET zdm.mode = off")
        connection.close()
        self.use_old_models()
        self.migrate(*operations, atomic=atomic)
        plain = self.shop_schema()

        self.open_shop()
        self.migrate_in_window(operations, new_version, atomic)
        execute(*fill, f"SELECT zdm_end_window('{WINDOW}')", "CALL zdm_wait()")
        self.assertEqual(self.shop_schema(), plain)
        new_version(self.models.apps)
        self.assert_all_is_done("closed")

    def assert_all_is_done(self, state):
        self.assertEqual(query("SELECT state FROM zdm_windows"), [(state,)])
        left = "SELECT sql, last_error FROM zdm.step WHERE state NOT IN ('done', 'undone', 'cancelled')"
        self.assertEqual(as_dba(left, dbname="shop"), [])

    # What the old version reads and writes by name

    def test_remove_field(self):
        def new_version(apps):
            apps.get_model("shop", "Customer").objects.create(company_name="New").delete()

        self.assert_deferred(RemoveField("customer", "plan"), new_version=new_version)

    def test_remove_foreign_key(self):
        def new_version(apps):
            apps.get_model("shop", "Order").objects.create(number=-5).delete()

        self.assert_deferred(RemoveField("order", "customer"), new_version=new_version)

    def test_remove_index(self):
        self.assert_deferred(RemoveIndex("order", "shop_order_number"))

    def test_remove_index_concurrently(self):
        self.assert_deferred(RemoveIndexConcurrently("order", "shop_order_number"), atomic=False)

    def test_delete_model(self):
        self.assert_deferred(DeleteModel("Order"))

    def use_as_order(self, apps, name):
        order = apps.get_model("shop", name).objects
        made = order.create(customer_id=1, number=-7)
        order.bulk_create([order.model(customer_id=1, number=-8, note="both")])
        self.assertEqual(order.filter(number__lt=-6).update(note="x"), 2)
        self.assertEqual(order.select_related("customer").get(pk=made.pk).customer.plan, "free")
        self.assertEqual(order.filter(number__lt=-6).delete()[0], 2)

    def test_rename_model(self):
        self.assert_deferred(
            RenameModel("Order", "Purchase"), new_version=lambda apps: self.use_as_order(apps, "Purchase")
        )

    def test_rename_model_with_references(self):
        """Django makes the foreign keys anew, with names that the new table's gives them."""

        def new_version(apps):
            client = apps.get_model("shop", "Client").objects.create(company_name="New")
            apps.get_model("shop", "Order").objects.create(customer=client, number=-5).delete()
            client.delete()

        self.assert_deferred(RenameModel("Customer", "Client"), new_version=new_version)

    def test_rename_model_and_change_it(self):
        by_note = models.Index(fields=["note"], name="shop_purchase_note")
        self.assert_deferred(
            RenameModel("Order", "Purchase"),
            AddField("purchase", "weight", models.IntegerField(default=3)),
            AddIndex("purchase", by_note),
            AddField("purchase", "payer", payer()),
            RemoveIndex("purchase", "shop_order_number"),
            new_version=lambda apps: self.use_as_order(apps, "Purchase"),
        )

    def test_alter_model_table(self):
        self.assert_deferred(
            AlterModelTable("order", "shop_purchase"), new_version=lambda apps: self.use_as_order(apps, "Order")
        )

    # What rejects a write of the old version

    def test_add_field_with_default(self):
        """Django drops the default at once; the old version needs it till the end."""

        def new_version(apps):
            apps.get_model("shop", "Customer").objects.create(company_name="New", discount=0).delete()

        self.assert_deferred(AddField("customer", "discount", models.IntegerField(default=0)), new_version=new_version)

    def test_add_field_fill_it_require_it(self):
        """Rows that the old version writes meanwhile are filled before the end."""

        def fill(apps, schema_editor):
            apps.get_model("shop", "Customer").objects.update(vat_id="X")

        vat_id = models.CharField(max_length=20)
        self.assert_deferred(
            AddField("customer", "vat_id", models.CharField(max_length=20, null=True)),
            RunPython(fill),
            AlterField("customer", "vat_id", vat_id),
            fill=["UPDATE shop_customer SET vat_id = 'X' WHERE vat_id IS NULL"],
            discard=["UPDATE shop_customer SET vat_id = NULL"],
        )

    def test_alter_field_to_not_null(self):
        self.assert_deferred(
            AlterField("customer", "company_address", models.TextField()),
            fill=["UPDATE shop_customer SET company_address = '' WHERE company_address IS NULL"],
        )

    def test_alter_field_to_not_null_with_default(self):
        self.assert_deferred(
            AlterField("customer", "company_address", models.TextField(default=""), preserve_default=False)
        )

    def test_check_constraint(self):
        self.assert_deferred(AddConstraint("customer", CREDIT_CHECK))

    def test_check_constraint_not_valid(self):
        self.assert_deferred(
            AddConstraintNotValid("customer", CREDIT_CHECK),
            ValidateConstraint("customer", CREDIT_CHECK.name),
            atomic=False,
        )

    def test_unique_constraint(self):
        self.assert_deferred(AddConstraint("order", NUMBER_UNIQUE))

    def test_change_constraint(self):
        """Django drops the constraint and adds it anew under the same name."""
        stricter = models.UniqueConstraint(fields=["number", "customer"], name=NUMBER_UNIQUE.name)
        self.assert_deferred(
            AddConstraint("order", NUMBER_UNIQUE),
            RemoveConstraint("order", NUMBER_UNIQUE.name),
            AddConstraint("order", stricter),
        )

    def test_unique_together(self):
        self.assert_deferred(AlterUniqueTogether("order", {("customer", "number")}))

    def test_alter_field_to_unique(self):
        self.assert_deferred(AlterField("order", "number", models.IntegerField(unique=True)))

    def test_conditional_unique_constraint(self):
        no_note = models.UniqueConstraint(fields=["number"], condition=models.Q(note=None), name="shop_order_no_note")
        self.assert_deferred(AddConstraint("order", no_note))

    # What locks a large table for as long as it takes to read or rewrite it

    def test_add_index(self):
        self.assert_deferred(AddIndex("customer", BY_PLAN))

    def test_rename_index(self):
        """The new name is that of an index that does not exist yet."""
        self.assert_deferred(
            AddIndex("customer", BY_PLAN), RenameIndex("customer", "shop_customer_tier", old_name=BY_PLAN.name)
        )

    def test_add_foreign_key(self):
        self.assert_deferred(AddField("order", "payer", payer()))

    def test_add_unique_field(self):
        self.assert_deferred(AddField("customer", "vat_id", models.CharField(max_length=20, null=True, unique=True)))

    def test_add_field_with_volatile_default(self):
        self.assert_deferred(
            AddField("customer", "lot", models.FloatField(db_default=Random())),
            discard=["ALTER TABLE shop_customer DROP COLUMN lot"],
        )

    def test_add_model_with_relations(self):
        fields = [
            ("id", models.BigAutoField(primary_key=True)),
            ("payer", payer()),
            ("orders", models.ManyToManyField("shop.Order")),
        ]
        self.assert_deferred(CreateModel("Invoice", fields), AddIndex("customer", BY_PLAN))

    def test_run_sql(self):
        self.assert_deferred(RunSQL("CREATE INDEX shop_by_hand ON shop_customer (lower(plan))"))


class NotDeferred(DeferringTestCase):
    """What a window that defers does not help with, and what leaves nothing behind."""

    def open_shop(self):
        """Customers have favourites already when the window begins."""
        super().open_shop()
        self.migrate(AddField("customer", "favourites", models.ManyToManyField("shop.Order", related_name="+")))
        self.begin_window()

    def test_rename_field(self):
        self.assert_refused(RenameField("customer", "plan", "tier"), "rename_column", "shop_customer")

    def test_rename_model_with_many_to_many(self):
        """Django renames the columns of the table between the two models."""
        self.assert_refused(RenameModel("Customer", "Client"), "rename_column", "shop_customer_favourites")

    def test_widen_integer(self):
        self.assert_refused(AlterField("order", "number", models.BigIntegerField()), "alter_column_type", "shop_order")

    def test_add_generated_field(self):
        plan_lower = models.GeneratedField(
            expression=Lower("plan"), output_field=models.CharField(max_length=20), db_persist=True
        )
        self.assert_refused(
            AddField("customer", "plan_lower", plan_lower), "add_column_generated_stored", "shop_customer"
        )

    def test_failed_migration_leaves_nothing(self):
        """Neither in the schema nor in the queue."""

        def fail(apps, schema_editor):
            raise DatabaseError("no more")

        before = self.shop_schema()
        with self.assertRaises(DatabaseError):
            self.migrate(
                AddIndex("customer", BY_PLAN),
                AddField("customer", "discount", models.IntegerField(default=0)),
                RenameModel("Order", "Purchase"),
                RemoveField("customer", "plan"),
                RunPython(fail),
            )
        self.assertEqual(self.shop_schema(), before)
        self.assertEqual(queued(), [])
        self.assertEqual(as_dba("SELECT count(*) FROM zdm.statement WHERE decision <> 'run'", dbname="shop"), [(0,)])
        self.assert_old_version_works()

    def test_there_and_back(self):
        """What a migration has queued goes with what Django sends to undo it."""
        before = self.shop_schema()
        self.migrate(AddIndex("customer", BY_PLAN), AddField("customer", "discount", models.IntegerField(null=True)))
        self.migrate(RemoveField("customer", "discount"), RemoveIndex("customer", BY_PLAN.name))
        execute("CALL zdm_wait()", f"SELECT zdm_end_window('{WINDOW}')", "CALL zdm_wait()")
        self.assertEqual(self.shop_schema(), before)
