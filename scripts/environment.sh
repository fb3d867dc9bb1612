# shellcheck shell=bash
# Makes or reuses .venv; sourced by the other scripts, which then call "$python".
#
# Only `python -m ...` is called, never a console script, whose first line does not survive every path.

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." > /dev/null && pwd -P)"
venv="$root/.venv"
python="$venv/bin/python"

# Bring .venv up to date with pyproject.toml and constraints.txt: prepare_environment runtime|dev
prepare_environment() {
    local requirement=".[onnx]" quiet=(--quiet)
    if _venv_is_ours && _is_installed "$1"; then
        return
    fi
    if _venv_is_ours && "$python" -m pip --version > /dev/null 2>&1; then
        _check_disk 1
    else
        _make_venv
    fi
    [[ $1 == dev ]] && requirement=".[dev]"
    [[ -t 1 ]] && quiet=()
    echo "Installing into .venv (some minutes the first time) ..."
    (cd -- "$root" && "$python" -m pip install "${quiet[@]+"${quiet[@]}"}" --disable-pip-version-check \
        --constraint constraints.txt --editable "$requirement") \
        || fail "The installation failed, see above. It needs the network, and $(_free_gigabytes) GB of free disk may" \
            "be too little. What it got is kept: the same command goes on from there."
    # written last: an interrupted installation leaves no stamp, and is taken up again
    _fingerprint > "$venv/installed-runtime"
    [[ $1 == dev ]] && cp -- "$venv/installed-runtime" "$venv/installed-dev"
    return 0
}

fail() {
    echo "error: $*" >&2
    exit 2
}

# Python that is new enough, but not too new for Hydra 1.3; a pyenv shim without a version behind it fails here.
_is_usable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' > /dev/null 2>&1
}

# The .venv runs, and was made in this place: after a clone has been moved, its files still point to the old one.
_venv_is_ours() {
    _is_usable "$python" || return 1
    local made_by
    made_by="$(sed -n 's/^command = //p' "$venv/pyvenv.cfg")"
    [[ -z $made_by || $made_by == *" $venv" ]]
}

_fingerprint() {
    { "$python" --version; cat -- "$root/pyproject.toml" "$root/constraints.txt"; } | cksum
}

_is_installed() {
    [[ -f "$venv/installed-$1" && "$(< "$venv/installed-$1")" == "$(_fingerprint)" ]]
}

_make_venv() {
    local base
    base="$(_find_python)"
    _check_disk 4
    if [[ -e $venv ]]; then
        echo "The .venv here is broken, or was made in another place: making it anew."
        rm -rf -- "$venv"
    fi
    echo "Making .venv with $("$base" --version) ..."
    "$base" -m venv "$venv" || fail "$base cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"
}

_find_python() {
    local candidate found=""
    for candidate in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.11 python3 python; do
        if _is_usable "$candidate"; then
            echo "$candidate"
            return
        fi
        found+="$("$candidate" --version 2> /dev/null | sed "s|^|, $candidate is |" || true)"
    done
    fail "Python 3.11, 3.12 or 3.13 is needed$found. Install one, or name it: PYTHON=/path/to/python3.12 $0"
}

_free_gigabytes() {
    df -Pk -- "$root" | awk 'NR == 2 { print int($4 / 1024 / 1024) }'
}

# _check_disk GIGABYTES
_check_disk() {
    local free
    free="$(_free_gigabytes)"
    ((free >= $1)) \
        || fail "The disk of $root has $free GB free, but the installation needs $1 GB (and 10 GB where pip" \
            "chooses the CUDA build of PyTorch)."
}
