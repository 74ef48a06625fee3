"""A switch that is done goes with the invitation it led to."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("invitations", "0005_custom_roles")]

    operations = [
        migrations.AlterField(
            model_name="switch",
            name="invitation",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="switch",
                to="invitations.invitation",
            ),
        ),
    ]
