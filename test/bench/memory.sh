#!/bin/sh
# The sidecar's memory over a million events.
#
#   memory.sh [EVENTS]     default 1000000
set -eu
PYTHONPATH=$(dirname "$0")/../lib
export PYTHONPATH
exec /usr/bin/python3 "$(dirname "$0")/memory.py" "$@"
