from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0004_invoices'),
    ]

    operations = [
        migrations.AlterField(
            model_name='customer',
            name='phone',
            field=models.CharField(default='', max_length=20),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name='customer',
            constraint=models.CheckConstraint(condition=models.Q(('credit__gte', 0)), name='store_customer_credit'),
        ),
        migrations.AddConstraint(
            model_name='product',
            constraint=models.UniqueConstraint(fields=('sku',), name='store_product_sku'),
        ),
        migrations.AlterUniqueTogether(
            name='orderline',
            unique_together={('order', 'product')},
        ),
    ]
