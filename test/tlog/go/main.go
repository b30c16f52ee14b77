// What others' libraries say of a log: a JSON request a line in, a JSON answer a line out.
//
// An answer has a member for each library that was asked, with "" where it accepts and its error where it does not.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

type request struct {
	Do        string   `json:"do"`
	Note      string   `json:"note"`
	Log       string   `json:"log"`
	Witnesses []string `json:"witnesses"`
	Policy    string   `json:"policy"`
	Proof     string   `json:"proof"`
	Index     uint64   `json:"index"`
	Size      uint64   `json:"size"`
	Old       uint64   `json:"old"`
	Leaf      []byte   `json:"leaf"`
	Leaves    [][]byte `json:"leaves"`
	Root      []byte   `json:"root"`
	OldRoot   []byte   `json:"old_root"`
	Hashes    [][]byte `json:"hashes"`
	Base      string   `json:"base"`
	Seconds   int      `json:"seconds"`
}

type answer map[string]any

// What a library said, for the answer.
func said(err error) string {
	if err == nil {
		return ""
	}
	if err.Error() == "" {
		return "refused without a word"
	}
	return err.Error()
}

// A library that panics has refused.
func guarded(check func() error) (text string) {
	defer func() {
		if reason := recover(); reason != nil {
			text = fmt.Sprintf("panic: %v", reason)
		}
	}()
	return said(check())
}

var requests = map[string]func(*request) answer{
	"note":        checkNote,
	"policy":      checkPolicy,
	"proof":       checkProof,
	"inclusion":   checkInclusion,
	"consistency": checkConsistency,
	"roots":       roots,
	"tiles":       checkTiles,
	"entries":     checkEntries,
	"fsck":        checkAll,
}

func main() {
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	output := json.NewEncoder(os.Stdout)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked request
		if err := json.Unmarshal(line, &asked); err != nil || requests[asked.Do] == nil {
			fmt.Fprintf(os.Stderr, "no such request: %v: %.200s\n", err, line)
			os.Exit(1)
		}
		if err := output.Encode(requests[asked.Do](&asked)); err != nil {
			os.Exit(1)
		}
	}
}
