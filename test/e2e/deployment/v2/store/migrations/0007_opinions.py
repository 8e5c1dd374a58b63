import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0006_removals'),
    ]

    operations = [
        migrations.RenameModel(
            old_name='Review',
            new_name='Opinion',
        ),
        migrations.AlterField(
            model_name='opinion',
            name='product',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='opinions', to='store.product'),
        ),
    ]
