// Says whether a file is a dashboard as Grafana's own types have it (grafana-foundation-sdk): no member that they do not know, in the
// dashboard, its panels, their queries and options, and no value that they refuse.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func check(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	plugins.RegisterDefaultPlugins()
	read := dashboard.Dashboard{}
	if err := found(read.UnmarshalJSONStrict(text)); err != nil {
		return err
	}
	return found(read.Validate())
}

// A list of errors may be there, and empty.
func found(err error) error {
	if err != nil && err.Error() == "" {
		return nil
	}
	return err
}

func main() {
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
