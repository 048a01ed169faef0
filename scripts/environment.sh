# Sourced by the other scripts: make a virtual environment and keep it up to date; fast when there is nothing to do.

# environment FOLDER WHAT: install WHAT (as pip has it) into FOLDER, unless it was installed there from the same files.
environment() {
  local folder=$1 what=$2 python=${PYTHON:-python3} stamp
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "$0: Python 3.11 or newer is needed; '$python' is not; say which one with PYTHON=/path/to/python3.11 $0" >&2
    return 1
  fi
  stamp="$what $PWD $("$python" --version) $(cat pyproject.toml scripts/constraints.txt | cksum)"
  if [ "$(cat "$folder/.installed" 2>/dev/null)" = "$stamp" ]; then return 0; fi
  echo "installing $what into $folder (once) …" >&2
  if ! "$python" -m venv "$folder"; then
    echo "$0: '$python -m venv' failed; on Debian and Ubuntu: apt-get install python3-venv" >&2
    return 1
  fi
  "$folder/bin/pip" install --quiet --disable-pip-version-check --constraint scripts/constraints.txt --editable "$what"
  echo "$stamp" > "$folder/.installed"
}
