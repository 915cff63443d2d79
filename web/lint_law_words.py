"""What a look before sending finds of elections and of political advertising, in words."""

from collections.abc import Mapping
from types import MappingProxyType

from web.i18n import N_
from web.lint_entry import LintWords

LAW_WORDS: Mapping[str, LintWords] = MappingProxyType(
    {
        "ad.sensitive": LintWords(
            N_("Nobody is chosen by opinion, religion, origin, health, union or orientation"),
            N_("People are chosen by what nobody may be chosen by for a political message: %(parts)s."),
            N_(
                "Choose them by something else: not even consent allows this. If the word means a subject,"
                " and nothing of the person, go past this check and say so."
            ),
        ),
        "ad.nobody": LintWords(
            N_("Among the chosen there are people who agreed to be"),
            N_("The campaign chooses people by their data, and nobody it would reach agreed to that."),
            N_("Ask for that consent and import it, or write the same message to the whole list."),
        ),
        "ad.consent": LintWords(
            N_("Everybody who is chosen by their data agreed to that, and is old enough"),
            N_(
                "People left out because they did not agree to be chosen by their data, or are under 17:"
                " %(people)s."
            ),
            N_("The same message to the whole list, chosen by nothing, may go to them."),
        ),
        "ad.exempt": LintWords(
            N_("The same message to the whole list: no consent to targeting is needed (article 18(3))"),
            "",
        ),
        "ad.unlabelled": LintWords(
            N_("The label of political advertising says who pays, or which vote it is about"),
            N_("The label of political advertising has gaps: neither who pays nor the vote is named."),
            N_("Name them in the campaign; where there is no vote, naming who pays is enough."),
        ),
        "ad.unlinked": LintWords(
            N_("The text message leads to its transparency notice"),
            N_("The text message does not lead to its transparency notice, and has no label of its own."),
            N_("Write {{ notice_url }} into it: the notice says who pays, for which vote and to whom."),
        ),
    }
)
"""Code → words."""
