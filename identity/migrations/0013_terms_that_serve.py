from django.db import migrations, models


def copy_terms(apps, schema_editor):
    Connection = apps.get_model("identity", "Connection")
    for connection in Connection.objects.exclude(serving=None).select_related("serving"):
        Connection.objects.filter(pk=connection.pk).update(serving_terms=connection.serving.terms)


class Migration(migrations.Migration):

    dependencies = [
        ('identity', '0012_recent_and_strong'),
    ]

    operations = [
        migrations.AddField(
            model_name='connection',
            name='serving_terms',
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.RunPython(copy_terms, migrations.RunPython.noop),
    ]
