// Command loom stands in for Loom's binary, which can no longer be built: a real
// CometBFT node that keeps its files where Loom keeps them, takes Loom's arguments and
// stops as Loom stops. It lets the Loom layout be tested with a node that makes blocks.
//
// Everything is relative to the working directory, as in Loom. It deliberately has no
// contracts, no EVM, no query server on 46658 and no Loom transactions.
package main

import (
	"fmt"
	"os"

	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/version"
	"github.com/spf13/cobra"
)

func main() {
	root := &cobra.Command{
		Use:           "loom",
		Short:         "A CometBFT node in Loom's clothes, for tests",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(initCommand(), runCommand(), nodeKeyCommand(), versionCommand())
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Write genesis.json and chaindata/config with new keys",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return initHome() },
	}
}

func runCommand() *cobra.Command {
	var peers, persistentPeers string
	// Loom takes a root contract as a positional argument and ignores it; several unit files in
	// the field pass their peers there, with no effect.
	cmd := &cobra.Command{
		Use:   "run [root contract]",
		Short: "Run the node",
		RunE:  func(*cobra.Command, []string) error { return runNode(peers, persistentPeers) },
	}
	cmd.Flags().StringVarP(&peers, "peers", "p", "", "seeds, comma separated")
	cmd.Flags().StringVar(&persistentPeers, "persistent-peers", "", "persistent peers, comma separated")
	return cmd
}

func nodeKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "nodekey",
		Short: "Print the node id",
		// As Loom's: a missing key is made, and an error still exits with 0. No tool should call this.
		Run: func(*cobra.Command, []string) {
			cfg, err := loadConfig()
			if err != nil {
				fmt.Print("Error in determining Node Key")
				return
			}
			key, err := p2p.LoadOrGenNodeKey(cfg.node.NodeKeyFile())
			if err != nil {
				fmt.Print("Error in determining Node Key")
				return
			}
			fmt.Println(key.ID())
		},
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Run: func(*cobra.Command, []string) {
			fmt.Println("loom stand-in, CometBFT", version.TMCoreSemVer)
		},
	}
}
