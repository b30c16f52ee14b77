package main

import (
	"errors"
	"fmt"

	"filippo.io/torchwood"
	f_log "github.com/transparency-dev/formats/log"
	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A checkpoint must be signed by the log and cosigned by each of the witnesses.
func checkNote(asked *request) answer {
	return answer{
		"sumdb": guarded(func() error {
			verifier, err := note.NewVerifier(asked.Log)
			if err != nil {
				return err
			}
			opened, err := note.Open([]byte(asked.Note), note.VerifierList(verifier))
			if err == nil {
				_, err = tlog.ParseTree([]byte("go.sum database tree\n" + afterOrigin(opened.Text)))
			}
			return err
		}),
		"formats": guarded(func() error {
			verifier, err := note.NewVerifier(asked.Log)
			if err != nil {
				return err
			}
			var witnesses []note.Verifier
			for _, vkey := range asked.Witnesses {
				witness, err := f_note.NewVerifierForCosignatureV1(vkey)
				if err != nil {
					return err
				}
				witnesses = append(witnesses, witness)
			}
			_, _, opened, err := f_log.ParseCheckpoint([]byte(asked.Note), verifier.Name(), verifier, witnesses...)
			if err != nil {
				return err
			}
			// the log's own is one of them
			if len(opened.Sigs) != 1+len(witnesses) {
				return fmt.Errorf("%d of %d witnesses cosigned", len(opened.Sigs)-1, len(witnesses))
			}
			return nil
		}),
		"torchwood": guarded(func() error {
			verifier, err := note.NewVerifier(asked.Log)
			if err != nil {
				return err
			}
			policies := []torchwood.Policy{torchwood.OriginPolicy(verifier.Name()), torchwood.SingleVerifierPolicy(verifier)}
			for _, vkey := range asked.Witnesses {
				witness, err := torchwood.NewCosignatureVerifier(vkey)
				if err != nil {
					return err
				}
				policies = append(policies, torchwood.SingleVerifierPolicy(witness))
			}
			_, _, err = torchwood.VerifyCheckpoint([]byte(asked.Note), torchwood.ThresholdPolicy(len(policies), policies...))
			return err
		}),
	}
}

// The lines of a checkpoint's text after the first.
func afterOrigin(text string) string {
	for i, character := range text {
		if character == '\n' {
			return text[i+1:]
		}
	}
	return ""
}

func checkPolicy(asked *request) answer {
	return answer{"torchwood": guarded(func() error {
		policy, err := torchwood.ParsePolicy([]byte(asked.Policy))
		if err != nil || asked.Note == "" {
			return err
		}
		_, _, err = torchwood.VerifyCheckpoint([]byte(asked.Note), policy)
		return err
	})}
}

// A tlog-proof of a leaf, under a policy.
func checkProof(asked *request) answer {
	return answer{"torchwood": guarded(func() error {
		policy, err := torchwood.ParsePolicy([]byte(asked.Policy))
		if err != nil {
			return err
		}
		if len(asked.Leaf) == 0 {
			return errors.New("there is no leaf")
		}
		return torchwood.VerifyProof(policy, tlog.RecordHash(asked.Leaf), []byte(asked.Proof))
	})}
}
