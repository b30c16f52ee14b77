# shellcheck shell=sh
# What the stack's scripts share. Sourced, with `root` set to the project's directory.
#
# A stack is everything under RUN_DIR: keys, database, configuration, logs, process ids.
# Its ports follow PORT_BASE.

RUN_DIR=${RUN_DIR:-$root/.run}
PORT_BASE=${PORT_BASE:-15700}
case $RUN_DIR in /*) ;; *) RUN_DIR=$(pwd)/$RUN_DIR ;; esac

# shellcheck disable=SC2034  # used by the scripts that source this
{
    https_port=$PORT_BASE
    ops_port=$((PORT_BASE + 1))
    pg_port=$((PORT_BASE + 2))
    sidecar_port=$((PORT_BASE + 3))
    build=$root/.build
    pg_root=$build/pg
    pg_bin=${REASON_PG_BIN:-$pg_root/lib/postgresql/15/bin}
    data=$RUN_DIR/pg
    log=$RUN_DIR/log
}

say() {
    [ -n "${QUIET:-}" ] || printf '%s\n' "$*"
}

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# PostgreSQL refuses to run as root: then the stack's servers run as the user postgres.
# That user may have no way to a checkout under /root; it is given one capability, to
# pass directories and read files, instead of changing modes that are not ours. (Without
# no_setuid_fixup access(2), which initdb asks, would not count the capability.)
service_user=''
service_capability=''
if [ "$(id -u)" -eq 0 ]; then
    service_user=postgres
fi

# prepare_service_user DIRECTORY: decides how as_service runs things that work in it
prepare_service_user() {
    [ -n "$service_user" ] || return 0
    # shellcheck disable=SC2016  # the inner shell expands it
    if ! setpriv --reuid="$service_user" --regid="$service_user" --init-groups \
        sh -c 'test -x "$0" && test -w "$1" && test -x "$2"' "$pg_bin/postgres" "$1" "$root/gateway"; then
        service_capability=yes
    fi
}

as_service() {
    if [ -z "$service_user" ]; then
        "$@"
    elif [ -z "$service_capability" ]; then
        setpriv --reuid="$service_user" --regid="$service_user" --init-groups "$@"
    else
        setpriv --reuid="$service_user" --regid="$service_user" --init-groups \
            --securebits=+no_setuid_fixup --inh-caps=+dac_override --ambient-caps=+dac_override "$@"
    fi
}

owned_by_service() {
    [ -z "$service_user" ] || chown "$service_user:" "$@"
}

# A Unix socket's path has at most 107 bytes.
socket_directory() {
    if [ ${#RUN_DIR} -le 80 ]; then
        echo "$RUN_DIR/socket"
    else
        echo "/tmp/reason-$(printf '%s' "$RUN_DIR" | sha256sum | cut -c 1-16)"
    fi
}

# running PIDFILE NAME: the process of this stack is alive (and is no other that got its number)
running() {
    [ -f "$1" ] || return 1
    pid=$(head -n 1 "$1" 2>/dev/null) || return 1
    [ -n "$pid" ] && [ -d "/proc/$pid" ] || return 1
    case $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) in *"$2"*) return 0 ;; *) return 1 ;; esac
}

# wait_until SECONDS WHAT COMMAND…: the command succeeds within so many seconds
wait_until() {
    deadline=$(($(date +%s) + $1))
    what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$deadline" ] || fail "timed out waiting for $what"
        sleep 0.05
    done
}

# stop_process PIDFILE NAME SIGNAL: end it and wait; after 10 seconds, kill it
stop_process() {
    running "$1" "$2" || return 0
    pid=$(head -n 1 "$1")
    kill -s "$3" "$pid" 2>/dev/null || return 0
    i=0
    while [ -d "/proc/$pid" ] && [ "$i" -lt 200 ]; do
        sleep 0.05
        i=$((i + 1))
    done
    if [ -d "/proc/$pid" ]; then
        kill -s KILL "$pid" 2>/dev/null || true
    fi
}

sql() {
    "$pg_bin/psql" -X -q -At -v ON_ERROR_STOP=1 "host=127.0.0.1 port=$pg_port user=postgres dbname=${1:-reason}"
}

# free_ports COUNT: the first of so many ports in a row that nobody listens on, below those that the kernel hands out
free_ports() {
    python3 - "$1" <<'PYTHON'
import random, socket, sys
count = int(sys.argv[1])
while True:
    first = random.randrange(15000, 32000 - count)
    sockets = [socket.socket() for _ in range(count)]
    try:
        for offset, taken in enumerate(sockets):
            taken.bind(("127.0.0.1", first + offset))
    except OSError:
        continue
    finally:
        for taken in sockets:
            taken.close()
    print(first)
    break
PYTHON
}

# copy_extension DIRECTORY: the sources of the extension, to be built there for another server than that of .build/pg.
# The auditor's page, which becomes part of the library, lies beside them.
copy_extension() {
    mkdir -p "$1/gateway/build"
    cp -rp "$root/extension" "$root/sql" "$1/"
    [ ! -d "$root/gateway/build/page" ] || cp -rp "$root/gateway/build/page" "$1/gateway/build/"
    # What was built for another server may have neither its assertions nor the same functions to call.
    find "$1/extension" \( -name "*.o" -o -name "*.so" \) -delete
}
