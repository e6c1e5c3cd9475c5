#!/usr/bin/env bash
# Makes sure that shellcheck is there, for our own scripts and for the setup script that Postern
# makes. Without it those checks are skipped, and this says so; all others run.
set -euo pipefail

without() {
  echo "SHELLCHECK WILL BE SKIPPED: $1"
  exit 0
}

if command -v shellcheck > /dev/null; then exit 0; fi
command -v apt-get > /dev/null || without "not on the path, and no apt-get to install it"
[ "$(id -u)" = 0 ] || without "not on the path; install it with: sudo apt-get install shellcheck"

echo "installing Debian's shellcheck"
log=$(mktemp)
if ! { apt-get update && DEBIAN_FRONTEND=noninteractive \
  apt-get install --yes --no-install-recommends shellcheck; } > "$log" 2>&1; then
  tail -n 5 "$log"
  without "apt-get could not install it (see above)"
fi
rm -f "$log"
