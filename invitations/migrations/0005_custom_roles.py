"""Invitations to roles that the enterprise has made itself."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("invitations", "0004_moves_in_batches"),
        ("users", "0011_custom_roles"),
    ]

    operations = [
        migrations.AddField(
            model_name="invitation",
            name="custom_role",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="users.customrole",
            ),
        ),
        migrations.AlterField(
            model_name="invitation",
            name="role",
            field=models.CharField(
                blank=True,
                choices=[
                    ("enterprise_admin", "Enterprise Admin"),
                    ("organization_admin", "Organization Admin"),
                    ("manager", "Manager"),
                    ("viewer", "Viewer"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=models.Q(("role", ""), ("custom_role", None), _connector="OR"),
                name="invitation_to_one_role",
            ),
        ),
    ]
