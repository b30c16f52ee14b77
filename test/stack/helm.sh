#!/bin/sh
# Print the path of helm.
exec "$(dirname "$0")/go-program.sh" helm helm.sh/helm/v3/cmd/helm@v3.16.4
