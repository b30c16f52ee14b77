#!/usr/bin/env bash
# The layout of the code: C by test/lint/layout.py, Python by autopep8, shell scripts by shfmt.
#
#   format.sh            lays everything out (make format)
#   format.sh --check    prints what would change, and fails if anything would (part of the lint)
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

# Lines are broken by hand: neither their length (E5) nor the place of operators (W5) is looked at, nor are names for lambdas (E731),
# imports behind a path that is set (E402), spaces that align (E203, E226, E24), and tabs in what is printed (E101, W191).
ignored=E5,W5,E731,E402,E203,E226,E24,E101,W191
mapfile -t scripts < <(git ls-files -co --exclude-standard '*.sh' .ci/run)
mapfile -t python < <(git ls-files -co --exclude-standard '*.py')

if [ "${1:-}" = --check ]; then
    status=0
    /usr/bin/python3 test/lint/layout.py || status=1
    /usr/bin/python3 -m pycodestyle --ignore "$ignored" "${python[@]}" || status=1
    shfmt -i 4 -ci -d "${scripts[@]}" || status=1
    exit $status
fi
status=0
/usr/bin/python3 test/lint/layout.py --write || status=1
/usr/bin/python3 -W ignore -m autopep8 --in-place --ignore "$ignored" --jobs 2 "${python[@]}"
shfmt -i 4 -ci -w "${scripts[@]}"
exit $status
