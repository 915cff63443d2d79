"""What this machine can do at this moment: RSA-2048 signatures a second on one core.

Nothing that signs every message can be faster, so speeds are told as shares of it: they hold on another
machine and at another hour, where messages a second do not.
"""

import time
from concurrent.futures import ThreadPoolExecutor

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

BLOCK = 50


class RsaYardstick:
    """Signs as the product does (`cryptography`, PKCS#1 v1.5, SHA-256), in one thread and nothing else."""

    def __init__(self) -> None:
        """One key for all measurements."""
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def rate(self, seconds: float = 0.7) -> float:
        """Signatures a second over that long, after a short warm-up."""
        scheme, digest = padding.PKCS1v15(), hashes.SHA256()
        for _ in range(BLOCK):
            self._key.sign(b"warm", scheme, digest)
        count, begun = 0, time.perf_counter()
        while (gone := time.perf_counter() - begun) < seconds:
            for _ in range(BLOCK):
                self._key.sign(b"a header of some length", scheme, digest)
            count += BLOCK
        return count / gone

    def rate_on(self, cores: int, seconds: float = 0.7) -> float:
        """Signatures a second on so many cores at once, which is seldom so many times those of one.

        Cores share what feeds and cools them, and what a system calls two may be the halves of one.
        """
        with ThreadPoolExecutor(cores) as pool:
            return sum(pool.map(lambda _: self.rate(seconds), range(cores)))
