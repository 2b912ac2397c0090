"""One spelling an address, so that two spellings are never two people."""

from email_validator import EmailNotValidError, validate_email


def normalise_email(value: str) -> str:
    """An address in the spelling under which it is stored, compared and sent to.

    The part before the @ must be ASCII (SES delivers to no other, and look-alikes such as the Kelvin sign would fold
    onto another's letters); it is put in lower case, as is the domain, which becomes its ASCII form (IDNA).

    :raises ValueError: it is no address; the message says what to mend.
    """
    try:
        # `test_environment` lets `.test` through, which is where demos and simulator addresses live.
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
