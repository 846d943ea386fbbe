package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// verify opens every store as a node would, but strictly, reads all of it, and fails unless no
// block is missing and the heights are ones from which a node starts. Opening writes: use a copy.
func verify(o options) error {
	data := filepath.Join(o.home, "data")
	stores := map[string]*leveldb.DB{}
	for _, name := range storeNames {
		db, err := openWhole(filepath.Join(data, name+".db"))
		if err != nil {
			return fmt.Errorf("%s.db: %w", name, err)
		}
		defer db.Close()
		stores[name] = db
	}
	top, err := storedHeight(stores["blockstore"])
	if err != nil {
		return err
	}
	missing := 0
	for h := int64(1); h <= top; h++ {
		for i := range partsPerBlock {
			if ok, err := stores["blockstore"].Has(fmt.Appendf(nil, "P:%d:%d", h, i), nil); err != nil || !ok {
				missing++
			}
		}
	}
	// A damaged copy may be ahead of its block store: look somewhat above it too.
	highest := func(store string, key func(int64) []byte) int64 {
		for h := top + 200; h > 0; h-- {
			if ok, err := stores[store].Has(key(h), nil); err == nil && ok {
				return h
			}
		}
		return 0
	}
	app := highest("application", appRootKey)
	state := highest("state", func(h int64) []byte { return fmt.Appendf(nil, "consensusParamsKey:%d", h+1) })
	index := highest("tx_index", func(h int64) []byte { return fmt.Appendf(nil, "tx.height/%d/%d/0", h, h) })
	signed, err := signedHeight(data)
	if err != nil {
		return err
	}
	fmt.Printf("blockstore %d application %d state %d tx_index %d signed %d missing_parts %d\n",
		top, app, state, index, signed, missing)
	switch {
	case missing > 0:
		return fmt.Errorf("%d block parts are missing", missing)
	case app > top || state > top || app < top-1 || state < top-1:
		return errors.New("the heights do not fit")
	}
	return nil
}

func openWhole(path string) (*leveldb.DB, error) {
	db, err := leveldb.OpenFile(path, &opt.Options{ErrorIfMissing: true, Strict: opt.StrictAll})
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	entries := db.NewIterator(nil, nil)
	for entries.Next() { //nolint:revive // reading is the check
	}
	entries.Release()
	if err := entries.Error(); err != nil {
		return nil, errors.Join(fmt.Errorf("read: %w", err), db.Close())
	}
	return db, nil
}

func signedHeight(data string) (int64, error) {
	text, err := os.ReadFile(filepath.Join(data, "priv_validator_state.json"))
	if err != nil {
		return 0, fmt.Errorf("read sign state: %w", err)
	}
	var state struct {
		Height int64 `json:",string"`
	}
	if err := json.Unmarshal(text, &state); err != nil {
		return 0, fmt.Errorf("read sign state: %w", err)
	}
	return state.Height, nil
}
