// A JSON text a line in; SHA-256 and canonical form a line out (the reference implementation's Go edition).
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
)

func main() {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, line := range bytes.Split(bytes.TrimSuffix(input, []byte("\n")), []byte("\n")) {
		// it takes objects and arrays only
		form, err := jsoncanonicalizer.Transform(append(append([]byte("["), line...), ']'))
		if err != nil {
			panic(fmt.Sprintf("%s: %s", err, line))
		}
		form = form[1 : len(form)-1]
		fmt.Fprintf(out, "%x %s\n", sha256.Sum256(form), form)
	}
}
