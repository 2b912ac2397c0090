"""Email, sent by AWS SES."""
