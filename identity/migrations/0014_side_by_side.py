from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('identity', '0013_terms_that_serve'),
    ]

    operations = [
        migrations.AddField(
            model_name='connection',
            name='leads',
            field=models.BooleanField(default=True, editable=False),
        ),
        migrations.RemoveConstraint(
            model_name='connection',
            name='connection_enabled_once_per_scope',
        ),
        migrations.AddConstraint(
            model_name='connection',
            constraint=models.UniqueConstraint(condition=models.Q(('enabled_at__isnull', False), ('leads', True)), fields=('enterprise', 'organization'), name='connection_leads_once_per_scope', nulls_distinct=False),
        ),
    ]
