"""Roles that an enterprise makes itself; what is given is a built-in role or one of those."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import audit.ids


class Migration(migrations.Migration):
    dependencies = [("users", "0010_session_limits")]

    operations = [
        migrations.CreateModel(
            name="CustomRole",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=audit.ids.new_id, editable=False, max_length=12, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=60, verbose_name="name")),
                ("description", models.CharField(blank=True, max_length=300, verbose_name="description")),
                (
                    "permissions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=32), default=list, size=None
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("edited_at", models.DateTimeField(null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "edited_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "enterprise",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="custom_roles",
                        to="users.enterprise",
                    ),
                ),
            ],
            options={
                "ordering": ["name", "id"],
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("name"),
                        models.F("enterprise"),
                        name="custom_role_name_once_per_enterprise",
                        violation_error_message="There is a role with this name already.",
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="roleassignment",
            name="custom_role",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="role_assignments",
                to="users.customrole",
            ),
        ),
        migrations.AlterField(
            model_name="roleassignment",
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
                verbose_name="role",
            ),
        ),
        migrations.RemoveConstraint(model_name="roleassignment", name="role_once_per_place"),
        migrations.AddConstraint(
            model_name="roleassignment",
            constraint=models.UniqueConstraint(
                fields=("user", "role", "custom_role", "organization"),
                name="role_once_per_place",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="roleassignment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("custom_role__isnull", False), ("role", "")),
                    models.Q(models.Q(("role", ""), _negated=True), ("custom_role", None)),
                    _connector="OR",
                ),
                name="built_in_or_custom_role",
            ),
        ),
    ]
