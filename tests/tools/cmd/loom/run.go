package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	dbm "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/proxy"
)

// runNode runs until a signal ends it; it never returns nil.
func runNode(peers, persistentPeers string) error {
	cfg, err := loadConfig()
	if err != nil {
		return err
	}
	// Unconditionally, as in Loom: config.toml's lists have no effect.
	cfg.node.P2P.Seeds = peers
	cfg.node.P2P.PersistentPeers = persistentPeers

	key, err := p2p.LoadNodeKey(cfg.node.NodeKeyFile())
	if err != nil {
		return fmt.Errorf("failed to locate local node p2p key file: %w", err)
	}
	signer, err := openSigner(cfg.privValidatorFile())
	if err != nil {
		return err
	}
	db, err := dbm.NewGoLevelDB(cfg.dbName, ".")
	if err != nil {
		return fmt.Errorf("open %s.db: %w", cfg.dbName, err)
	}
	logger := log.NewFilter(log.NewTMLogger(log.NewSyncWriter(os.Stderr)), log.AllowError())
	n, err := node.NewNode(cfg.node, signer, key, proxy.NewLocalClientCreator(newApp(db)),
		node.DefaultGenesisDocProviderFunc(cfg.node), config.DefaultDBProvider,
		node.DefaultMetricsProvider(cfg.node.Instrumentation), logger)
	if err != nil {
		return fmt.Errorf("create node: %w", err)
	}
	trapSignals(n)
	if err := n.Start(); err != nil {
		return fmt.Errorf("start node: %w", err)
	}
	select {}
}

// trapSignals ends the process as Loom ends: two handlers race, no database is closed, and the
// exit status is 0 or 1 as chance has it. A stop is a crash that left its writes to the kernel.
func trapSignals(n *node.Node) {
	contracts := make(chan os.Signal, 1)
	signal.Notify(contracts, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	go func() {
		<-contracts
		os.Exit(0)
	}()
	tendermint := make(chan os.Signal, 1)
	signal.Notify(tendermint, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-tendermint
		_ = n.Stop()
		os.Exit(1)
	}()
}
