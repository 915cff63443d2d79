"""The DKIM keys of a new identity: RSA-2048, which everybody verifies, and Ed25519 beside it."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from models.identity import DkimKey
from models.keyring import Keyring
from models.signing import DkimAlgorithm
from sender.dkim import make_key

SELECTORS: Mapping[DkimAlgorithm, str] = MappingProxyType(
    {DkimAlgorithm.RSA: "tocsin-rsa", DkimAlgorithm.ED25519: "tocsin-ed"}
)


async def make_keys(keyring: Keyring, now: datetime) -> list[DkimKey]:
    """One key of each kind, the private halves sealed; not yet of any identity."""
    keys = []
    for algorithm, selector in SELECTORS.items():
        made = await asyncio.to_thread(make_key, algorithm)
        keys.append(
            DkimKey(
                selector=selector,
                algorithm=algorithm,
                sealed_private_pem=keyring.encrypt(made.private_pem),
                public_base64=made.public_base64,
                created_at=now,
            )
        )
    return keys
