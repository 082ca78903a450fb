from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.db import migrations

from tidings.accounts.words import words_of_person


class Migration(migrations.Migration):
    dependencies: ClassVar = [("accounts", "0005_console")]
    operations: ClassVar = [
        migrations.AddIndex("person", GinIndex(words_of_person(), name="person_words", fastupdate=False)),
    ]
