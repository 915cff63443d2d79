"""The verdict on an identity at a provider: the gravest of what was found, with all the rest beside it. Pure.

Each judge looks at one kind of evidence and says what it found, or nothing; the verdict is the gravest of
it. So no judge can make good what another found bad, more bad news never betters a verdict, and what
nobody looked at stays grey: only seeds that were read make it green.
"""

from deliverability.assessment.facts import ProviderFacts
from deliverability.assessment.values import Assessment


def assess_provider(facts: ProviderFacts) -> Assessment:
    """The verdict; for whatever facts, and never an exception."""
    raise NotImplementedError
