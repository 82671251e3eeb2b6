# Shared by the scripts in tools/. Source it; it changes into the repository's root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# Prints the first Python that has pytest: the one on PATH, or Debian's own.
python_with_pytest() {
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" -c 'import pytest' 2>/dev/null; then
      echo "$python"
      return
    fi
  done
  return 1
}
