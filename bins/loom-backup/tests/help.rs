//! What `loom-backup` says about itself.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

/// The help of the program, or of a command of it.
fn help(command: &[&str]) -> String {
    let program = env!("CARGO_BIN_EXE_loom-backup");
    let output = Command::new(program).args(command).arg("--help").env_clear().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_program_names_its_commands() {
    insta::assert_snapshot!(help(&[]), @r"
    Consistent backups of Loom, Tendermint and CometBFT nodes.

    Usage: loom-backup [OPTIONS] <COMMAND>

    Commands:
      run      Take a backup: stop the service for as long as linking its files takes, then store them
      list     List the backups in a repository
      check    Say whether a run would work, without stopping anything; with --max-age, whether the last
               one is recent enough
      status   Say what is running, how the last run ended and when the next one is
      recover  Bring back a service that an interrupted run left stopped; nothing else is started
      config   Print an annotated default configuration
      help     Print this message or the help of the given subcommand(s)

    Options:
          --config <FILE>    Configuration file [default: /etc/loom-backup/config.toml, if it is there]
                             [env: LOOM_BACKUP_CONFIG=]
          --state-dir <DIR>  Where this tool keeps its lock, its journal and the last run's outcome
          --json             Print one JSON document to standard output, progress as JSON lines to
                             standard error
      -v, --verbose...       Say more: -v what is decided, -vv every request
      -h, --help             Print help
      -V, --version          Print version
    ");
}

#[test]
fn run_explains_its_flags() {
    insta::assert_snapshot!(help(&["run"]), @r"
    Take a backup: stop the service for as long as linking its files takes, then store them

    Usage: loom-backup run [OPTIONS]

    Options:
          --config <FILE>        Configuration file [default: /etc/loom-backup/config.toml, if it is
                                 there] [env: LOOM_BACKUP_CONFIG=]
          --home <DIR>           The directory the node runs in [default: the WorkingDirectory= of the
                                 service]
          --node <NAME>          The node's name in the repository [default: this machine's host name]
          --state-dir <DIR>      Where this tool keeps its lock, its journal and the last run's outcome
          --json                 Print one JSON document to standard output, progress as JSON lines to
                                 standard error
          --layout <LAYOUT>      What is where in the home: auto, loom or cometbft
          --service <UNIT|none>  The systemd unit that runs the node, or `none` when nothing runs it
      -v, --verbose...           Say more: -v what is decided, -vv every request
          --to <URL>             The repository, such as `s3://bucket/prefix`, `gs://…`, `az://…` or
                                 `file:///directory`
          --only <CLASSES>       The classes to take, of data,config,identity,signing [default: all]
          --quiesce <stop|none>  How to hold the node still: `stop` its service, or `none` (copied
                                 running; never the latest backup) [possible values: stop, none]
          --dry-run              Show what would be taken, and change nothing
      -h, --help                 Print help
    ");
}

#[test]
fn list_explains_its_flags() {
    insta::assert_snapshot!(help(&["list"]), @r"
    List the backups in a repository

    Usage: loom-backup list [OPTIONS]

    Options:
          --config <FILE>    Configuration file [default: /etc/loom-backup/config.toml, if it is there]
                             [env: LOOM_BACKUP_CONFIG=]
          --to <URL>         The repository, such as `s3://bucket/prefix`, `gs://…`, `az://…` or
                             `file:///directory` [alias: --from]
          --node <NAME>      Only this node
          --state-dir <DIR>  Where this tool keeps its lock, its journal and the last run's outcome
          --json             Print one JSON document to standard output, progress as JSON lines to
                             standard error
      -v, --verbose...       Say more: -v what is decided, -vv every request
      -h, --help             Print help
    ");
}

#[test]
fn check_explains_its_flags() {
    insta::assert_snapshot!(help(&["check"]), @r"
    Say whether a run would work, without stopping anything; with --max-age, whether the last one is
    recent enough

    Usage: loom-backup check [OPTIONS]

    Options:
          --config <FILE>        Configuration file [default: /etc/loom-backup/config.toml, if it is
                                 there] [env: LOOM_BACKUP_CONFIG=]
          --home <DIR>           The directory the node runs in [default: the WorkingDirectory= of the
                                 service]
          --node <NAME>          The node's name in the repository [default: this machine's host name]
          --state-dir <DIR>      Where this tool keeps its lock, its journal and the last run's outcome
          --json                 Print one JSON document to standard output, progress as JSON lines to
                                 standard error
          --layout <LAYOUT>      What is where in the home: auto, loom or cometbft
          --service <UNIT|none>  The systemd unit that runs the node, or `none` when nothing runs it
      -v, --verbose...           Say more: -v what is decided, -vv every request
          --to <URL>             The repository, such as `s3://bucket/prefix`, `gs://…`, `az://…` or
                                 `file:///directory`
          --only <CLASSES>       The classes to take, of data,config,identity,signing [default: all]
          --quiesce <stop|none>  How to hold the node still: `stop` its service, or `none` (copied
                                 running; never the latest backup) [possible values: stop, none]
          --max-age <AGE>        Only look at the last run: exit 5 when its success is older than this
                                 (such as 26h)
      -h, --help                 Print help
    ");
}

#[test]
fn status_explains_its_flags() {
    insta::assert_snapshot!(help(&["status"]), @r"
    Say what is running, how the last run ended and when the next one is

    Usage: loom-backup status [OPTIONS]

    Options:
          --config <FILE>    Configuration file [default: /etc/loom-backup/config.toml, if it is there]
                             [env: LOOM_BACKUP_CONFIG=]
          --node <NAME>      The node's name in the repository [default: this machine's host name]
          --state-dir <DIR>  Where this tool keeps its lock, its journal and the last run's outcome
          --json             Print one JSON document to standard output, progress as JSON lines to
                             standard error
      -v, --verbose...       Say more: -v what is decided, -vv every request
      -h, --help             Print help
    ");
}

#[test]
fn recover_explains_its_flags() {
    insta::assert_snapshot!(help(&["recover"]), @r"
    Bring back a service that an interrupted run left stopped; nothing else is started

    Usage: loom-backup recover [OPTIONS]

    Options:
          --config <FILE>        Configuration file [default: /etc/loom-backup/config.toml, if it is
                                 there] [env: LOOM_BACKUP_CONFIG=]
          --node <NAME>          The node's name in the repository [default: this machine's host name]
          --service <UNIT|none>  The systemd unit that runs the node
          --state-dir <DIR>      Where this tool keeps its lock, its journal and the last run's outcome
          --json                 Print one JSON document to standard output, progress as JSON lines to
                                 standard error
      -v, --verbose...           Say more: -v what is decided, -vv every request
      -h, --help                 Print help
    ");
}

#[test]
fn config_explains_its_flags() {
    insta::assert_snapshot!(help(&["config"]), @r"
    Print an annotated default configuration

    Usage: loom-backup config [OPTIONS]

    Options:
          --config <FILE>    Configuration file [default: /etc/loom-backup/config.toml, if it is there]
                             [env: LOOM_BACKUP_CONFIG=]
          --state-dir <DIR>  Where this tool keeps its lock, its journal and the last run's outcome
          --json             Print one JSON document to standard output, progress as JSON lines to
                             standard error
      -v, --verbose...       Say more: -v what is decided, -vv every request
      -h, --help             Print help
    ");
}
