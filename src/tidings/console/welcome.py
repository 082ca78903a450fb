"""The page behind an invitation: choose a password, or join with the sign-in one has."""

from allauth.account.internal.flows.login import perform_login
from allauth.account.models import Login
from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import translation
from django.utils.translation import gettext, gettext_lazy, gettext_noop
from django.views.decorators.debug import sensitive_post_parameters

from tidings.accounts.invite import accept, invited
from tidings.accounts.models import Account, Person, Tenant
from tidings.console.page import show
from tidings.kernel.problems import Problem

OWN_SIGN_IN = "join"
NAMES_AN_HOUR = 10
TAKEN = gettext_noop("Somebody signs in by this name already; choose another.")


class NewSignIn(forms.Form):
    login = forms.CharField(max_length=100, label=gettext_lazy("Sign in as"))
    email = forms.EmailField(
        required=False,
        label=gettext_lazy("E-mail"),
        help_text=gettext_lazy("Where a link is sent when you forget the password."),
    )
    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        label=gettext_lazy("Password"),
        help_text=gettext_lazy("At least 10 characters; a few words that do not belong together are best."),
    )

    def __init__(self, *arguments: object, account: Account | None, **more: object) -> None:
        super().__init__(*arguments, **more)  # type: ignore[arg-type]
        self.account, self.taken = account or Account(), False
        self.fields["login"].disabled = account is not None
        self.fields["login"].widget.attrs["autocomplete"] = "username"

    def clean_login(self) -> str:
        login = str(self.cleaned_data["login"])
        if Account.objects.filter(login__iexact=login).exclude(id=self.account.id).exists():
            self.taken = True
            raise forms.ValidationError(gettext(TAKEN))
        return login

    def clean(self) -> None:
        account = Account(login=self.cleaned_data.get("login", ""), email=self.cleaned_data.get("email", ""))
        if password := self.cleaned_data.get("password"):
            try:
                validate_password(password, account)
            except forms.ValidationError as error:
                self.add_error("password", error)

    def kept(self) -> Account:
        account = self.account
        account.login, account.email = self.cleaned_data["login"], self.cleaned_data["email"]
        account.set_password(self.cleaned_data["password"])
        account.save()
        return account


@sensitive_post_parameters("password")
def welcome(request: HttpRequest, key: str) -> HttpResponse:
    person = invited(key)
    if person is None:
        return show(request, "console/welcome_ended.html", status=404)
    translation.activate(person.language)
    if request.method == "POST" and OWN_SIGN_IN in request.POST and isinstance(request.user, Account):
        accept(key, request.user)
        return redirect("home")
    started = {"login": person.account.login if person.account else person.login, "email": person.email}
    form = NewSignIn(request.POST or None, initial=started, account=person.account)
    if request.method == "POST":
        _refuse_guesses(person)
        if not form.is_valid() and form.taken:
            _count_guess(person)
    if request.method == "POST" and form.is_valid():
        try:
            return _signed_in(request, key, form, person.tenant)
        except IntegrityError:  # somebody took the name in this very moment
            form.add_error("login", gettext(TAKEN))
    return show(request, "console/welcome.html", {"form": form, "invited": person, "account": _own(request, person)})


def _refuse_guesses(person: Person) -> None:
    """Who is invited may see that a name is taken, and not try a list of them. Raises 429."""
    if cache.get(_guesses_of(person), 0) >= NAMES_AN_HOUR:
        text = gettext("Too many names that are taken were tried. Try again in an hour.")
        raise Problem(429, "too_many_names", text, headers={"Retry-After": "3600"})


def _count_guess(person: Person) -> None:
    key = _guesses_of(person)
    if not cache.add(key, 1, 3600):
        cache.incr(key)


def _guesses_of(person: Person) -> str:
    return f"names-tried:{person.id}"


def _own(request: HttpRequest, person: Person) -> Account | None:
    """The sign-in one has already, where it may be joined."""
    return request.user if isinstance(request.user, Account) and person.account is None else None


@transaction.atomic
def _signed_in(request: HttpRequest, key: str, form: NewSignIn, invited_by: Tenant) -> HttpResponse:
    # In this order: a new password ends the key.
    if form.account._state.adding:
        form.account.login, form.account.home = form.cleaned_data["login"], invited_by
    form.account.save()
    accept(key, form.account)
    answer: HttpResponse = perform_login(request, Login(user=form.kept(), redirect_url=reverse("home")))
    return answer


urlpatterns = [path("welcome/<str:key>", welcome, name="welcome")]
