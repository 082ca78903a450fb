"""A verification code as a mail. The Subject does not hold it: servers write subjects into their logs."""

from tidings.channels.contract import Code
from tidings.channels.email.addresses import Sender
from tidings.channels.email.mime import Letter, fill_page, fill_todo, write_letter
from tidings.messages.wording import wording


def code_letter(code: Code, sender: Sender) -> Letter:
    """Short, with no link in it, and in no thread: each code stands alone."""
    words = wording(code.language)
    subject, why = words.label("code_subject"), words.label("code_why")
    text = words.code_text(code.digits, code.minutes)
    return write_letter(
        code.identity,
        sender,
        str(code.contact["address"]),
        code.now,
        subject=subject,
        text=f"{text}\n\n{why}\n",
        page=fill_page(words.language, "info", headline=subject, todo=fill_todo(text), why=why),
    )
