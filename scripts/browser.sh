#!/usr/bin/env bash
# Makes sure that the browser tests have their browser: Debian's Chromium, driven by playwright.
# Without it these tests are skipped, and this says so; all others run.
set -euo pipefail

without() {
  echo "BROWSER TESTS WILL BE SKIPPED: $1"
  exit 0
}

if command -v chromium > /dev/null; then exit 0; fi
command -v apt-get > /dev/null || without "no chromium on the path, and no apt-get to install it"
[ "$(id -u)" = 0 ] || without "no chromium on the path; install it with: sudo apt-get install chromium"

echo "installing Debian's chromium for the browser tests (a minute or two)"
log=$(mktemp)
if ! { apt-get update && DEBIAN_FRONTEND=noninteractive \
  apt-get install --yes --no-install-recommends chromium; } > "$log" 2>&1; then
  tail -n 5 "$log"
  without "apt-get could not install chromium (see above)"
fi
rm -f "$log"
