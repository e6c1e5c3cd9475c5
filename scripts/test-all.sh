#!/usr/bin/env bash
# The whole suite on the default Python, then what meets SDKs and the host (contract, e2e) on each
# other supported version that really runs here. Ends with pytest's summary of every run.
set -euo pipefail
supported=(3.11 3.12 3.13)
default=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
summaries=$(mktemp)
failed=0
trap 'rm -f "$summaries"' EXIT

# Prints the path of a Python that runs. A python3.X on the path may be a pyenv shim, which fails
# unless that version is chosen.
find_python() {
  local version=$1 where='import sys; print(sys.executable)' installed
  "python$version" -c "$where" 2> /dev/null && return
  for installed in $({ pyenv versions --bare || ls "${PYENV_ROOT:-$HOME/.pyenv}/versions"; } 2> /dev/null |
    grep -x "$version\.[0-9]*" | sort -rV); do
    PYENV_VERSION=$installed "python$version" -c "$where" 2> /dev/null && return
  done
  return 1
}

run() { # run VERSION PYTHON PYTEST_ARGUMENT...
  local version=$1 python=$2 output status=0
  shift 2
  output=$(mktemp)
  echo "--- Python $version: pytest $*"
  "$python" -m pytest "$@" | tee "$output" || status=$?
  echo "Python $version: $(tail -n 1 "$output" | tr -d '=')" >> "$summaries"
  rm -f "$output"
  # Status 5 is "no test selected": the suite has lost its marks, which is a failure too.
  if [ "$status" != 0 ]; then failed=1; fi
}

others=()
for version in "${supported[@]}"; do
  [ "$version" = "$default" ] && continue
  if path=$(find_python "$version"); then
    others+=("$version=$path")
  else
    echo "SKIPPED: Python $version does not run on this machine"
    echo "Python $version: skipped, it does not run on this machine" >> "$summaries"
  fi
done

run "$default" .venv/bin/python
for other in "${others[@]}"; do
  version=${other%%=*}
  folder=.venv-$version
  [ "$folder/ready" -nt requirements-dev.txt ] || scripts/venv.sh "${other#*=}" "$folder"
  run "$version" "$folder/bin/python" -m "contract or e2e"
done

echo
tac "$summaries"
exit "$failed"
