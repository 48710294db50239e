#!/bin/sh
# Sets up what a make target needs and is not there yet: setup.sh python|demo|test
#
# Python packages come by uv, which comes by pip when it is missing. Debian packages come by apt-get, as root or by a
# sudo that asks nothing; otherwise one line says what to install. Quick when nothing is missing.
set -eu

cd "$(dirname "$0")/.."

say() {
    printf '%s\n' "$*" >&2
}

# --- Debian packages -------------------------------------------------------------------------------------------------

LIBRARIES="libegl1 libgl1"
FONTS="fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji"
TEST_PACKAGES="ffmpeg janus iproute2 redis-server rabbitmq-server postgresql nodejs npm chromium"
PAGE_PACKAGES="xvfb pulseaudio pulseaudio-utils"

library() {
    for folder in /usr/lib /usr/lib64 /lib /usr/local/lib /usr/lib/*-linux-gnu*; do
        [ -e "$folder/$1" ] && return 0
    done
    return 1
}

program() {
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]
}

# Whether what a package brings is there, also where it came another way.
there() {
    case "$1" in
        libegl1) library libEGL.so.1 ;;
        libgl1) library libGL.so.1 ;;
        fonts-*) [ -n "$(find /usr/share/fonts /usr/local/share/fonts -name "$(font "$1")" 2>/dev/null | head -n 1)" ] ;;
        iproute2) program ip ;;
        nodejs) program node ;;
        postgresql) program postgres || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 ;;
        xvfb) program Xvfb ;;
        pulseaudio-utils) program parec ;;
        chromium) [ -x /usr/bin/chromium ] || playwright_chromium ;;
        *) program "$1" ;;
    esac
}

font() {
    case "$1" in
        fonts-noto-core) echo 'NotoSans-Regular.*' ;;
        fonts-noto-cjk) echo 'NotoSansCJK-Regular.*' ;;
        fonts-noto-color-emoji) echo 'NotoColorEmoji.*' ;;
    esac
}

playwright_chromium() {
    ls -d "${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}"/chromium-* >/dev/null 2>&1
}

missing_of() {
    for package in "$@"; do
        there "$package" || printf '%s ' "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

may_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null
}

POLICY=/usr/sbin/policy-rc.d
POLICY_IS_OURS=no

allow_services() {
    if [ "$POLICY_IS_OURS" = yes ]; then
        as_root rm -f "$POLICY"
        POLICY_IS_OURS=no
    fi
}

# Servers are for tests to start, each with its own folder and port; installing one must not leave it running.
forbid_services() {
    [ -e "$POLICY" ] && return 0
    POLICY_IS_OURS=yes
    trap allow_services EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >&2
}

# Install what of these packages is missing. Returns 1 when something stays missing.
debian() {
    missing=$(missing_of "$@")
    [ -n "$missing" ] || return 0
    if ! may_install; then
        say "missing: ${missing% }. As root: apt-get install --no-install-recommends ${missing% }"
        return 1
    fi
    say "installing Debian packages: $missing"
    forbid_services
    as_root apt-get update -q >&2 || say "apt-get update failed; trying with the lists that are here"
    # shellcheck disable=SC2086  # a list of words
    if ! apt_install $missing; then
        # One package that is not to be had must not cost the others.
        for package in $missing; do
            apt_install "$package" || say "$package could not be installed"
        done
    fi
    allow_services
    [ -z "$(missing_of "$@")" ]
}

# Debian has Chromium as a package; Ubuntu has a snap in its place, which is none for servers and containers.
browser() {
    there chromium && return 0
    if may_install && apt-cache policy chromium 2>/dev/null | grep -q 'Candidate: [0-9]' &&
        ! apt-cache show chromium 2>/dev/null | grep -qi 'snap'; then
        debian chromium && return 0
    fi
    say "installing Chromium by Playwright"
    if may_install; then
        as_root .venv/bin/python -m playwright install-deps chromium >&2 || true
    fi
    .venv/bin/python -m playwright install chromium >&2
}

# --- Python packages -------------------------------------------------------------------------------------------------

python3_of() {
    for candidate in python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

# Prints the uv to use; installs it beside the project when there is none. The system's Python stays as it is (PEP 668).
uv_path() {
    for candidate in uv .tools/bin/uv .tools/lib/bin/uv "$HOME/.local/bin/uv"; do
        if "$candidate" --version >/dev/null 2>&1; then
            echo "$candidate"
            return 0
        fi
    done
    python=$(python3_of) || {
        say "Python 3.11 or newer is needed. As root: apt-get install python3 python3-venv"
        return 1
    }
    say "installing uv into .tools"
    if "$python" -m venv .tools >/dev/null 2>&1 && .tools/bin/python -m pip install -q uv >&2; then
        echo .tools/bin/uv
    elif "$python" -m pip install -q --target .tools/lib uv >&2; then
        echo .tools/lib/bin/uv
    elif may_install && as_root apt-get update -q >&2 && apt_install python3-venv &&
        "$python" -m venv --clear .tools && .tools/bin/python -m pip install -q uv >&2; then
        echo .tools/bin/uv
    else
        say "uv could not be installed. As root: apt-get install python3-venv (or install uv another way)"
        return 1
    fi
}

# Nothing is asked of uv while neither the lock file nor the project file changed since it last did its work.
python_packages() {
    stamp=.venv/.synced
    if [ -x .venv/bin/python ] && [ -e "$stamp" ] && [ ! uv.lock -nt "$stamp" ] && [ ! pyproject.toml -nt "$stamp" ] &&
        .venv/bin/python -c '' 2>/dev/null; then
        return 0
    fi
    uv=$(uv_path)
    # Compiled at once: where nothing may be written later, every process would compile all of it anew.
    "$uv" sync --frozen --compile-bytecode >&2
    touch "$stamp"
}

# --- What is wanted --------------------------------------------------------------------------------------------------

case "${1:-}" in
    python)
        python_packages
        ;;
    demo)
        # shellcheck disable=SC2086  # lists of words
        debian $LIBRARIES $FONTS || [ -z "$(missing_of $LIBRARIES)" ] || exit 1
        python_packages
        ;;
    test)
        python_packages
        # What cannot be had is said, and the tests that need it say that they are left out.
        # shellcheck disable=SC2086
        debian $LIBRARIES $FONTS ${TEST_PACKAGES% chromium} $PAGE_PACKAGES || [ -z "$(missing_of $LIBRARIES)" ] || exit 1
        browser || say "there is no Chromium; tests with browsers are left out"
        ;;
    *)
        say "usage: setup.sh python|demo|test"
        exit 2
        ;;
esac
