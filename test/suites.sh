# shellcheck shell=bash
# shellcheck disable=SC2154  # what check.sh sets
# What each suite of the tests runs. Sourced by check.sh, which sets root, out, python, pg_bin, pg_root, with_server, server_port, suite and claims.
#
# A suite is a function suite_NAME. It leaves its output in $out/NAME.log and says by count() how many passed and
# failed; a suite that ran nothing counts as a failure.

passed=0
failed=0
# Adds to the counts, which are taken from what the runners say.
count() {
    passed=$((passed + $1))
    failed=$((failed + $2))
}

# The last "N passed, N failed" of a log, as our own runners write it
count_plain() {
    local line
    line=$(grep -Eo '[0-9]+ passed, [0-9]+ failed' "$1" | tail -1)
    [ -n "$line" ] || return 1
    count "$(echo "$line" | cut -d' ' -f1)" "$(echo "$line" | cut -d' ' -f3)"
}

# Those of the folders and files named, or what of them nobody has taken who runs beside. With again=yes: those alone that failed before.
run_pytest() {
    local log=$out/$suite.log cache=$out/$suite.cache
    local -a known=()
    case $with_server in
        *" ${suite%.*} "*) known+=("REASON_TEST_PORT=$server_port") ;;
    esac
    if [ -n "${again:-}" ]; then
        set -- --lf --lfnf=none "$@"
    else
        rm -rf "$cache"
        [ "${suite%.*}" = "$suite" ] || known+=("REASON_TEST_CLAIMS=$claims/${suite%.*}" "REASON_TEST_TIMES=$out/times/${suite%.*}")
    fi
    env "${known[@]}" "$python" -m pytest -q --maxfail=20 --durations=25 --tb=short -o cache_dir="$cache" "$@" >"$log${again:+.again}" 2>&1
    local status=$? summary ok bad
    # what libraries say while the interpreter ends may stand behind it
    summary=$(grep -E '^[0-9]+ [a-z]+.* in [0-9.]+s' "$log${again:+.again}" | tail -1)
    ok=$(echo "$summary" | grep -Eo '[0-9]+ passed' | cut -d' ' -f1)
    bad=$(echo "$summary" | grep -Eo '[0-9]+ (failed|errors?)' | awk '{n += $1} END {print n + 0}')
    [ "$status" -eq 0 ] || [ "${bad:-0}" -gt 0 ] || bad=1
    count "${ok:-0}" "${bad:-0}"
    [ "$status" -eq 0 ]
}

suite_lint() {
    local log=$out/lint.log name
    : >"$log"
    check() {
        name=$1
        shift
        if "$@" >>"$log" 2>&1; then
            count 1 0
        else
            echo "failed: $name" >>"$log"
            count 0 1
        fi
    }
    # shellcheck disable=SC2046  # file names of ours, without spaces
    check shellcheck shellcheck -x -P "$root" $(git ls-files '*.sh' .ci/run 2>/dev/null || find . -name '*.sh' -not -path './.build/*')
    # What it said of a file is kept, and said again while the file and all that it includes are as they were.
    mkdir -p "$root/.build/cppcheck"
    check cppcheck cppcheck --cppcheck-build-dir="$root/.build/cppcheck" --quiet --error-exitcode=1 --inline-suppr --enable=warning,performance,portability \
        --suppress=missingInclude --suppress=unknownMacro --suppress=varFuncNullUB --suppress=legacyUninitvar --std=c11 -DPG_FUNCTION_INFO_V1\(x\)= '-DREASON_VERSION="x"' -Iextension -Isidecar -Igateway/module \
        extension sidecar gateway/module
    check python "$python" -m compileall -q test
    check "layout, which make format mends" test/format.sh --check
    check "arrows between folders" "$python" test/lint/includes.py
    check "names in comments" "$python" test/lint/comments.py
    check "routes and parameters in the documents" "$python" test/lint/http_api.py
    check "fragments of the changelog" "$python" test/lint/changes.py
    check "imports of tests" "$python" test/lint/imports.py
    check "steps of the pipeline" "$python" test/lint/pipeline.py
    local actionlint
    if actionlint=$(test/stack/actionlint.sh 2>>"$log"); then
        check "pipeline by actionlint" "$actionlint"
    else
        echo "actionlint is passed over"
    fi
    check "pieces of the schema" every_piece_is_ordered
    check "characters of the schema" pieces_are_ascii
    command -v man >/dev/null && check "manual pages" manual_pages
    command -v systemd-analyze >/dev/null && check "systemd units" systemd_unit
    return 0
}

# A piece that sql/order does not name would be left out without a word.
every_piece_is_ordered() {
    diff <(sed 's/ *#.*//; /^$/d' sql/order | sort) <(cd sql && find . -name '*.sql' | sed 's|^\./||' | sort)
}

# The script is read in the encoding of the database, before it can say that this must be UTF8.
pieces_are_ascii() {
    ! LC_ALL=C grep -rn '[^ -~]' sql --include='*.sql'
}

# What groff says of them.
manual_pages() {
    local page said bad=0
    for page in sidecar/reason-{sidecar,rebuild,migrate}.8 sidecar/verify/reason-verify.1 sidecar/approve/reason-approve.1 sidecar/canary/reason-canary.1 sidecar/import/reason-import.1; do
        said=$(LC_ALL=C.UTF-8 MANROFFSEQ='' man --warnings -l "$page" 2>&1 >/dev/null)
        [ -z "$said" ] || {
            echo "$page: $said"
            bad=1
        }
    done
    return $bad
}

# systemd takes the units, and they expose little (it counts from 0 to 100).
systemd_unit() {
    local directory unit status=0
    directory=$(mktemp -d)
    cp sidecar/*.timer "$directory"
    for unit in sidecar/reason-sidecar sidecar/reason-sidecar-check-log gateway/reason-gateway; do
        sed -e "s|@bindir@|/bin|" -e "s|@sysconfdir@|/etc|" -e "s|@confdir@|/etc|" -e "s|/bin/reason-sidecar|/bin/true|" $unit.service.in >"$directory/${unit#*/}.service"
        { systemd-analyze verify --man=no "$directory/${unit#*/}.service" &&
            systemd-analyze security --offline=true --threshold=25 --no-pager "$directory/${unit#*/}.service"; } || status=1
    done
    systemd-analyze verify --man=no "$directory"/*.timer || status=1
    rm -rf "$directory"
    return $status
}

suite_unit() {
    make -C test/unit check >"$out/unit.log" 2>&1
    local status=$?
    count_plain "$out/unit.log" || count 0 1
    return $status
}

suite_fuzz() {
    if make -C test/fuzz short >"$out/fuzz.log" 2>&1; then count 1 0; else
        count 0 1
        return 1
    fi
}

# The names of the tests for pg_regress.
regress_tests() { basename -s .sql test/regress/sql/*.sql; }

# run_regress LOG PREFIX TESTS OPTION…: each test in a database of its own, PREFIX_TEST
run_regress() {
    local log=$1 prefix=$2 tests=$3 test status=0
    local regress=$pg_root/lib/postgresql/15/lib/pgxs/src/test/regress/pg_regress
    shift 3
    : >"$log"
    mkdir -p "$out/regress"
    owned_by_service "$out/regress"
    for test in $tests; do
        if as_service "$regress" --bindir="$pg_bin" --host=127.0.0.1 --port="$server_port" --user=postgres \
            --inputdir="$root/test/regress" --outputdir="$out/regress" --dbname="${prefix}_$test" "$@" "$test" >>"$log" 2>&1; then
            count 1 0
        else
            cat "$out/regress/regression.diffs" >>"$log" 2>/dev/null
            count 0 1
            status=1
        fi
    done
    return $status
}

suite_regress() { run_regress "$out/regress.log" regress "$(regress_tests)" --load-extension=reasoning_graph; }

# Every look into PostgreSQL's caches misses, which needs a server with assertions. Installing the extension like that
# would take minutes.
suite_uncached() {
    local tests test
    # Tests of many documents ask the caches for each of them, thousands of times the same: hours.
    tests=$(regress_tests | grep -v '_many$')
    for test in $tests; do
        test=uncached_$test
        echo "CREATE DATABASE $test" | pg_port=$server_port sql postgres
        echo "CREATE EXTENSION reasoning_graph" | pg_port=$server_port sql "$test"
    done
    PGOPTIONS='-c debug_discard_caches=1' run_regress "$out/uncached.log" uncached "$tests" --use-existing
}

suite_isolation() {
    local log=$out/isolation.log test status=0
    local regress=$pg_root/lib/postgresql/15/lib/pgxs/src/test/isolation/pg_isolation_regress
    : >"$log"
    mkdir -p "$out/isolation"
    owned_by_service "$out/isolation"
    for test in test/isolation/specs/*.spec; do
        test=$(basename "$test" .spec)
        if as_service "$regress" --bindir="$pg_bin" --host=127.0.0.1 --port="$server_port" --user=postgres \
            --inputdir="$root/test/isolation" --outputdir="$out/isolation" --dbname="isolation_${test//-/_}" \
            --load-extension=reasoning_graph "$test" >>"$log" 2>&1; then
            count 1 0
        else
            cat "$out/isolation/regression.diffs" "$out/isolation/output_iso/regression.diffs" >>"$log" 2>/dev/null
            count 0 1
            status=1
        fi
    done
    return $status
}

suite_pgtap() {
    local log=$out/pgtap.log test database status=0
    : >"$log"
    for test in test/pgtap/*.sql; do
        database=pgtap_$(basename "$test" .sql)
        {
            echo "CREATE DATABASE $database" | pg_port=$server_port sql postgres
            echo "CREATE EXTENSION reasoning_graph; CREATE EXTENSION pgtap" | pg_port=$server_port sql "$database"
        } >>"$log" 2>&1
        "$pg_bin/psql" -X -q -At -v ON_ERROR_STOP=1 -f "$test" "host=127.0.0.1 port=$server_port user=postgres dbname=$database" >"$out/pgtap.tap" 2>&1
        local ended=$? planned ok bad
        cat "$out/pgtap.tap" >>"$log"
        planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$out/pgtap.tap" | tail -1)
        ok=$(grep -c '^ok ' "$out/pgtap.tap")
        bad=$(grep -c '^not ok ' "$out/pgtap.tap")
        if [ "$ended" -ne 0 ] || [ -z "$planned" ] || [ "$planned" -ne $((ok + bad)) ]; then
            echo "$test: ended with $ended, planned ${planned:-nothing}, ran $((ok + bad))" >>"$log"
            bad=$((bad + 1))
        fi
        count "$ok" "$bad"
        [ "$bad" -eq 0 ] || status=1
    done
    return $status
}

suite_trace() { run_pytest test/trace; }
suite_trust() { run_pytest test/trust; }
suite_verify() { run_pytest test/verify; }
suite_crossruntime() { run_pytest test/crossruntime; }
suite_tlog() { run_pytest test/tlog; }
suite_gateway() { run_pytest test/gateway; }
suite_sanitize() {
    if test/sanitize/gateway.sh short >"$out/sanitize.log" 2>&1; then count 1 0; else
        count 0 1
        return 1
    fi
}
suite_sidecar() { run_pytest test/sidecar; }
suite_scan() { run_pytest test/scan; }
suite_charts() { run_pytest test/charts; }
# The sidecar's mirrors in what is documented of Dgraph, and in a real Neo4j in short: one server, killed once. All of it, and
# JanusGraph, are make check-graphs.
suite_engines() {
    local tests=(test/engines/test_dgraph.py)
    if ! command -v java >/dev/null 2>&1 || ! command -v mvn >/dev/null 2>&1; then
        echo "engines: Neo4j is passed over, for a JDK and Maven are not here"
    elif ! test/stack/neo4j.sh jars "$root/.build/neo4j" >"$out/engines.log" 2>&1; then
        echo "engines: Neo4j is passed over, for Maven does not get it"
    else
        tests+=(test/engines/test_neo4j.py::test_{what_is_written_shows_in_the_graph_store,a_type_that_is_none_becomes_part_of_no_statement}
            test/engines/test_neo4j.py::test_kills_of_sidecar_target_and_database_lose_and_double_nothing)
    fi
    REASON_MIRROR_EVENTS=800 REASON_MIRROR_KILLS=1 run_pytest "${tests[@]}"
}
suite_pods() { run_pytest test/pods; }
# The explorer and the auditor's page: types, style, and what a person does in a browser. Without Node there is neither.
suite_ui() {
    local log=$out/ui.log status=0
    if ! command -v npm >/dev/null 2>&1; then
        echo "ui: passed over, for Node and npm are not here"
        count 1 0
        return 0
    fi
    if [ -n "${again:-}" ]; then
        PYTHONPATH=test/lib "$python" test/ui/run.py --again "$log" >"$log.again" 2>&1 || status=1
        log=$log.again
    else
        if (cd gateway/ui && npm run --silent check) >"$log" 2>&1; then count 1 0; else
            count 0 1
            status=1
        fi
        PYTHONPATH=test/lib "$python" test/ui/run.py >>"$log" 2>&1 || status=1
    fi
    count "$(sed -n 's/^# pass //p' "$log" | tail -1 | grep . || echo 0)" "$(sed -n 's/^# \(fail\|cancelled\) //p' "$log" | awk '{n += $1} END {print NR ? n : 1}')"
    return $status
}
# fast_e2e: one file of it
suite_e2e() { run_pytest "test/e2e${fast_e2e:+/test_write.py}"; }
