"""What a page says after a form was sent: a word in the address stands for a sentence of this table.

Nothing is kept between requests, and nobody can make a page say anything else.
"""

from collections.abc import Mapping
from types import MappingProxyType

from web.i18n import N_

NOTICES: Mapping[str, str] = MappingProxyType(
    {
        "campaign-created": N_("The campaign is kept as a draft."),
        "campaign-changed": N_("The campaign is changed."),
        "campaign-scheduled": N_("The campaign is scheduled."),
        "campaign-draft": N_("The campaign is a draft again."),
        "campaign-paused": N_("The campaign is paused. What was already handed over goes on its way."),
        "campaign-resumed": N_("The campaign goes on."),
        "campaign-in-the-way": N_("The campaign is kept as a draft: checks stand in its way, see below."),
        "campaign-cancelled": N_("The campaign is cancelled. What had not left yet will not leave."),
        "campaign-released": N_("What was held back is tried again."),
        "canary-released": N_("The rest goes on its way without waiting for the seeds."),
        "campaign-spent": N_("The transparency notice tells it from now on."),
        "campaign-tried": N_("The test message was accepted: look into the mailbox or on the telephone."),
        "incident-undone": N_("It goes on, and your name is kept with it."),
        "incident-closed": N_("The incident is closed, and your name is kept with it."),
        "uncertain-decided": N_("It is decided, and your name is kept with it."),
        "uncertain-left": N_(
            "What could be decided is decided. The others became uncertain since you looked, or within the"
            " last quarter of an hour, and their sender may still hear the answer."
        ),
        "proof-equal": N_("Counted again: every message has its end."),
        "proof-unequal": N_("Counted again: the sums do not come out."),
        "identity-looked-at": N_("The DNS has been looked at."),
        "identity-letter-sent": N_(
            "A letter is on its way to this address: follow its link within three days."
        ),
        "identity-letter-refused": N_("The letter did not leave; the reason stands beside the proof."),
        "identity-keys-made": N_("New keys are made: publish their records. The old keys sign until then."),
        "identity-keys-cancelled": N_("The new keys are forgotten. Their records can be deleted."),
        "identity-keys-switched": N_("The new keys sign from now on."),
        "identity-suspended": N_("The identity is suspended: nothing of it leaves; what is queued waits."),
        "identity-resumed": N_("The identity sends again; what waited goes on."),
        "identity-retired": N_("The identity is retired."),
        "pace-reset": N_("It is tried again at full pace."),
        "limit-set": N_("The limit holds from now on."),
        "limit-removed": N_("The limit is removed; what the provider is known to accept holds again."),
        "warmup-stopped": N_("This identity is held back there no more."),
        "draft-discarded": N_("The draft is discarded."),
        "segment-saved": N_("The segment is saved."),
        "template-saved": N_("The template is saved as a new version."),
        "targeting-granted": N_("This person agreed to be chosen; the proof is kept."),
        "targeting-withdrawn": N_("This person does not agree to be chosen; the proof is kept."),
        "contacts-imported": N_("The file has been read."),
        "suppression-added": N_("This address will not be written to any more."),
        "suppression-lifted": N_("This address may be written to again."),
        "suppression-lifted-email": N_(
            "The suppression is lifted, but the consent stays withdrawn: campaigns leave this person out."
            " They can subscribe again through the unsubscribe link of any message they got from you."
        ),
        "suppression-lifted-sms": N_(
            "The suppression is lifted, but the consent stays withdrawn: campaigns leave this person out."
            " They can subscribe again by sending START to your number."
        ),
        "rule-undone": N_("What the rule did is undone; your name and reason are kept with each of them."),
        "password-changed": N_("Your password is changed. Your other sessions are closed."),
        "account-added": N_("The account is open."),
        "account-changed": N_("The account is changed."),
        "account-removed": N_("The account is closed."),
        "election-added": N_(
            "The vote is in the calendar: its silence holds from now on, also for what is queued."
        ),
        "election-corrected": N_("The vote is corrected; how it was before stands below."),
        "election-removed": N_("The vote is taken away. It can be entered again from the list below."),
        "waiver-asked": N_("It is asked: another administrator has to agree."),
        "waiver-agreed": N_("Two people let it leave: election silence does not hold it any more."),
        "waiver-refused": N_("Election silence holds the campaign."),
        "seed-added": N_("The mailbox can be read: it gets every campaign from the next one on."),
        "seed-readable": N_("The mailbox can be read."),
        "seed-unreadable": N_("The mailbox cannot be read; its line says why."),
        "seed-paused": N_("The mailbox is paused: nothing is sent to it."),
        "seed-resumed": N_("The mailbox gets every campaign again, from the next one on."),
        "seed-removed": N_("The mailbox is no seed any more; its password is forgotten."),
        "key-revoked": N_("The key is revoked: it opens nothing any more."),
        "webhook-changed": N_("The webhook is changed; what waits goes to the address as it is now."),
        "webhook-pinged": N_("A test is on its way: the log tells what comes of it."),
        "webhook-enabled": N_("The webhook is enabled; what waited is told now."),
        "webhook-disabled": N_("The webhook is disabled: it is told nothing any more."),
        "webhook-removed": N_("The webhook is removed, and its log with it."),
        "webhook-again": N_("It is told again."),
        "webhook-none-again": N_("There is nothing to tell again."),
        "signed-out": N_("You are signed out."),
    }
)
