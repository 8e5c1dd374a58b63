from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0005_rules'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='customer',
            name='legacy_code',
        ),
        migrations.RemoveField(
            model_name='coupon',
            name='customer',
        ),
        migrations.DeleteModel(
            name='Coupon',
        ),
    ]
