#!/bin/sh
# Runs calc.py beside this file with the Python that is there; all arguments go to it.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
for python in "${PYTHON:-}" python3 python; do
  [ -n "$python" ] || continue
  if command -v "$python" >/dev/null 2>&1 &&
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then
    exec "$python" "$here/calc.py" "$@"
  fi
done
echo "calc.sh: needs Python 3.8 or later; set PYTHON to its path" >&2
exit 127
