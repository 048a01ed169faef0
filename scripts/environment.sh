# Sourced by the other scripts: make a virtual environment and keep it up to date; fast when there is nothing to do.

# check_python PYTHON: say so if it is too old, or not Python at all.
check_python() {
  if "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then return 0; fi
  echo "$0: Python 3.11 or newer is needed; '$1' is not; say which one with PYTHON=/path/to/python3.11 $0" >&2
  return 1
}

# environment FOLDER WHAT [CONSTRAINTS [MORE…]]: install WHAT (as for pip) in editable form, and MORE, into FOLDER,
# in the versions of CONSTRAINTS, unless it was installed there from the same files.
environment() {
  local folder=$1 what=$2 constraints=${3:-scripts/constraints.txt} more=("${@:4}") python=${PYTHON:-python3} stamp
  check_python "$python" || return 1
  stamp="$what ${more[*]-} $PWD $("$python" --version) $(cat pyproject.toml "$constraints" | cksum)"
  if [ "$(cat "$folder/.installed" 2>/dev/null)" = "$stamp" ]; then return 0; fi
  echo "installing $what into $folder (once) …" >&2
  if ! "$python" -m venv "$folder"; then
    echo "$0: '$python -m venv' failed; on Debian and Ubuntu: apt-get install python3-venv" >&2
    return 1
  fi
  # Variables and not --constraint, as pip hands only them on to the environment in which it builds (older pips the first).
  PIP_CONSTRAINT=$constraints PIP_BUILD_CONSTRAINT=$constraints \
    "$folder/bin/pip" install --quiet --disable-pip-version-check --editable "$what" ${more[@]+"${more[@]}"}
  echo "$stamp" > "$folder/.installed"
}
