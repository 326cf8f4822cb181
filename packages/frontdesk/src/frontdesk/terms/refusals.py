"""Why a request was not done."""

import enum


class Refusal(enum.StrEnum):
    """Why a request was not done; stable on the wire. ``errors`` gives each its sentence."""

    BAD_REQUEST = "bad_request"
    TOO_LARGE = "too_large"
    TOO_FAST = "too_fast"
    TOO_MANY = "too_many"
    VERSION = "version"
    NOT_PERMITTED = "not_permitted"
    TOO_MANY_PENDING_REQUESTS = "too_many_pending_requests"
    """As many requests of this kind are pending as one app may have; nothing was changed (S03)."""
    NOT_IN_FOREGROUND = "not_in_foreground"
    """A continued task is submitted on a person's action, in the foreground (S18)."""
    CANNOT_START_NOW = "cannot_start_now"
    """A continued task with the strategy ``fail`` found all places taken (S18)."""
    UNKNOWN_TASK = "unknown_task"
    """No request with this identifier is pending or running."""
    UNKNOWN_APP = "unknown_app"
    WRONG_TOKEN = "wrong_token"
    ALREADY_RUNNING = "already_running"
    UNAVAILABLE = "unavailable"
    """Background running is switched off for this app, or for all (L10)."""
    STORE_UNAVAILABLE = "store_unavailable"
    """The desk could not write to its store (a full disk, say); nothing was accepted."""
    PUSH_UNAVAILABLE = "push_unavailable"
    """No push service is set, or it cannot be reached now."""
    BAD_MANIFEST = "bad_manifest"
