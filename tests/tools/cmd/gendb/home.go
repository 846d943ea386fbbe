package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/types"
)

const chainID = "gendb-1"

// createHome writes what belongs beside the stores, unless it is there: a default config.toml,
// keys made from the seed, a genesis with that one validator, an empty address book. It answers
// the genesis.
func createHome(home string, seed uint64) (*types.GenesisDoc, error) {
	cfg := config.DefaultConfig()
	cfg.SetRoot(home)
	config.EnsureRoot(home)
	if _, err := os.Stat(cfg.GenesisFile()); err == nil {
		return types.GenesisDocFromFile(cfg.GenesisFile())
	}

	secret := func(of string) []byte { return fmt.Appendf(nil, "%s %d", of, seed) }
	validator := privval.NewFilePV(ed25519.GenPrivKeyFromSecret(secret("validator")),
		cfg.PrivValidatorKeyFile(), cfg.PrivValidatorStateFile())
	validator.Save()
	nodeKey := p2p.NodeKey{PrivKey: ed25519.GenPrivKeyFromSecret(secret("node"))}
	if err := nodeKey.SaveAs(cfg.NodeKeyFile()); err != nil {
		return nil, fmt.Errorf("write node key: %w", err)
	}
	bookKey := sha256.Sum256(secret("book"))
	book := fmt.Sprintf("{\n\t\"key\": %q,\n\t\"addrs\": []\n}", hex.EncodeToString(bookKey[:12]))
	if err := os.WriteFile(cfg.P2P.AddrBookFile(), []byte(book), 0o644); err != nil {
		return nil, fmt.Errorf("write address book: %w", err)
	}

	key := validator.Key.PubKey
	genesis := &types.GenesisDoc{
		ChainID:         chainID,
		GenesisTime:     time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		InitialHeight:   1,
		ConsensusParams: types.DefaultConsensusParams(),
		Validators:      []types.GenesisValidator{{Address: key.Address(), PubKey: key, Power: 10}},
	}
	if err := genesis.SaveAs(cfg.GenesisFile()); err != nil {
		return nil, fmt.Errorf("write genesis: %w", err)
	}
	return genesis, nil
}

// writeSignState replaces the validator's state file at each block, as a validator does.
func writeSignState(data string, height int64) error {
	path := filepath.Join(data, "priv_validator_state.json")
	text := fmt.Sprintf("{\n  \"height\": \"%d\",\n  \"round\": 0,\n  \"step\": 3\n}", height)
	if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
		return fmt.Errorf("write sign state: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("write sign state: %w", err)
	}
	return nil
}
