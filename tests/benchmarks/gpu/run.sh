#!/bin/sh
# All measurements that need a GPU, in under ten minutes: see README.md in this folder.
#   tests/benchmarks/gpu/run.sh [--miniature] [--out FOLDER] [PART ...]
cd "$(dirname "$0")/../../.." || exit 1
python=.venv/bin/python
[ -x "$python" ] || python=python
PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" exec "${PYTHON:-$python}" tests/benchmarks/gpu/bench.py "$@"
