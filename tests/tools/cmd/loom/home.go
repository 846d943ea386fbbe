package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/libs/rand"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/types"
	cmttime "github.com/cometbft/cometbft/types/time"
	"github.com/spf13/viper"
)

const chainDir = "chaindata"

// loomConfig is what `loom run` needs of loom.yml and chaindata/config/config.toml.
type loomConfig struct {
	dbName string // the application's database is DBName.db in the working directory
	node   *config.Config
}

// privValidatorFile holds key and sign state in one file, as Tendermint up to 0.30 has it.
func (c loomConfig) privValidatorFile() string {
	return filepath.Join(c.node.RootDir, "config", "priv_validator.json")
}

// loadConfig reads both configurations. Like Loom it makes chaindata and a config.toml if there
// are none, and a missing loom.yml means the defaults.
func loadConfig() (loomConfig, error) {
	config.EnsureRoot(chainDir)

	loom := viper.New()
	loom.SetConfigName("loom")
	loom.AddConfigPath(".")
	loom.AddConfigPath("config")
	loom.SetDefault("DBName", "app")
	loom.SetDefault("RPCListenAddress", "tcp://127.0.0.1:46657")
	var missing viper.ConfigFileNotFoundError
	if err := loom.ReadInConfig(); err != nil && !errors.As(err, &missing) {
		return loomConfig{}, fmt.Errorf("read loom.yml: %w", err)
	}

	file := viper.New()
	file.SetConfigFile(filepath.Join(chainDir, "config", "config.toml"))
	if err := file.ReadInConfig(); err != nil {
		return loomConfig{}, fmt.Errorf("read config.toml: %w", err)
	}
	node := config.DefaultConfig()
	if err := file.Unmarshal(node); err != nil {
		return loomConfig{}, fmt.Errorf("read config.toml: %w", err)
	}
	node.SetRoot(chainDir)
	node.RPC.ListenAddress = loom.GetString("RPCListenAddress")
	if err := node.ValidateBasic(); err != nil {
		return loomConfig{}, fmt.Errorf("read config.toml: %w", err)
	}
	return loomConfig{dbName: loom.GetString("DBName"), node: node}, nil
}

// initHome writes what `loom init` writes, and like it refuses a directory that has a node.
// loom.yml is not written: Loom leaves that to the operator.
func initHome() error {
	taken := []string{"genesis.json", "app.db", filepath.Join(chainDir, "config", "genesis.json"),
		filepath.Join(chainDir, "config", "priv_validator.json")}
	for _, path := range taken {
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("%s exists", path)
		}
	}
	cfg, err := loadConfig()
	if err != nil {
		return err
	}
	signer, err := createSigner(cfg.privValidatorFile())
	if err != nil {
		return err
	}
	if _, err := p2p.LoadOrGenNodeKey(cfg.node.NodeKeyFile()); err != nil {
		return fmt.Errorf("create node key: %w", err)
	}
	key, err := signer.GetPubKey()
	if err != nil {
		return err
	}
	genesis := types.GenesisDoc{
		ChainID:         "loom-test-" + rand.Str(6),
		GenesisTime:     cmttime.Now(),
		ConsensusParams: types.DefaultConsensusParams(),
		Validators:      []types.GenesisValidator{{Address: key.Address(), PubKey: key, Power: 10}},
	}
	if err := genesis.SaveAs(cfg.node.GenesisFile()); err != nil {
		return fmt.Errorf("write genesis: %w", err)
	}
	// The application's genesis lists the built-in contracts; there are none here.
	return os.WriteFile("genesis.json", []byte("{\n    \"contracts\": []\n}\n"), 0o644)
}
