"""Facts of every kind, for tests that hold whatever is known."""

from datetime import date, timedelta

from hypothesis import strategies as st

from deliverability.assessment.facts import (
    ClickChange,
    ClickReason,
    Clicks,
    Declared,
    OpenIncident,
    PassRate,
    ProviderFacts,
    Said,
    SeedCounts,
)
from deliverability.report_values import COLUMNS, Counts
from models.declared import DeclaredSource
from models.health import HealthLevel
from models.incident import IncidentDeed, IncidentKind, IncidentLevel
from models.states import BounceClass, EventKind

DAY = date(2026, 11, 20)
few = st.integers(0, 12)
shares = st.floats(0, 1)
some_counts = st.fixed_dictionaries(
    {name: st.sampled_from([0, 0, 1, 3, 40, 1000, 25_000]) for name in COLUMNS}
).map(lambda columns: Counts(**columns))
seeds = st.builds(SeedCounts, few, few, few, few, few, few)
changes = st.builds(
    ClickChange,
    st.just(ClickReason.ASSESSED),
    st.builds(Clicks, few, st.integers(300, 9000)),
    ratio=shares,
    others_ratio=shares,
    difference=st.floats(-5, 5),
    p=shares,
    collapsed=st.booleans(),
    campaigns=few,
) | st.builds(ClickChange, st.sampled_from(ClickReason), st.builds(Clicks, few, few)).filter(
    lambda change: change.reason is not ClickReason.ASSESSED
)
declared = st.builds(
    Declared,
    st.sampled_from(DeclaredSource),
    st.sampled_from(["spam_rate", "filter_result", "complaint_rate", "reputation"]),
    st.integers(-9, 9).map(lambda days: DAY + timedelta(days=days)),
    st.none() | st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from(["", "green", "Yellow", "RED", "bad"]),
)
incidents = st.builds(
    OpenIncident,
    few,
    st.sampled_from(IncidentKind),
    st.sampled_from(IncidentLevel),
    st.sampled_from(IncidentDeed),
    few,
    few,
)
said = st.builds(
    Said, st.sampled_from(EventKind), st.none() | st.sampled_from(BounceClass), st.integers(0, 30_000)
)
facts = st.builds(
    ProviderFacts,
    st.sampled_from(["gmail", "orange", "outlook", "yahoo", "free", "other", "sms", "nowhere"]),
    some_counts,
    seeds,
    st.none() | changes,
    st.lists(declared, max_size=3).map(tuple),
    st.lists(incidents, max_size=2).map(tuple),
    st.lists(said, max_size=3).map(tuple),
    st.none() | st.builds(PassRate, st.integers(0, 5000), st.integers(0, 5000)),
    st.sampled_from(HealthLevel),
    st.none() | st.just(DAY),
)
