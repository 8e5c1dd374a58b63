import django.db.models.deletion
from django.db import migrations, models


def give_gold_customers_a_discount(apps, schema_editor):
    """Uses the column that this very migration adds."""
    Customer = apps.get_model('store', 'Customer')
    for customer in Customer.objects.filter(segment='gold').order_by('pk')[:10]:
        customer.discount = 10
        customer.save()
    Customer.objects.filter(segment='gold', discount=0).update(discount=10)


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='customer',
            name='discount',
            field=models.IntegerField(default=0),
        ),
        migrations.AddField(
            model_name='customer',
            name='language',
            field=models.CharField(db_default='en', max_length=5),
        ),
        migrations.AddField(
            model_name='customer',
            name='sponsor',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='sponsored', to='store.customer'),
        ),
        migrations.RunPython(give_gold_customers_a_discount, migrations.RunPython.noop),
        migrations.RunSQL(
            'CREATE INDEX store_customer_lower_email ON store_customer (lower(email))',
            'DROP INDEX store_customer_lower_email',
        ),
    ]
