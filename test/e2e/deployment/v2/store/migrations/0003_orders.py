from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0002_discounts'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='priority',
            field=models.IntegerField(default=1),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name='order',
            name='note',
            field=models.TextField(default=''),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['state', '-placed_at'], name='store_order_recent'),
        ),
        migrations.RemoveIndex(
            model_name='order',
            name='store_order_state',
        ),
    ]
