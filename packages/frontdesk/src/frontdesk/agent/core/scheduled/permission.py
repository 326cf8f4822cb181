"""Whether an app may submit a request for a scheduled task at all; the same answer for every kind (S01, L10)."""

import math

from frontdesk.terms import ContinuedTask, Manifest, ProcessingTask, Refusal, Retry, TaskKind, TaskRequest

MOST_IDENTIFIER = 200
"""Characters of an identifier."""

FURTHEST = 32503680000.0
"""The year 3000 in seconds since 1970: beyond it ``earliest_begin`` is a mistake, milliseconds say."""


def refusal(request: TaskRequest, manifest: Manifest | None, *, available: bool) -> tuple[Refusal, str] | None:
    """Why this is refused, and a sentence for the app's author; None: nothing speaks against it.

    ``available``: the person lets the app run in the background. Limits of what is pending are not looked at.
    """
    if wrong := _wrong_number(request):
        return Refusal.BAD_REQUEST, f"{wrong} Nothing was changed."
    if manifest is None or not declared(request.identifier, request.kind, manifest):
        text = f"{request.identifier!r} is not declared in the manifest. Add it to its `tasks`. Nothing was changed."
        return Refusal.NOT_PERMITTED, text
    if request.kind not in manifest.background:
        text = f"{request.kind!r} is not among the modes in `background` of the manifest. Nothing was changed."
        return Refusal.NOT_PERMITTED, text
    if not available:
        return Refusal.UNAVAILABLE, "The person has switched off that it runs in the background. Nothing was changed."
    return None


def declared(identifier: str, kind: TaskKind, manifest: Manifest) -> bool:
    """Whether the manifest names it; for continued tasks ``org.example.export.*`` covers every ending (S01, S18)."""
    if identifier in manifest.tasks:
        return True
    prefixes = [name[:-1] for name in manifest.tasks if name.endswith(".*")]
    return kind is TaskKind.CONTINUED and any(
        identifier.startswith(prefix) and len(identifier) > len(prefix) for prefix in prefixes
    )


def _wrong_number(request: TaskRequest) -> str:
    if not 0 < len(request.identifier) <= MOST_IDENTIFIER:
        return f"An identifier has 1 to {MOST_IDENTIFIER} characters."
    if isinstance(request, ContinuedTask):
        return ""
    earliest = request.earliest_begin
    if earliest is not None and not (math.isfinite(earliest) and abs(earliest) <= FURTHEST):
        return f"earliest_begin is in seconds since 1970; {earliest:g} is none that can come."
    return _wrong_retry(request.retry) if isinstance(request, ProcessingTask) and request.retry is not None else ""


def _wrong_retry(retry: Retry) -> str:
    if not (math.isfinite(retry.first) and math.isfinite(retry.most)):
        return "The pauses of retry are finite numbers of seconds."
    if not 0.0 < retry.first <= retry.most:
        return f"The first pause of retry ({retry.first:g} s) is more than 0 and at most `most` ({retry.most:g} s)."
    return ""
