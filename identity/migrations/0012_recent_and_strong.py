"""How recent, and how strong, a sign-in at the provider has to be."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0011_unanswered_grants")]

    operations = [
        migrations.AddField("revision", "max_age_minutes", models.PositiveIntegerField(blank=True, null=True)),
        migrations.AddField("revision", "acr_values", models.CharField(blank=True, default="", max_length=500), preserve_default=False),
    ]
