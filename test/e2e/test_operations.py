"""Django's migration operations on tables with rows: what zdm refuses or carries out in steps, in a window and after it."""

from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.db import IntegrityError, models
from django.db.migrations.operations import (
    AddConstraint,
    AddField,
    AddIndex,
    AlterField,
    AlterModelTable,
    AlterUniqueTogether,
    CreateModel,
    DeleteModel,
    RemoveField,
    RemoveIndex,
    RenameField,
    RenameModel,
)
from django.db.models.functions import Lower, Random

from support import CUSTOMERS, ShopTestCase, as_dba, decisions, query
from shop.models import Customer

BY_PLAN = models.Index(fields=["plan"], name="shop_customer_plan")
NUMBER_UNIQUE = models.UniqueConstraint(fields=["number"], name="shop_order_number_unique")
CREDIT_CHECK = models.CheckConstraint(condition=models.Q(credit__gte=0), name="shop_customer_credit")


def payer(**options):
    """A second foreign key from orders to customers."""
    return models.ForeignKey("shop.Customer", models.CASCADE, null=True, related_name="+", **options)


class RefusedInWindow(ShopTestCase):
    """The old version is still running: nothing that it needs may go, and no table may be locked for long."""

    def setUp(self):
        super().setUp()
        self.begin_window()

    # What the old version reads and writes by name

    def test_remove_field(self):
        self.assert_refused(RemoveField("customer", "plan"), "drop_column", "shop_customer")

    def test_remove_foreign_key(self):
        self.assert_refused(RemoveField("order", "customer"), "drop_column", "shop_order")

    def test_rename_field(self):
        self.assert_refused(RenameField("customer", "plan", "tier"), "rename_column", "shop_customer")

    def test_rename_model(self):
        self.assert_refused(RenameModel("Customer", "Client"), "rename_table", "shop_customer")

    def test_alter_model_table(self):
        self.assert_refused(AlterModelTable("order", "shop_purchase"), "rename_table", "shop_order")

    def test_delete_model(self):
        self.assert_refused(DeleteModel("Order"), "drop_table", "shop_order")

    def test_remove_index_concurrently(self):
        """Without a long lock, but the old version's queries may need the index."""
        self.assert_refused(
            RemoveIndexConcurrently("order", "shop_order_number"), "drop_index_in_window", "shop_order", atomic=False
        )

    # What rejects a write of the old version

    def test_add_field_with_default(self):
        """Django adds the column NOT NULL DEFAULT 0, then drops the default that the old version's INSERT needs."""
        new_field = AddField("customer", "discount", models.IntegerField(default=0))
        self.assert_refused(new_field, "drop_default_on_required_column", "shop_customer")

    def test_alter_field_to_not_null(self):
        Customer.objects.filter(company_address=None).update(company_address="unknown")
        self.assert_refused(
            AlterField("customer", "company_address", models.TextField()), "set_not_null", "shop_customer"
        )

    def test_alter_field_to_not_null_with_default(self):
        """Django fills the NULLs first, in the same transaction: that is undone too."""
        self.assert_refused(
            AlterField("customer", "company_address", models.TextField(default="")), "set_not_null", "shop_customer"
        )
        self.assertEqual(Customer.objects.filter(company_address=None).count(), CUSTOMERS / 2)

    def test_new_field_to_not_null(self):
        """The old version does not read the new column, but its INSERT leaves it NULL."""
        self.assert_runs(AddField("customer", "vat_id", models.CharField(max_length=20, null=True)))
        self.assert_refused(
            AlterField("customer", "vat_id", models.CharField(max_length=20)),
            "constraint_rejects_old_writers",
            "shop_customer",
        )

    def test_check_constraint(self):
        self.assert_refused(AddConstraint("customer", CREDIT_CHECK), "add_check_constraint", "shop_customer")

    def test_check_constraint_not_valid(self):
        """No scan, but new rows are checked at once, those of the old version too."""
        self.assert_refused(
            AddConstraintNotValid("customer", CREDIT_CHECK), "constraint_rejects_old_writers", "shop_customer"
        )

    def test_unique_constraint(self):
        self.assert_refused(AddConstraint("order", NUMBER_UNIQUE), "add_unique_constraint", "shop_order")

    def test_unique_together(self):
        self.assert_refused(
            AlterUniqueTogether("order", {("customer", "number")}), "add_unique_constraint", "shop_order"
        )

    def test_alter_field_to_unique(self):
        self.assert_refused(
            AlterField("order", "number", models.IntegerField(unique=True)), "add_unique_constraint", "shop_order"
        )

    def test_conditional_unique_constraint(self):
        """PostgreSQL knows no such constraint: Django makes a unique index."""
        no_note = models.UniqueConstraint(fields=["number"], condition=models.Q(note=None), name="shop_order_no_note")
        self.assert_refused(AddConstraint("order", no_note), "create_index", "shop_order")

    # What locks a large table for as long as it takes to read or rewrite it

    def test_add_index(self):
        message = self.assert_refused(AddIndex("customer", BY_PLAN), "create_index", "shop_customer")
        self.assertIn("CREATE INDEX CONCURRENTLY", message.message_hint)

    def test_add_foreign_key(self):
        """The new column and its REFERENCES are brief; the index that Django adds to them is not."""
        self.assert_refused(AddField("order", "payer", payer()), "create_index", "shop_order")

    def test_add_unique_field(self):
        vat_id = models.CharField(max_length=20, null=True, unique=True)
        self.assert_refused(AddField("customer", "vat_id", vat_id), "add_unique_constraint", "shop_customer")

    def test_add_field_with_volatile_default(self):
        lot = models.FloatField(db_default=Random())
        self.assert_refused(AddField("customer", "lot", lot), "add_column_volatile_default", "shop_customer")

    def test_add_generated_field(self):
        plan_lower = models.GeneratedField(
            expression=Lower("plan"), output_field=models.CharField(max_length=20), db_persist=True
        )
        self.assert_refused(
            AddField("customer", "plan_lower", plan_lower), "add_column_generated_stored", "shop_customer"
        )

    def test_widen_integer(self):
        self.assert_refused(AlterField("order", "number", models.BigIntegerField()), "alter_column_type", "shop_order")

    def test_remove_index(self):
        message = self.assert_refused(RemoveIndex("order", "shop_order_number"), "drop_index", "shop_order")
        self.assertIn("DROP INDEX CONCURRENTLY", message.message_hint)


class RunsInWindow(ShopTestCase):
    """What makes the database ready for the new version, and harms neither the old one nor a large table."""

    def setUp(self):
        super().setUp()
        self.begin_window()

    def assert_runs(self, operation, atomic=True):
        new = super().assert_runs(operation, atomic)
        self.assert_old_version_works()
        return new

    def test_add_nullable_field(self):
        new = self.assert_runs(AddField("customer", "vat_id", models.CharField(max_length=20, null=True)))
        self.assertIsNone(new.get_model("shop", "Customer").objects.first().vat_id)

    def test_add_field_with_db_default(self):
        """The default stays in the database, so INSERTs that do not know the column go on."""
        new = self.assert_runs(AddField("customer", "discount", models.IntegerField(db_default=7)))
        self.assertEqual(new.get_model("shop", "Customer").objects.filter(discount=7).count(), CUSTOMERS)

    def test_new_field_may_change_and_go(self):
        """What was added in this window the old version does not know."""
        self.assert_runs(AddField("customer", "vat_id", models.CharField(max_length=20, null=True)))
        self.assert_runs(RenameField("customer", "vat_id", "tax_id"))
        self.assert_runs(RemoveField("customer", "tax_id"))

    def test_add_foreign_key_then_index_concurrently(self):
        new = self.assert_runs(AddField("order", "payer", payer(db_index=False)))
        self.assertIsNone(new.get_model("shop", "Order").objects.select_related("payer").first().payer)
        by_payer = models.Index(fields=["payer"], name="shop_order_payer")
        self.assert_runs(AddIndexConcurrently("order", by_payer), atomic=False)

    def test_add_index_concurrently(self):
        self.assert_runs(AddIndexConcurrently("customer", BY_PLAN), atomic=False)
        valid = query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'shop_customer_plan'::regclass")
        self.assertEqual(valid, [(True,)])

    def test_widen_text(self):
        self.assert_runs(AlterField("customer", "company_name", models.CharField(max_length=200)))

    def test_alter_field_to_nullable(self):
        self.assert_runs(AlterField("customer", "plan", models.CharField(max_length=20, null=True)))

    def test_create_model(self):
        """Its foreign key locks the large table for an instant only: the new table has no row to check."""
        fields = [
            ("id", models.BigAutoField(primary_key=True)),
            ("payer", payer()),
            ("total", models.IntegerField()),
        ]
        new = self.assert_runs(CreateModel("Invoice", fields))
        invoice = new.get_model("shop", "Invoice").objects
        invoice.create(total=5)
        self.assertEqual(invoice.get().total, 5)


class InSteps(ShopTestCase):
    """Outside a transaction (atomic = False) zdm carries out what it refuses inside, and it comes to the same."""

    def assert_same_in_steps(self, operation, rule):
        """The schema that zdm makes of the operation is the one that it has without zdm, by name and property."""
        schemas = []
        for mode in "off", "enforce":
            self.open_shop()
            as_dba(f"ALTER DATABASE shop SET zdm.mode = {mode}")
            Customer.objects.filter(company_address=None).update(company_address="unknown")
            self.assert_runs(operation, atomic=False)
            schemas.append(self.shop_schema())
        self.assertEqual(schemas[1], schemas[0])
        self.assertIn(rule, decisions("rewrite"))
        self.assertEqual(as_dba("SELECT count(*) FROM zdm.step WHERE state <> 'done'", dbname="shop"), [(0,)])

    def test_add_index(self):
        self.assert_same_in_steps(AddIndex("customer", BY_PLAN), "create_index")

    def test_unique_constraint(self):
        self.assert_same_in_steps(AddConstraint("order", NUMBER_UNIQUE), "add_unique_constraint")

    def test_check_constraint(self):
        self.assert_same_in_steps(AddConstraint("customer", CREDIT_CHECK), "add_check_constraint")

    def test_not_null(self):
        self.assert_same_in_steps(AlterField("customer", "company_address", models.TextField()), "set_not_null")

    def test_add_field_with_volatile_default(self):
        lot = models.FloatField(db_default=Random())
        self.assert_same_in_steps(AddField("customer", "lot", lot), "add_column_volatile_default")

    def test_add_foreign_key(self):
        """The column and its REFERENCES are brief; the index that Django adds to them is built in steps."""
        self.assert_same_in_steps(AddField("order", "payer", payer()), "create_index")

    def test_remove_index(self):
        self.assert_same_in_steps(RemoveIndex("order", "shop_order_number"), "drop_index")

    def test_add_index_in_window(self):
        """New indexes harm no old client."""
        self.begin_window()
        self.assert_runs(AddIndex("customer", BY_PLAN), atomic=False)
        self.assertEqual(decisions("rewrite"), ["create_index"])
        self.assert_old_version_works()

    def test_failed_constraint_leaves_nothing(self):
        """Duplicates: Django gets PostgreSQL's own error, and may send the migration again."""
        before = self.shop_schema()
        by_plan = models.UniqueConstraint(fields=["plan"], name="shop_customer_plan_unique")
        with self.assertRaises(IntegrityError) as raised:
            self.migrate(AddConstraint("customer", by_plan), atomic=False)
        self.assertEqual(raised.exception.__cause__.sqlstate, "23505")
        self.assertEqual(self.shop_schema(), before)


class AfterWindow(ShopTestCase):
    """The old version is gone: what only it needed may go. A long lock is as bad as before, in a transaction."""

    def setUp(self):
        super().setUp()
        self.begin_window()
        self.end_window()

    def test_remove_field(self):
        new = self.assert_runs(RemoveField("customer", "plan"))
        self.assertEqual(new.get_model("shop", "Customer").objects.filter(credit=3).get().company_name, "Company 3")

    def test_rename_field(self):
        new = self.assert_runs(RenameField("customer", "plan", "tier"))
        self.assertEqual(new.get_model("shop", "Customer").objects.filter(tier="free").count(), CUSTOMERS)

    def test_rename_model(self):
        new = self.assert_runs(RenameModel("Order", "Purchase"))
        self.assertEqual(new.get_model("shop", "Purchase").objects.filter(customer__credit=3).count(), 2)

    def test_delete_model(self):
        self.assert_runs(DeleteModel("Order"))
        self.assertEqual(Customer.objects.count(), CUSTOMERS)

    def test_add_field_with_default(self):
        new = self.assert_runs(AddField("customer", "discount", models.IntegerField(default=0)))
        self.assertEqual(new.get_model("shop", "Customer").objects.filter(discount=0).count(), CUSTOMERS)

    def test_check_constraint_without_a_long_lock(self):
        self.assert_runs(AddConstraintNotValid("customer", CREDIT_CHECK))
        self.assert_runs(ValidateConstraint("customer", CREDIT_CHECK.name))

    def test_remove_index_concurrently(self):
        self.assert_runs(RemoveIndexConcurrently("order", "shop_order_number"), atomic=False)

    def test_rename_model_with_references_is_still_refused(self):
        """Django renames the foreign keys too, and does so by making them anew, which reads the large table."""
        self.assert_refused(RenameModel("Customer", "Client"), "add_foreign_key", "shop_order")

    def test_add_index_is_still_refused(self):
        self.assert_refused(AddIndex("customer", BY_PLAN), "create_index", "shop_customer")

    def test_unique_constraint_is_still_refused(self):
        self.assert_refused(AddConstraint("order", NUMBER_UNIQUE), "add_unique_constraint", "shop_order")

    def test_check_constraint_is_still_refused(self):
        self.assert_refused(AddConstraint("customer", CREDIT_CHECK), "add_check_constraint", "shop_customer")

    def test_not_null_is_still_refused(self):
        Customer.objects.filter(company_address=None).update(company_address="unknown")
        self.assert_refused(
            AlterField("customer", "company_address", models.TextField()), "set_not_null", "shop_customer"
        )
