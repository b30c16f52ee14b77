#!/bin/sh
# What it costs to remember outside of the database what was signed.
#
#   remember.sh [EVENTS [ROUNDS]]     default 20000 and 7
set -eu
PYTHONPATH=$(dirname "$0")/../lib
export PYTHONPATH
exec /usr/bin/python3 "$(dirname "$0")/remember.py" "$@"
