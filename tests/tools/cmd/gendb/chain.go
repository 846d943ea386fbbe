package main

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"

	cmtstore "github.com/cometbft/cometbft/proto/tendermint/store"
	sm "github.com/cometbft/cometbft/state"
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// partsPerBlock is how many parts of some 20 KB each block has.
const partsPerBlock = 2

// storeNames are the stores of a home's data directory; application.db is where the Cosmos SDK
// keeps its IAVL trees.
var storeNames = []string{"blockstore", "state", "tx_index", "evidence", "application"}

// chain writes block after block into the stores of one home.
type chain struct {
	data    string
	height  int64
	written int64 // bytes of keys and values since it was last set to zero
	durable bool  // sync where a node does; only a running chain, it takes most of the time
	state   sm.State
	stores  map[string]*leveldb.DB
	wal     *wal
	noise   noise
}

// openChain opens or creates the home and goes on after its last block.
func openChain(o options) (*chain, error) {
	genesis, err := createHome(o.home, o.seed)
	if err != nil {
		return nil, err
	}
	c := &chain{data: filepath.Join(o.home, "data"), stores: map[string]*leveldb.DB{}}
	if c.state, err = sm.MakeGenesisState(genesis); err != nil {
		return nil, fmt.Errorf("make genesis state: %w", err)
	}
	for _, name := range storeNames {
		// The defaults, as the goleveldb backend of CometBFT has them: 4 MiB of memory table, 2 MiB tables, Snappy.
		if c.stores[name], err = leveldb.OpenFile(filepath.Join(c.data, name+".db"), nil); err != nil {
			return nil, fmt.Errorf("open %s.db: %w", name, err)
		}
	}
	if c.height, err = storedHeight(c.stores["blockstore"]); err != nil {
		return nil, err
	}
	if c.wal, err = openWAL(filepath.Join(c.data, "cs.wal")); err != nil {
		return nil, err
	}
	c.noise = newNoise(o.seed, c.height)
	return c, nil
}

// block writes one block everywhere, in the order in which a node does.
func (c *chain) block() error {
	c.height++
	steps := []func() error{c.writeBlockStore, c.writeApplication, c.writeState, c.writeTxIndex,
		func() error { return writeSignState(c.data, c.height) }}
	for _, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("height %d: %w", c.height, err)
		}
	}
	return nil
}

func (c *chain) put(b *leveldb.Batch, key string, value []byte) {
	b.Put([]byte(key), value)
	c.written += int64(len(key) + len(value))
}

func (c *chain) writeBlockStore() error {
	b := new(leveldb.Batch)
	for i := range partsPerBlock {
		part := c.noise.mixed(16000 + c.noise.IntN(8000))
		c.put(b, fmt.Sprintf("P:%d:%d", c.height, i), part)
		n, err := c.wal.append(part[:len(part)/2]) // proposals and votes of the height
		if err != nil {
			return err
		}
		c.written += int64(n)
	}
	meta := c.noise.mixed(600)
	c.put(b, fmt.Sprintf("H:%d", c.height), meta)
	c.put(b, fmt.Sprintf("C:%d", c.height-1), meta[:400])
	c.put(b, fmt.Sprintf("SC:%d", c.height), meta[:400])
	if err := c.stores["blockstore"].Write(b, nil); err != nil {
		return err
	}
	top, err := (&cmtstore.BlockStoreState{Base: 1, Height: c.height}).Marshal()
	if err != nil {
		return err
	}
	return c.stores["blockstore"].Put([]byte("blockStore"), top, &opt.WriteOptions{Sync: c.durable})
}

// writeApplication writes what an IAVL tree does: new nodes under their hash, orphaned old ones,
// and the root of the version.
func (c *chain) writeApplication() error {
	b := new(leveldb.Batch)
	for range 120 {
		node := c.noise.random(68)
		node = append(node, c.noise.mixed(32+c.noise.IntN(100))...)
		hash := sha256.Sum256(node)
		c.put(b, "n"+string(hash[:]), node)
	}
	for range 40 {
		hash := sha256.Sum256(bigEndian(c.noise.Int64N(c.height*120 + 1)))
		c.put(b, fmt.Sprintf("o%020d%020d%x", c.height, c.height-1, hash), hash[:])
	}
	root := sha256.Sum256(bigEndian(c.height))
	b.Put(appRootKey(c.height), root[:])
	return c.stores["application"].Write(b, &opt.WriteOptions{Sync: c.durable})
}

func (c *chain) writeState() error {
	b := new(leveldb.Batch)
	c.put(b, fmt.Sprintf("abciResponsesKey:%d", c.height), c.noise.mixed(2000))
	// Always ahead of the block: validators by two, parameters by one.
	c.put(b, fmt.Sprintf("validatorsKey:%d", c.height+2), []byte{8, 1})
	c.put(b, fmt.Sprintf("consensusParamsKey:%d", c.height+1), []byte{0x10, 1})
	c.state.LastBlockHeight = c.height
	b.Put([]byte("stateKey"), c.state.Bytes())
	return c.stores["state"].Write(b, &opt.WriteOptions{Sync: c.durable})
}

func (c *chain) writeTxIndex() error {
	b := new(leveldb.Batch)
	for i := range 20 {
		hash := sha256.Sum256(bigEndian(c.height*100 + int64(i)))
		c.put(b, string(hash[:]), c.noise.mixed(250))
		c.put(b, fmt.Sprintf("tx.height/%d/%d/%d", c.height, c.height, i), hash[:])
		c.put(b, fmt.Sprintf("app.creator/Cosmoshi Netowoko/%d/%d", c.height, i), hash[:])
	}
	return c.stores["tx_index"].Write(b, nil)
}

func (c *chain) close() error {
	errs := []error{c.wal.close()}
	for _, db := range c.stores {
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}

func bigEndian(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

func appRootKey(height int64) []byte { return append([]byte("r"), bigEndian(height)...) }

func storedHeight(blockstore *leveldb.DB) (int64, error) {
	value, err := blockstore.Get([]byte("blockStore"), nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return 0, nil
	}
	var top cmtstore.BlockStoreState
	if err == nil {
		err = top.Unmarshal(value)
	}
	if err != nil {
		return 0, fmt.Errorf("read the height of blockstore.db: %w", err)
	}
	return top.Height, nil
}

// noise makes values that compress about as well as a chain's.
type noise struct {
	*rand.Rand
	bytes *rand.ChaCha8
}

// newNoise makes the same values for the same seed, and others after a later start height.
func newNoise(seed uint64, height int64) noise {
	source := rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%d %d", seed, height)))
	return noise{Rand: rand.New(source), bytes: source}
}

var vocabulary = []string{`{"jsonrpc":"2.0",`, `"type":"tendermint/PubKeyEd25519",`, `"address":"default:0x`,
	`"contract":"`, `"method":"transfer"`, "block_id", "parts", "precommit", "validator_address", "signature",
	`"timestamp":"2026-11-22T20:`}

func (n noise) random(size int) []byte {
	b := make([]byte, size)
	_, _ = n.bytes.Read(b) // never fails
	return b
}

// mixed alternates runs of random bytes and of text.
func (n noise) mixed(size int) []byte {
	b := make([]byte, 0, size)
	for len(b) < size {
		run := min(64+n.IntN(256), size-len(b))
		if n.IntN(2) == 0 {
			b = append(b, n.random(run)...)
			continue
		}
		for end := len(b) + run; len(b) < end; {
			word := vocabulary[n.IntN(len(vocabulary))]
			b = append(b, word[:min(len(word), end-len(b))]...)
		}
	}
	return b
}
