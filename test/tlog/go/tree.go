package main

import (
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
)

func asHash(bytes []byte) (hash tlog.Hash, err error) {
	if len(bytes) != tlog.HashSize {
		return hash, fmt.Errorf("a hash of %d bytes", len(bytes))
	}
	return tlog.Hash(bytes), nil
}

func asHashes(list [][]byte) (hashes []tlog.Hash, err error) {
	for _, bytes := range list {
		hash, err := asHash(bytes)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

func checkInclusion(asked *request) answer {
	return answer{
		"sumdb": guarded(func() error {
			root, err := asHash(asked.Root)
			if err != nil {
				return err
			}
			hashes, err := asHashes(asked.Hashes)
			if err != nil {
				return err
			}
			return tlog.CheckRecord(hashes, int64(asked.Size), root, int64(asked.Index), tlog.RecordHash(asked.Leaf))
		}),
		"merkle": guarded(func() error {
			return proof.VerifyInclusion(rfc6962.DefaultHasher, asked.Index, asked.Size, rfc6962.DefaultHasher.HashLeaf(asked.Leaf), asked.Hashes, asked.Root)
		}),
	}
}

func checkConsistency(asked *request) answer {
	return answer{
		"sumdb": guarded(func() error {
			root, err := asHash(asked.Root)
			if err != nil {
				return err
			}
			old, err := asHash(asked.OldRoot)
			if err != nil {
				return err
			}
			hashes, err := asHashes(asked.Hashes)
			if err != nil {
				return err
			}
			return tlog.CheckTree(hashes, int64(asked.Size), root, int64(asked.Old), old)
		}),
		"merkle": guarded(func() error {
			return proof.VerifyConsistency(rfc6962.DefaultHasher, asked.Old, asked.Size, asked.Hashes, asked.OldRoot, asked.Root)
		}),
	}
}

// The stored hashes of a tree that is held in memory.
type memory []tlog.Hash

func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(m)) {
			return nil, errors.New("there is no such hash")
		}
		hashes[i] = m[index]
	}
	return hashes, nil
}

// The roots after each leaf, by each library.
func roots(asked *request) answer {
	var sumdb, merkle [][]byte
	var stored memory
	growing := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	said := guarded(func() error {
		for index, leaf := range asked.Leaves {
			hashes, err := tlog.StoredHashes(int64(index), leaf, stored)
			if err != nil {
				return err
			}
			stored = append(stored, hashes...)
			root, err := tlog.TreeHash(int64(index)+1, stored)
			if err != nil {
				return err
			}
			sumdb = append(sumdb, root[:])
			if err := growing.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil); err != nil {
				return err
			}
			other, err := growing.GetRootHash(nil)
			if err != nil {
				return err
			}
			merkle = append(merkle, other)
		}
		return nil
	})
	return answer{"error": said, "sumdb": sumdb, "merkle": merkle}
}
