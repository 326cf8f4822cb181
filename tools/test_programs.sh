#!/bin/sh
# Sees to what tests need and Python's index does not have: Chromium, the D-Bus daemon and services for it, a library of
# Playwright's driver.
# Found: says nothing. Missing: installs them as root on Debian or Ubuntu, else says what to run; exit status 1.
set -eu

has_libatomic() {
    for file in /lib/libatomic.so.1 /lib64/libatomic.so.1 /usr/lib/libatomic.so.1 /usr/lib64/libatomic.so.1 \
        /lib/*/libatomic.so.1 /usr/lib/*/libatomic.so.1; do
        [ -e "$file" ] && return
    done
    return 1
}

# The mock services need GObject's bindings, which are the system's own Python's.
has_dbusmock() {
    [ -x /usr/bin/python3 ] &&
        /usr/bin/python3 -c 'import importlib.util as i, sys; sys.exit(not i.find_spec("dbusmock"))'
}

missing() {
    command -v dbus-daemon >/dev/null || echo dbus
    has_dbusmock || echo python3-dbusmock
    # Playwright brings a Node.js of its own, which needs this; a bare Debian lacks it.
    has_libatomic || echo libatomic1
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" >/dev/null && return
    done
    # Recommended packages stay out; without one font every page would be blank.
    echo chromium fonts-liberation
}

packages=$(missing | tr '\n' ' ')
[ -n "$packages" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing for the tests: $packages…" >&2
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  # several packages, several words
    apt-get update -q >&2 && apt-get install -qy --no-install-recommends $packages >&2 ||
        echo "apt-get failed (see above)." >&2
    packages=$(missing | tr '\n' ' ')
    [ -n "$packages" ] || exit 0
fi
echo "The tests need Chromium, the D-Bus daemon, python-dbusmock and libatomic. Missing: $packages" >&2
echo "On Debian or Ubuntu run: sudo apt-get install $packages" >&2
echo "Elsewhere install them by the names of your system, then run make again." >&2
exit 1
