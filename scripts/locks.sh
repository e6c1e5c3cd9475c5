#!/usr/bin/env bash
# The locks: `renew DATE` makes them from the ranges in pyproject.toml and package.json, `check DATE`
# fails when the Python ones are not what the ranges give. Neither writes where packages come from.
set -euo pipefail
task=$1 date=$2

compile() { # compile OUTPUT ARGUMENT...
  .venv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
    --exclude-newer "${date}T00:00:00Z" --generate-hashes \
    --no-emit-index-url --no-header --no-annotate -o "$@" > /dev/null
}

compile_both() { # compile_both FOLDER
  compile "$1/requirements.txt"
  compile "$1/requirements-dev.txt" --group dev -c "$1/requirements.txt"
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

case $task in
  renew)
    compile_both "$folder"
    cp "$folder"/requirements*.txt .
    npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved \
      --silent --no-audit --no-fund
    ;;
  check)
    # What is locked stays while it fits: only a range that changed shows.
    cp requirements.txt requirements-dev.txt "$folder"
    if ! compile_both "$folder"; then
      echo "  could not compute the locks: the package registry was not reached, or the ranges" >&2
      echo "  in pyproject.toml have no solution (see above)" >&2
      exit 1
    fi
    for lock in requirements.txt requirements-dev.txt; do
      diff -u "$lock" "$folder/$lock" || { echo "  $lock is not fresh: run make lock" >&2; exit 1; }
    done
    ;;
esac
