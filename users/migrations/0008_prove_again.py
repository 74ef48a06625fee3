"""When somebody last proved who they are."""

import django.utils.timezone
from django.db import migrations, models
from django.db.models.functions import Now


def count_from_the_sign_in(apps, schema_editor):
    """Sessions there are already were proved when they began."""
    apps.get_model("users", "Session").objects.update(proved_at=models.F("created_at"))


class Migration(migrations.Migration):
    dependencies = [("users", "0007_requiring_the_provider")]

    operations = [
        migrations.AddField(
            model_name="session",
            name="proved_at",
            field=models.DateTimeField(db_default=Now(), default=django.utils.timezone.now),
        ),
        migrations.RunPython(count_from_the_sign_in, migrations.RunPython.noop),
    ]
