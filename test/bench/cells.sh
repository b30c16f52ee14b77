#!/bin/sh
# What cells cost the gateway, and what a record costs a cell in disk and in time to be brought back.
#
#   cells.sh [RECORDS [ROUNDS [CALLS [CLIENTS]]]]     default 20000, 5, 4000 and 8
set -eu
PYTHONPATH=$(dirname "$0")/../lib
export PYTHONPATH
exec /usr/bin/python3 "$(dirname "$0")/cells.py" "$@"
