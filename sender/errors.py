"""Why an e-mail cannot be written; apart from what can happen on its way (`sender.transport`)."""

from models.errors import BadInputError, SenderError


class SigningKeyError(SenderError, ValueError):
    """A DKIM key cannot be used to sign: make a new one."""


class MessageError(BadInputError):
    """This one message cannot be written as an e-mail: correct its content or its address."""
