from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0007_opinions'),
    ]

    operations = [
        migrations.AddField(
            model_name='opinion',
            name='helpful',
            field=models.IntegerField(default=0),
        ),
        migrations.AddIndex(
            model_name='opinion',
            index=models.Index(fields=['stars'], name='store_opinion_stars'),
        ),
    ]
