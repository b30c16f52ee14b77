package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A log in a folder, or behind a URL: a file of it.
func read(base, path string) ([]byte, error) {
	if !strings.HasPrefix(base, "http://") && !strings.HasPrefix(base, "https://") {
		return os.ReadFile(filepath.Join(base, filepath.FromSlash(path)))
	}
	response, err := (&http.Client{Timeout: 10 * time.Second}).Get(strings.TrimSuffix(base, "/") + "/" + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, response.Status)
	}
	return io.ReadAll(response.Body)
}

// golang.org/x/mod's reader of tiles, over the paths of tlog-tiles.
type tiles struct{ base string }

func (t tiles) Height() int { return torchwood.TileHeight }

func (t tiles) ReadTiles(wanted []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range wanted {
		bytes, err := read(t.base, torchwood.TilePath(tile))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// The checkpoint as it is published, under the log's key.
func published(asked *request) (tree tlog.Tree, err error) {
	signed, err := read(asked.Base, "checkpoint")
	if err != nil {
		return tree, err
	}
	verifier, err := note.NewVerifier(asked.Log)
	if err != nil {
		return tree, err
	}
	policy := torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(verifier.Name()), torchwood.SingleVerifierPolicy(verifier))
	checkpoint, _, err := torchwood.VerifyCheckpoint(signed, policy)
	if err != nil {
		return tree, err
	}
	return tlog.Tree{N: checkpoint.N, Hash: checkpoint.Hash}, nil
}

// Every leaf is proved from the tiles, and equals the entry that is published.
func checkTiles(asked *request) answer {
	var size int64
	text := guarded(func() error {
		tree, err := published(asked)
		if err != nil {
			return err
		}
		size = tree.N
		reader := tlog.TileHashReader(tree, tiles{asked.Base})
		for first := int64(0); first < tree.N; first += torchwood.TileWidth {
			tile := tlog.Tile{H: torchwood.TileHeight, L: -1, N: first / torchwood.TileWidth, W: int(min(torchwood.TileWidth, tree.N-first))}
			rest, err := read(asked.Base, torchwood.TilePath(tile))
			if err != nil {
				return err
			}
			for index := first; index < first+int64(tile.W); index++ {
				var entry []byte
				if entry, rest, err = torchwood.ReadTileEntry(rest); err != nil {
					return err
				}
				proof, err := tlog.ProveRecord(tree.N, index, reader)
				if err != nil {
					return err
				}
				if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
					return fmt.Errorf("entry %d: %w", index, err)
				}
			}
			if len(rest) != 0 {
				return fmt.Errorf("%d bytes after the entries of bundle %d", len(rest), tile.N)
			}
		}
		return nil
	})
	return answer{"sumdb": text, "size": size}
}

// torchwood's client reads all entries, which it authenticates by the tiles.
func checkEntries(asked *request) answer {
	var entries [][]byte
	text := guarded(func() error {
		tree, err := published(asked)
		if err != nil {
			return err
		}
		var source torchwood.TileReader
		if strings.HasPrefix(asked.Base, "http") {
			source, err = torchwood.NewTileFetcher(asked.Base)
		} else {
			source, err = torchwood.NewTileFS(os.DirFS(asked.Base))
		}
		if err != nil {
			return err
		}
		reader, err := torchwood.NewClient(source, torchwood.WithTimeout(10*time.Second))
		if err != nil {
			return err
		}
		for _, entry := range reader.AllEntries(context.Background(), tree, 0) {
			entries = append(entries, bytes.Clone(entry))
		}
		if err := reader.Err(); err != nil {
			return err
		}
		if int64(len(entries)) != tree.N {
			return fmt.Errorf("%d entries of %d", len(entries), tree.N)
		}
		return nil
	})
	return answer{"torchwood": text, "entries": entries}
}

// tessera's fsck, which makes all tiles anew from the entries. It waits for ever where a tile is damaged.
func checkAll(asked *request) answer {
	return answer{"tessera": guarded(func() error {
		verifier, err := note.NewVerifier(asked.Log)
		if err != nil {
			return err
		}
		var source fsck.Fetcher = &client.FileFetcher{Root: asked.Base}
		if strings.HasPrefix(asked.Base, "http") {
			base, err := url.Parse(asked.Base + "/")
			if err != nil {
				return err
			}
			if source, err = client.NewHTTPFetcher(base, nil); err != nil {
				return err
			}
		}
		done := make(chan error, 1)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() { done <- fsck.New(verifier.Name(), verifier, source, leafHashes, fsck.Opts{N: 2}).Check(ctx) }()
		select {
		case err := <-done:
			return err
		case <-time.After(time.Duration(asked.Seconds) * time.Second):
			return fmt.Errorf("no end after %d s", asked.Seconds)
		}
	})}
}

func leafHashes(bundle []byte) (hashes [][]byte, err error) {
	entries := api.EntryBundle{}
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	for _, entry := range entries.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}
