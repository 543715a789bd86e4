"""What the page calls things, and what each word means: the five of attendance are five."""

from __future__ import annotations

from collections.abc import Mapping

from server.language.speech import mark

WORDS: Mapping[str, str] = {
    "online": mark("online"),
    "offline": mark("offline"),
    "accepted": mark("accepted"),
    "declined": mark("declined"),
    "silent": mark("silent"),
    "revoked": mark("revoked"),
    "running": mark("running"),
    "stopped": mark("stopped"),
    "failed": mark("failed"),
    "finished": mark("finished"),
    "round": mark("held"),
    "missed": mark("too few answers"),
    "skipped": mark("too few answers"),  # to the set of a secure sum; the round is spent
    "product": mark("product"),
    "customer": mark("customer"),
}
MEANINGS: Mapping[str, str] = {
    "online": mark("The gateway let a request of this member through within the last minute."),
    "offline": mark("The gateway has let nothing of this member through for a minute or longer."),
    "accepted": mark("It said on what terms it takes part in a launch, and is asked for its rounds."),
    "declined": mark("It said no to a launch, by its own policy; it is asked again, ever more seldom."),
    "silent": mark("It is online while a launch runs, and has said neither yes nor no in a way that counts."),
}
