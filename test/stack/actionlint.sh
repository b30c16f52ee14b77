#!/bin/sh
# Print the path of actionlint, the linter of pipeline definitions.
exec "$(dirname "$0")/go-program.sh" actionlint github.com/rhysd/actionlint/cmd/actionlint@v1.7.7
