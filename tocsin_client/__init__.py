"""The client for programs that call Tocsin: typed, patient, and the same whether it waits or is awaited.

What comes in: an address, a key, and calls. What goes out: what the service answered, each call done once
however often it had to be made. Knows nothing of the house: it needs httpx and nothing else. Only programs
outside may call; the shapes and the calls themselves are written from the description of the API.
"""

from tocsin_client.client import AsyncTocsin, Tocsin
from tocsin_client.conversation import Patience
from tocsin_client.errors import ApiProblemError, ClientError, NoAnswerError, NotGenuineError
from tocsin_client.webhooks import verify_webhook

__all__ = [
    "ApiProblemError",
    "AsyncTocsin",
    "ClientError",
    "NoAnswerError",
    "NotGenuineError",
    "Patience",
    "Tocsin",
    "verify_webhook",
]
