// A log that asks a witness, by the client of transparency-dev/witness: a JSON request a line in, a JSON answer a line out.
// The witness of that module itself is built beside it (the tool in go.mod).
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	client "github.com/transparency-dev/witness/client/http"
)

func main() {
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	output := json.NewEncoder(os.Stdout)
	for {
		var asked struct {
			URL    string   `json:"url"`
			Old    uint64   `json:"old"`
			Note   string   `json:"note"`
			Hashes [][]byte `json:"hashes"`
		}
		line, err := input.ReadBytes('\n')
		if err != nil {
			return
		}
		if err := json.Unmarshal(line, &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		answer := map[string]any{}
		address, err := url.Parse(asked.URL)
		if err == nil {
			var cosignatures []byte
			var size uint64
			witness := client.NewWitness(address, &http.Client{Timeout: 20 * time.Second})
			cosignatures, size, err = witness.Update(context.Background(), asked.Old, []byte(asked.Note), asked.Hashes)
			answer["cosignatures"], answer["size"] = string(cosignatures), size
		}
		answer["error"] = ""
		if err != nil {
			answer["error"] = err.Error()
		}
		if err := output.Encode(answer); err != nil {
			os.Exit(1)
		}
	}
}
