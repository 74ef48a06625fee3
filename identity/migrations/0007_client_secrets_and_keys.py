import audit.ids
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('identity', '0006_email_rule'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ClientKey',
            fields=[
                ('sealed', models.TextField(blank=True, editable=False)),
                ('used_at', models.DateTimeField(editable=False, null=True)),
                ('refused_at', models.DateTimeField(editable=False, null=True)),
                ('id', models.CharField(default=audit.ids.new_id, editable=False, max_length=12, primary_key=True, serialize=False)),
                ('kid', models.CharField(editable=False, max_length=43)),
                ('algorithm', models.CharField(editable=False, max_length=8)),
                ('public', models.JSONField(editable=False)),
                ('published_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('signs_since', models.DateTimeField(editable=False, null=True)),
                ('superseded_at', models.DateTimeField(editable=False, null=True)),
                ('withdrawn_at', models.DateTimeField(editable=False, null=True)),
                ('connection', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='keys', to='identity.connection')),
                ('published_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-published_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='ClientSecret',
            fields=[
                ('sealed', models.TextField(blank=True, editable=False)),
                ('used_at', models.DateTimeField(editable=False, null=True)),
                ('refused_at', models.DateTimeField(editable=False, null=True)),
                ('id', models.CharField(default=audit.ids.new_id, editable=False, max_length=12, primary_key=True, serialize=False)),
                ('last_four', models.CharField(blank=True, editable=False, max_length=4)),
                ('set_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('serves_since', models.DateTimeField(editable=False, null=True)),
                ('expires_on', models.DateField(blank=True, null=True)),
                ('reminded', models.PositiveSmallIntegerField(editable=False, null=True)),
                ('retired_at', models.DateTimeField(editable=False, null=True)),
                ('connection', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='secrets', to='identity.connection')),
                ('set_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-set_at', '-id'],
            },
        ),
        migrations.AddField(
            model_name='connection',
            name='are_keys_pasted',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='connection',
            name='signing_key',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='identity.clientkey'),
        ),
        migrations.AddField(
            model_name='revision',
            name='secret',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='revisions', to='identity.clientsecret'),
        ),
        migrations.AddField(
            model_name='revision',
            name='terms',
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AlterField(
            model_name='revision',
            name='client_authentication',
            field=models.CharField(choices=[('client_secret_basic', 'Client secret, in the header'), ('client_secret_post', 'Client secret, in the body'), ('private_key_jwt', 'Public key')], default='client_secret_basic', max_length=24),
        ),
        migrations.AddConstraint(
            model_name='clientkey',
            constraint=models.UniqueConstraint(fields=('connection', 'kid'), name='key_published_once'),
        ),
    ]
