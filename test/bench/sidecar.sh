#!/bin/sh
# What a sidecar and its doorbell cost writers.
#
#   sidecar.sh [SECONDS [ROUNDS]]     default 4 and 5
set -eu
exec /usr/bin/python3 "$(dirname "$0")/sidecar.py" "$@"
