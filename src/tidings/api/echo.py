"""PUT accepts what GET answers, so a body may repeat what the path says; it may not say otherwise."""

import unicodedata

from tidings.kernel.problems import invalid


def refuse_other(said: dict[str, str | None], path: dict[str, str]) -> None:
    """Raises 422 when the body (None: it says nothing) names another thing than the path."""
    problems = [
        {"field": name, "problem": f"is {text[:100]!r}, and the path says {path.get(name, 'nothing')!r}"}
        for name, text in said.items()
        if text is not None and unicodedata.normalize("NFC", text) != unicodedata.normalize("NFC", path.get(name, ""))
    ]
    if problems:
        raise invalid("The body and the path name different things; see errors.", problems)
