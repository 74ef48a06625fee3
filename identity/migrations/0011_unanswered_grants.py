"""Since when a use of a refresh token has been without an answer."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0010_waiting_subjects")]

    operations = [migrations.AddField("grant", "asked_at", models.DateTimeField(blank=True, null=True))]
