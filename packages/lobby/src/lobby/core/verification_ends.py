"""Why a verification is cancelled: the codes of "m.key.verification.cancel", each with a sentence for the person."""

USER = "m.user"
TIMEOUT = "m.timeout"
ACCEPTED = "m.accepted"
UNKNOWN_TRANSACTION = "m.unknown_transaction"
UNKNOWN_METHOD = "m.unknown_method"
UNEXPECTED = "m.unexpected_message"
INVALID = "m.invalid_message"
KEY_MISMATCH = "m.key_mismatch"
USER_MISMATCH = "m.user_mismatch"
MISMATCHED_SAS = "m.mismatched_sas"
MISMATCHED_COMMITMENT = "m.mismatched_commitment"

STRANGE = "The other side ended it for a reason that Lobby does not know. Nothing was changed; ask again."
_CONFUSED = "The two sides did not understand each other. Nothing was changed; ask again."
_BETWEEN = (
    "The keys that arrived are not those of the other side: somebody may be between you. Nothing was signed. "
    "Compare the session keys by another way before you trust this."
)

REASONS = {
    USER: "The other side cancelled. Nothing was changed.",
    TIMEOUT: "It was not finished within ten minutes. Nothing was changed; ask again.",
    ACCEPTED: "It was answered on another device.",
    UNKNOWN_TRANSACTION: _CONFUSED,
    UNKNOWN_METHOD: "The other side cannot compare emoji. Nothing was changed.",
    UNEXPECTED: _CONFUSED,
    INVALID: _CONFUSED,
    KEY_MISMATCH: _BETWEEN,
    USER_MISMATCH: _BETWEEN,
    MISMATCHED_SAS: "The other side saw other emoji: somebody may be between you. Nothing was signed.",
    MISMATCHED_COMMITMENT: _BETWEEN,
}
"""What the person reads when the other side, or Lobby by itself, cancels with that code."""

OURS = {
    USER: "You cancelled. Nothing was changed.",
    MISMATCHED_SAS: "You said that the emoji differ: somebody may be between you. Nothing was signed.",
}
"""What the person reads who cancelled."""
