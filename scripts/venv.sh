#!/usr/bin/env bash
# Makes the virtual environment FOLDER with the interpreter PYTHON and installs the development
# lock, every file checked against its hash. An environment of another version is made anew.
set -euo pipefail
python=$1 folder=$2

version() { "$1" -c 'import sys; print(sys.version)' 2> /dev/null; }

if ! wanted=$(version "$python"); then
  echo "$python does not run; Python 3.11, 3.12 or 3.13 is needed" >&2
  exit 1
fi
case $wanted in
  3.11.* | 3.12.* | 3.13.*) ;;
  *)
    echo "$python is ${wanted%% *}; 3.11, 3.12 or 3.13 is needed (make PYTHON=python3.12 ...)" >&2
    exit 1
    ;;
esac

echo "setting up $folder (Python ${wanted%% *}; up to a minute)"
if [ "$(version "$folder/bin/python" || true)" != "$wanted" ]; then
  "$python" -m venv --clear "$folder"
fi
"$folder/bin/python" -m pip install -qq --disable-pip-version-check \
  --require-hashes -r requirements-dev.txt
touch "$folder/ready"
