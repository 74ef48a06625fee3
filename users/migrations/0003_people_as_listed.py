"""A column to sort and search people by, computed by the database, and the indexes for both."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations, models
from django.db.models.functions import Concat, Lower, Trim


class Migration(migrations.Migration):
    dependencies = [("users", "0002_emails_without_a_user")]

    operations = [
        TrigramExtension(),
        migrations.RemoveIndex(model_name="user", name="user_by_name"),
        migrations.AddField(
            model_name="user",
            name="listed_as",
            field=models.GeneratedField(
                db_persist=True,
                expression=Lower(Trim(Concat("name", models.Value(" "), "email_folded"))),
                output_field=models.TextField(),
            ),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(fields=["enterprise", "listed_as", "id"], name="user_as_listed"),
        ),
        migrations.AddIndex(
            model_name="user",
            index=GinIndex(OpClass("listed_as", name="gin_trgm_ops"), name="user_search"),
        ),
    ]
