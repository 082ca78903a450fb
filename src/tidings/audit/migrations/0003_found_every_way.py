"""Changes are found by what was changed, what kind of thing it is, what was done and who did it."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("audit", "0002_longer_keys")]
    operations: ClassVar = [
        migrations.RemoveIndex("change", "change_of"),
        migrations.AddIndex("change", models.Index(fields=["tenant", "key", "id"], name="change_of")),
        migrations.AddIndex("change", models.Index(fields=["tenant", "kind", "id"], name="change_kind")),
        migrations.AddIndex("change", models.Index(fields=["tenant", "action", "id"], name="change_action")),
        migrations.AddIndex("change", models.Index(fields=["tenant", "actor", "id"], name="change_by")),
    ]
