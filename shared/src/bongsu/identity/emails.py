"""Email addresses, in one spelling each, so that two spellings never become two accounts."""

from email_validator import EmailNotValidError, validate_email


def normalise_email(value: str) -> str:
    """Return an address in the spelling under which it is stored, compared and sent to.

    The part before the @ must be ASCII: SES delivers to no other, and look-alikes such as the Kelvin sign would fold
    onto other letters. It is put in lower case, as is the domain in its ASCII form (IDNA).

    :raises ValueError: the text is not an address; the message says what to change.
    """
    try:
        # `test_environment` allows `.test`, the domain of demos and simulator addresses.
        found = validate_email(
            value,
            allow_smtputf8=False,
            allow_empty_local=False,
            check_deliverability=False,
            test_environment=True,
            strict=True,  # the part before the @ has at most 64 characters
        )
    except EmailNotValidError as error:
        raise ValueError(f"is not an email address: {error}") from error
    address = f"{found.local_part}@{found.ascii_domain}".lower()
    if len(address) > 254:
        raise ValueError("is longer than an email address can be (254 characters)")
    return address
