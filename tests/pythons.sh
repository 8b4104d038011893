#!/bin/sh
# Hooks, monitor and detection on each Python from 3.10 to 3.13 that is installed, and on the system's own build; not on
# the one that `make test` runs on, which tests all of it.
# Each gets a small environment of its own (no Ray, no torch): what needs those is marked and left to `make test`.
# The fault programs are left to `make test`: on 3.10 no thread's kernel wait is known, and several are not named there.
# Most of these tests wait for processes, so three Pythons are tested side by side; each speaks once it is done.
set -eu

test_with() {
    python=$1
    venv=.venv-$("$python" -c 'import hashlib, sys
print("%d.%d-" % sys.version_info[:2] + hashlib.md5(sys.executable.encode()).hexdigest()[:6])')
    if [ ! -e "$venv/.ready" ] || [ constraints.txt -nt "$venv/.ready" ]; then
        "$python" -m venv "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
            'textual>=8.2,<9' 'psutil>=6' 'nvidia-ml-py>=12' 'py-spy>=0.4' 'pyyaml>=6' \
            'pytest>=8' 'pytest-timeout>=2' 'pytest-asyncio>=1' 'hypothesis>=6' 'pyte>=0.8' 'uvloop>=0.20'
        touch "$venv/.ready"
    fi
    PYTHONPATH=. "$venv/bin/python" -m pytest -m "not real and not torch" -p no:cacheprovider \
        --ignore=tests/quant --ignore=tests/real --ignore=tests/real_verl --ignore=tests/faults --ignore=tests/demo \
        --ignore=tests/rerun --ignore=tests/end_to_end
}

if [ $# -gt 0 ]; then
    said=$(mktemp)
    trap 'rm -f "$said"' EXIT
    status=0
    test_with "$1" >"$said" 2>&1 || status=$?
    { echo "== $("$1" -VV | head -n 1)"; cat "$said"; }
    exit $status
fi

pythons=""
for version in 3.10 3.11 3.12 3.13; do
    for candidate in "$(command -v python$version || true)" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/$version.*/bin/python; do
        if [ -n "$candidate" ] && "$candidate" -c '' 2>/dev/null; then pythons="$pythons $candidate"; break; fi
    done
done
if [ -x /usr/bin/python3.11 ]; then pythons="$pythons /usr/bin/python3.11"; fi
own=$(.venv/bin/python -c 'import sys; print(sys.base_prefix)' 2>/dev/null || true)
for python in $pythons; do
    [ "$("$python" -c 'import sys; print(sys.base_prefix)')" = "$own" ] || others="${others:-} $python"
done
pythons=${others:-}
[ -n "$pythons" ] || { echo "no Python 3.10 to 3.13 found" >&2; exit 2; }
# shellcheck disable=SC2086
printf '%s\n' $pythons | xargs -P 3 -n 1 sh "$0"
