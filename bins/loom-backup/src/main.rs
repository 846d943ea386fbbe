//! `loom-backup`: arguments, a call, an exit code. What a command does is in the crates.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use loom_cli::{BackupArgs, Common, WhichNode};

/// Packs are allocated and freed by many threads. glibc keeps such buffers, a pack's worth for each thread, long after they are
/// freed: with it the peak is twice as high.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Consistent backups of Loom, Tendermint and CometBFT nodes.
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
    /// Take a backup: stop the service for as long as linking its files takes, then store them
    Run {
        #[command(flatten)]
        backup: BackupArgs,
        /// Show what would be taken, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List the backups in a repository
    List(WhichNode),
    /// Say whether a run would work, without stopping anything; with --max-age, whether the last one is recent enough
    Check {
        #[command(flatten)]
        backup: BackupArgs,
        /// Only look at the last run: exit 5 when its success is older than this (such as 26h)
        #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
        max_age: Option<std::time::Duration>,
    },
    /// Say what is running, how the last run ended and when the next one is
    Status {
        /// The node's name in the repository [default: this machine's host name]
        #[arg(long, value_name = "NAME")]
        node: Option<loom_runbook::repository::NodeName>,
    },
    /// Bring back a service that an interrupted run left stopped; nothing else is started
    Recover {
        /// The node's name in the repository [default: this machine's host name]
        #[arg(long, value_name = "NAME")]
        node: Option<loom_runbook::repository::NodeName>,
        /// The systemd unit that runs the node
        #[arg(long, value_name = "UNIT|none")]
        service: Option<loom_cli::ServiceName>,
    },
    /// Print an annotated default configuration
    Config,
}

fn main() -> ExitCode {
    let Arguments { common, command } = Arguments::parse();
    let shared = common.clone();
    loom_cli::main(&common, async move |cancel| match command {
        Command::Run { backup, dry_run } => commands::run(&shared, &backup, dry_run, cancel).await,
        Command::List(which) => commands::list(&shared, &which).await,
        Command::Check { max_age: Some(age), backup } => commands::check_age(&shared, &backup, age),
        Command::Check { backup, .. } => commands::check(&shared, &backup, cancel).await,
        Command::Status { node } => commands::status(&shared, node.as_ref()),
        Command::Recover { node, service } => commands::recover(&shared, node.as_ref(), service.as_ref()),
        Command::Config => commands::config(&shared),
    })
}
