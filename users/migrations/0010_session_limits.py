"""How often a provider is asked about sessions, and when it was asked about each."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("users", "0009_held_forms")]

    operations = [
        migrations.AddField("enterprise", "reprove_minutes", models.PositiveIntegerField(default=5)),
        migrations.AddField("enterprise", "reauthenticate_minutes", models.PositiveIntegerField(default=60)),
        migrations.AddField("session", "vouched_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("session", "vouch_due_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("session", "vouch_by", models.DateTimeField(blank=True, null=True)),
    ]
