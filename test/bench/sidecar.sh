#!/bin/sh
# What a sidecar and its doorbell cost writers.
#
#   sidecar.sh [SECONDS [ROUNDS [CLIENTS…]]]     default 4, 5, and 8 and 32 clients
set -eu
PYTHONPATH=$(dirname "$0")/../lib
export PYTHONPATH
exec /usr/bin/python3 "$(dirname "$0")/sidecar.py" "$@"
