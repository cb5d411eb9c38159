"""Legacy versions: scores of a predecessor's networks, which nothing here can score by.

Their classifier is the predecessor's family after a prefix: `legacy_rb@2`. So no name without the prefix ever
means one of them: not `rb`, not what is in production, and no number of our own is taken.
"""

_PREFIX = "legacy_"


def legacy_classifier(family: str) -> str:
    """`legacy_rb` of `rb`."""
    return _PREFIX + family


def is_legacy(version: str) -> bool:
    """Whether a version, or a classifier, is of scores that were imported."""
    return version.startswith(_PREFIX)


def question_of(classifier: str) -> str:
    """The family whose question a classifier answers: `rb` of `rb` and of `legacy_rb`."""
    return classifier.removeprefix(_PREFIX)
