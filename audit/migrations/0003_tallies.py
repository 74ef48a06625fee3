from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0002_references'),
    ]

    operations = [
        migrations.AddField(
            model_name='event',
            name='times',
            field=models.PositiveIntegerField(default=1, db_default=1),
        ),
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('since', models.DateTimeField()),
                ('written', models.PositiveIntegerField(default=0)),
                ('standing', models.JSONField(default=dict)),
            ],
        ),
    ]
