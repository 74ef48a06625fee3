from django.db import migrations, models


def give_secrets_rows(apps, schema_editor):
    """Each secret becomes a row, once however many revisions have it; sealed as it is, for the same place."""
    Revision = apps.get_model("identity", "Revision")
    ClientSecret = apps.get_model("identity", "ClientSecret")
    Revision.objects.update(terms=models.F("number"))
    found = {}
    for revision in Revision.objects.exclude(secret_sealed="").order_by("number").select_related("connection"):
        connection = revision.connection
        secret = found.get((connection.pk, revision.secret_sealed))
        if secret is None:
            secret = found[connection.pk, revision.secret_sealed] = ClientSecret.objects.create(
                connection=connection,
                sealed=revision.secret_sealed,
                last_four=revision.secret_last_four,
                set_at=revision.secret_set_at or revision.created_at,
                set_by_id=revision.secret_set_by_id,
            )
        Revision.objects.filter(pk=revision.pk).update(secret=secret)
        if connection.serving_id == revision.pk and secret.serves_since is None:
            secret.serves_since = connection.enabled_at or connection.disabled_at
            secret.save(update_fields=["serves_since"])


class Migration(migrations.Migration):

    dependencies = [
        ('identity', '0007_client_secrets_and_keys'),
    ]

    operations = [
        migrations.RunPython(give_secrets_rows, migrations.RunPython.noop),
    ]
