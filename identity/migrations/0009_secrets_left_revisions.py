from django.db import migrations


class Migration(migrations.Migration):
    """A copy that stayed behind would outlive the secret's retirement."""

    dependencies = [
        ('identity', '0008_give_secrets_rows'),
    ]

    operations = [
        migrations.RemoveField(model_name='revision', name='secret_last_four'),
        migrations.RemoveField(model_name='revision', name='secret_sealed'),
        migrations.RemoveField(model_name='revision', name='secret_set_at'),
        migrations.RemoveField(model_name='revision', name='secret_set_by'),
    ]
