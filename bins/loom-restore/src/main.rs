//! `loom-restore`: arguments, a call, an exit code. What a command does is in the crates.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use loom_cli::{Common, RestoreArgs, WhichNode};

/// Packs are allocated and freed by many threads. glibc keeps such buffers, a pack's worth for each thread, long after they are
/// freed: with it the peak is twice as high.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Restores of Loom, Tendermint and CometBFT nodes from the backups of `loom-backup`.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the backups in a repository
    List(WhichNode),
    /// Show what a backup is and what is in it
    Show {
        #[command(flatten)]
        which: WhichNode,
        /// Which backup: an id from `list`, or `latest`
        #[arg(long, value_name = "ID|latest", default_value = "latest", value_parser = loom_cli::which)]
        backup: loom_cli::WhichBackup,
    },
    /// Show what a restore would do, and change nothing
    Plan(RestoreArgs),
    /// Restore: stage beside what is there, stop the service, swap, start
    Run(RestoreArgs),
}

fn main() -> ExitCode {
    let Arguments { common, command } = Arguments::parse();
    let shared = common.clone();
    loom_cli::main(&common, async move |cancel| match command {
        Command::List(which) => commands::list(&shared, &which).await,
        Command::Show { which, backup } => commands::show(&shared, &which, backup).await,
        Command::Plan(args) => commands::plan(&shared, &args, cancel).await,
        Command::Run(args) => commands::run(&shared, &args, cancel).await,
    })
}
