"""What somebody who types finds people by: how a login, an e-mail address or any word of a name begins."""

from uuid import UUID

from django.db.models import BooleanField, F, Func, TextField, Value
from django.db.models.functions import Cast, Lower

WORDS_AT_MOST = 8


class Words(Func):
    """A person's words as lexemes, in lower case and otherwise as they are written. The tenant is one of them, so that
    one look into the index answers for one tenant.

    Not `to_tsvector`, which takes logins and addresses apart in ways of its own. Not pg_trgm: the embedded PostgreSQL
    has no extensions, and trigrams find nothing for one or two letters, of which many a Chinese name has no more.
    """

    template = r"array_to_tsvector(array_remove(regexp_split_to_array(lower(%(expressions)s), '\s+'), ''))"
    arg_joiner = " || ' ' || "
    output_field = TextField()


class Matches(Func):
    template = "((%(expressions)s)::tsquery)"
    arg_joiner = ") @@ ("
    output_field = BooleanField()


def words_of_person() -> Words:
    return Words(Cast(F("tenant"), TextField()), F("login"), F("name"), F("email"))


def found_by(tenant_id: UUID, typed: str) -> Matches:
    """Who has, for each word typed, one that begins so. Index: person_words."""
    words = [f"{_quoted(word)}:*" for word in typed.split()[:WORDS_AT_MOST]]
    return Matches(words_of_person(), Lower(Value(" & ".join([_quoted(str(tenant_id)), *words]))))


def _quoted(word: str) -> str:
    """As PostgreSQL reads one lexeme of a `tsquery`, whatever stands in it."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
