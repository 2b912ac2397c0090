"""The dashboard's errors."""

from collections.abc import Mapping, Sequence

from bongsu.runtime.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    ServiceError,
    TooMany,
    Unauthorised,
    Unavailable,
)
from bongsu_dashboard.forms.problems import FieldProblem
from bongsu_dashboard.forms.refusals import FormError


class SignInRequired(Unauthorised):
    """No valid session. The HTTP edge redirects the browser to renew it or to sign in."""

    code = "sign_in_required"
    detail = "Sign in to see this page"


class RoleRequired(Forbidden):
    """The page is for a higher role."""

    code = "role_required"

    def __init__(self, role: str) -> None:
        super().__init__(f"You need the role {role}")


class CrossSiteRequest(Forbidden):
    code = "cross_site_request"
    detail = "Forms of other sites are refused"


class StaleForm(Forbidden):
    """A form of this site whose token is missing, or belongs to another browser or to an earlier session."""

    code = "stale_form"
    detail = "Reload the page and send the form again"


class ServiceDown(Unavailable):
    """Another service does not answer, or answers outside its contract."""

    code = "service_down"

    def __init__(self, service: str) -> None:
        super().__init__(f"{service} does not answer; try again", retry_after_s=5)
        self.service = service


class LoginRefused(FormError, Unauthorised):
    code = "login_refused"
    detail = "The email or the password is wrong"


class WrongCode(FormError, Forbidden):
    code = "wrong_code"
    field = "code"
    detail = "The code is wrong or was already used"


class CodeTooLate(Unauthorised):
    """The sign-in that waited for the second factor has ended."""

    code = "code_too_late"
    detail = "The sign-in took too long"


class TooManyLogins(FormError, TooMany):
    code = "too_many_logins"

    def __init__(self, error: TooMany) -> None:
        super().__init__("Too many attempts", retry_after_s=error.retry_after_s or 60)


class _AsksPassword(FormError):
    field = "password"

    def problems_for(self, values: Mapping[str, Sequence[str]]) -> tuple[FieldProblem, ...]:
        """Report the password as missing only to a form that had the field."""
        return (FieldProblem(self.field, "missing"),) if self.field in values else ()


class VerificationPasswordRequired(_AsksPassword, Invalid):
    """Another browser than the one that signed up: the user chooses a password."""

    code = "verification_password_required"
    detail = "Choose a password"


class VerificationRefused(FormError):
    """A used or unknown link. Answered with 400."""

    code = "verification_refused"
    detail = "The link does not work"


class WrongPassword(FormError, Forbidden):
    code = "wrong_password"
    field = "password"
    detail = "The password is wrong"

    def __init__(self, field: str = "password") -> None:
        super().__init__()
        self.field = field


class ConfirmationRequired(Forbidden):
    """The last authentication is too old. The HTTP edge redirects the browser to the page that confirms the user."""

    code = "reauthentication_required"
    detail = "Confirm that it is you"


class LinkUseless(FormError, Invalid):
    """The link of a mail is unknown, used or expired."""

    code = "link_useless"
    detail = "The link is no longer valid"


class AccountNotTyped(FormError, Invalid):
    code = "account_not_typed"
    field = "typed"
    detail = "Type the address of the account as shown"


class OnlyAdministrator(FormError, Conflict):
    code = "only_administrator"
    detail = "You are the only administrator"


class OnTrial(FormError, Forbidden):
    """The account is on trial, and the address belongs to another user."""

    code = "on_trial"
    field = "email"
    detail = "This account is on trial: it sends to its own address only"


class RecipientRefused(FormError, Forbidden):
    """The user may not send to this recipient by Discord."""

    code = "recipient_refused"
    field = "to"
    detail = "This account cannot send there by Discord"


class ChannelNotWritable(FormError, Conflict):
    """The server has no such channel, the bot may not write in it, or the user may not have it do so."""

    code = "channel_not_writable"
    field = "channel"
    detail = "The bot cannot send messages to this channel for you"


class ModuleOutdated(FormError, Conflict):
    code = "module_outdated"
    detail = "The module was changed meanwhile"


class TopicOwnerUnknown(FormError, Invalid):
    code = "topic_owner_unknown"
    field = "owner"
    detail = "No account has this ID"


class TooManySubscriptions(FormError, Conflict):
    code = "too_many_subscriptions"
    detail = "The server or the topic has as many subscriptions as it may have"


class AccessOutdated(FormError, Conflict):
    is_outdated = True
    code = "access_outdated"
    detail = "The access was changed meanwhile"


class CommandsOutdated(FormError, Conflict):
    is_outdated = True
    code = "commands_outdated"
    detail = "The commands were changed meanwhile"


class RoleUnknown(FormError, Conflict):
    code = "role_unknown"
    field = "role"
    detail = "The server has no such role"


class SentBefore(FormError, Conflict):
    uses_up_attempt = True
    code = "sent_before"
    detail = "This form was sent already with other fields"


class GuildNotFound(NotFound):
    code = "guild_not_found"
    detail = "Server not found among those that you manage"


class DiscordNotLinked(ServiceError):
    """The account has no Discord identity, or Discord revoked its grant (`again`)."""

    code = "discord_not_linked"
    title = "Discord is not linked"

    def __init__(self, *, again: bool = False) -> None:
        super().__init__("Link your Discord account to see your servers")
        self.again = again


class BotSilent(FormError, Unavailable):
    code = "bot_silent"
    detail = "The bot does not answer; try again"
    retry_after_s = 5


class BotCutOff(Unavailable):
    code = "bot_cut_off"
    detail = "The bot is not connected to Discord; try again when it is"
    retry_after_s = 5


class GuildBlocked(Forbidden):
    """Administrators of the project have blocked the guild: the bot would leave it again."""

    code = "guild_blocked"
    detail = "The operator of this service has blocked this server"


class BotNotRemoved(BotSilent):
    """The bot did not answer a removal, and has not left the guild."""

    code = "bot_not_removed"


class RemovalUnknown(Unavailable):
    """The bot did not answer in time: whether it left the guild is unknown."""

    code = "removal_unknown"
    detail = "The outcome of the removal is unknown"
    retry_after_s = 5


class RemovalOutdated(FormError, Conflict):
    """The form removed the bot before, and the bot has been added again since."""

    uses_up_attempt = True
    code = "removal_outdated"
    detail = "The bot was added again after this form was loaded"


class NameNotTyped(FormError, Invalid):
    code = "name_not_typed"
    field = "name"
    detail = "Type the server's name as shown"


class KeyLimit(FormError, Conflict):
    """The user has as many active API keys as the limit allows."""

    code = "key_limit"
    detail = "Stop or delete a key first"


class RotatedBefore(Conflict):
    """The key was rotated after the form was loaded, perhaps by the same form."""

    code = "rotated_before"
    detail = "The key was rotated after this form was loaded"


class AddressNotAllowed(FormError, Conflict):
    """The allow-list is full, or has the block already."""

    code = "allowlist_limit"
    field = "cidr"

    def __init__(self, error: Conflict) -> None:
        super().__init__(error.detail, code=error.code)
