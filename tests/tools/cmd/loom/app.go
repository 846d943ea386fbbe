package main

import (
	"context"
	"encoding/binary"
	"fmt"

	dbm "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/abci/example/kvstore"
	abci "github.com/cometbft/cometbft/abci/types"
)

// app is CometBFT's kvstore with one addition: it leaves a root key for each version in app.db,
// named as IAVL names them, so that the application's height can be read from the files.
type app struct {
	*kvstore.Application
	db     dbm.DB
	height int64
}

func newApp(db dbm.DB) *app {
	return &app{Application: kvstore.NewApplication(db), db: db}
}

func (a *app) FinalizeBlock(ctx context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	a.height = req.Height
	return a.Application.FinalizeBlock(ctx, req)
}

// Commit writes the root after the state: killed in between, the files show a height one too
// low, which the node repairs by replay, never one too high, which it could not.
func (a *app) Commit(ctx context.Context, req *abci.RequestCommit) (*abci.ResponseCommit, error) {
	resp, err := a.Application.Commit(ctx, req)
	if err != nil {
		return nil, err
	}
	root := binary.BigEndian.AppendUint64([]byte("r"), uint64(a.height))
	if err := a.db.Set(root, []byte{1}); err != nil {
		return nil, fmt.Errorf("write root %d: %w", a.height, err)
	}
	return resp, nil
}
