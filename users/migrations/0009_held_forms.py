"""Forms that were sent too early, sealed, until their sender has proved who they are."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import audit.ids


class Migration(migrations.Migration):
    dependencies = [("users", "0008_prove_again")]

    operations = [
        migrations.CreateModel(
            name="HeldForm",
            fields=[
                ("id", models.CharField(default=audit.ids.new_id, editable=False, max_length=12, primary_key=True, serialize=False)),
                ("path", models.CharField(max_length=1000)),
                ("page", models.CharField(max_length=1000)),
                ("sealed", models.TextField(blank=True, editable=False)),
                ("held_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
                ("enterprise", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="held_forms", to="users.enterprise")),
                ("session", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="held_forms", to="users.session")),
                ("user", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="held_forms", to=settings.AUTH_USER_MODEL)),
            ],
        ),
    ]
