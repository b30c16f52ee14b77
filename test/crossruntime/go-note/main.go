// What note_lines.c does, by golang.org/x/mod/sumdb/note.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

func decode(text string) []byte {
	bytes, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return bytes
}

func open(message []byte, vkey string) string {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return "no key"
	}
	opened, err := note.Open(message, note.VerifierList(verifier))
	var invalid *note.InvalidSignatureError
	var unverified *note.UnverifiedNoteError
	switch {
	case err == nil:
		return "verified " + base64.StdEncoding.EncodeToString([]byte(opened.Text))
	case errors.As(err, &invalid):
		return "forged"
	case errors.As(err, &unverified):
		return "not signed"
	}
	return "no note"
}

func sign(name string, seed []byte, text string) string {
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(name, public)
	if err != nil {
		panic(err)
	}
	id := strings.Split(vkey, "+")[1]
	secret := base64.StdEncoding.EncodeToString(append([]byte{1}, seed...))
	signer, err := note.NewSigner("PRIVATE+KEY+" + name + "+" + id + "+" + secret)
	if err != nil {
		panic(err)
	}
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		panic(err)
	}
	return vkey + " " + base64.StdEncoding.EncodeToString(signed)
}

func main() {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, line := range bytes.Split(bytes.TrimSuffix(input, []byte("\n")), []byte("\n")) {
		word := strings.Split(string(line), " ")
		if word[0] == "open" {
			fmt.Fprintln(out, open(decode(word[1]), string(decode(word[2]))))
		} else {
			seed, err := hex.DecodeString(word[2])
			if err != nil {
				panic(err)
			}
			fmt.Fprintln(out, sign(word[1], seed, string(decode(word[3]))))
		}
	}
}
