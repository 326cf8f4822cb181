"""What every test shares: the contract's report, no skips on CI, patience on slow machines, nobody's own desk."""

import os
import signal

import hypothesis

pytest_plugins = ("tests.contract_report", "tests.no_skips", "tests.desks", "pytester")

hypothesis.settings.register_profile(
    "frontdesk",
    # A machine busy with other things must not fail a test that is only slow there; `timeout` catches what hangs.
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    print_blob=True,
    # On CI the same commit gives the same result; everywhere else each run looks at new examples.
    derandomize=os.environ.get("CI") == "true",
)
hypothesis.settings.load_profile("frontdesk")

# The person who runs the tests may have a desk, a Lobby and notifications of their own: none of it is ours to touch.
for name in [*os.environ]:
    if name.startswith(("FRONTDESK_", "LOBBY_")) or name == "DBUS_SESSION_BUS_ADDRESS":
        del os.environ[name]
# Nor is what the services of this computer say of its battery and network to make a difference.
os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nonexistent/system_bus_socket"

# What a shell runs in the background ignores Ctrl-C, and so would every program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
