"""A batch keeps where people could go when it was begun."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("invitations", "0006_forget_switches")]

    operations = [
        migrations.AddField(model_name="batch", name="shown", field=models.JSONField(default=list)),
    ]
