//! What `loom-restore` says about itself.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

/// The help of the program, or of a command of it.
fn help(command: &[&str]) -> String {
    let program = env!("CARGO_BIN_EXE_loom-restore");
    let output = Command::new(program).args(command).arg("--help").env_clear().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_program_names_its_commands() {
    insta::assert_snapshot!(help(&[]), @r"
    Restores of Loom, Tendermint and CometBFT nodes.

    Usage: loom-restore [OPTIONS] <COMMAND>

    Commands:
      list  List the backups in a repository
      show  Show what a backup is and what is in it
      plan  Show what a restore would do, and change nothing
      run   Restore: stage beside what is there, stop the service, swap, start
      help  Print this message or the help of the given subcommand(s)

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
fn list_explains_its_flags() {
    insta::assert_snapshot!(help(&["list"]), @r"
    List the backups in a repository

    Usage: loom-restore list [OPTIONS]

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
fn show_explains_its_flags() {
    insta::assert_snapshot!(help(&["show"]), @r"
    Show what a backup is and what is in it

    Usage: loom-restore show [OPTIONS]

    Options:
          --config <FILE>       Configuration file [default: /etc/loom-backup/config.toml, if it is
                                there] [env: LOOM_BACKUP_CONFIG=]
          --to <URL>            The repository, such as `s3://bucket/prefix`, `gs://…`, `az://…` or
                                `file:///directory` [alias: --from]
          --node <NAME>         Only this node
          --state-dir <DIR>     Where this tool keeps its lock, its journal and the last run's outcome
          --backup <ID|latest>  Which backup: an id from `list`, or `latest` [default: latest]
          --json                Print one JSON document to standard output, progress as JSON lines to
                                standard error
      -v, --verbose...          Say more: -v what is decided, -vv every request
      -h, --help                Print help
    ");
}

#[test]
fn plan_explains_its_flags() {
    insta::assert_snapshot!(help(&["plan"]), @r"
    Show what a restore would do, and change nothing

    Usage: loom-restore plan [OPTIONS]

    Options:
          --config <FILE>           Configuration file [default: /etc/loom-backup/config.toml, if it is
                                    there] [env: LOOM_BACKUP_CONFIG=]
          --from <URL>              The repository, such as `s3://bucket/prefix`, `gs://…`, `az://…` or
                                    `file:///directory`
          --node <NAME>             Whose backup [default: the node of the repository, if it has only
                                    one]
          --state-dir <DIR>         Where this tool keeps its lock, its journal and the last run's
                                    outcome
          --backup <ID|latest>      Which backup: an id from `list`, or `latest` [default: latest]
          --json                    Print one JSON document to standard output, progress as JSON lines
                                    to standard error
          --home <DIR>              The directory to restore into [default: the WorkingDirectory= of the
                                    service]
      -v, --verbose...              Say more: -v what is decided, -vv every request
          --service <UNIT|none>     The systemd unit that runs the node, or `none` when nothing runs it
          --only <CLASSES>          The classes to restore, of data,config,identity,signing [default:
                                    data and config, and identity where there is none]
          --replace                 Move entries that are in the way aside (they are kept under
                                    .loom-restore/)
          --sign-state-from-backup  A validator without sign state here: assume that nothing was signed
                                    after the backup. Only if the machine that signed with this key is
                                    off and stays off
          --min-sign-height <H>     A validator without sign state here: never sign at or below this
                                    height
          --no-start                Leave the service stopped at the end
          --yes                     Go on without asking (`plan` asks nothing)
      -h, --help                    Print help
    ");
}

#[test]
fn run_explains_its_flags() {
    insta::assert_snapshot!(help(&["run"]), @r"
    Restore: stage beside what is there, stop the service, swap, start

    Usage: loom-restore run [OPTIONS]

    Options:
          --config <FILE>           Configuration file [default: /etc/loom-backup/config.toml, if it is
                                    there] [env: LOOM_BACKUP_CONFIG=]
          --from <URL>              The repository, such as `s3://bucket/prefix`, `gs://…`, `az://…` or
                                    `file:///directory`
          --node <NAME>             Whose backup [default: the node of the repository, if it has only
                                    one]
          --state-dir <DIR>         Where this tool keeps its lock, its journal and the last run's
                                    outcome
          --backup <ID|latest>      Which backup: an id from `list`, or `latest` [default: latest]
          --json                    Print one JSON document to standard output, progress as JSON lines
                                    to standard error
          --home <DIR>              The directory to restore into [default: the WorkingDirectory= of the
                                    service]
      -v, --verbose...              Say more: -v what is decided, -vv every request
          --service <UNIT|none>     The systemd unit that runs the node, or `none` when nothing runs it
          --only <CLASSES>          The classes to restore, of data,config,identity,signing [default:
                                    data and config, and identity where there is none]
          --replace                 Move entries that are in the way aside (they are kept under
                                    .loom-restore/)
          --sign-state-from-backup  A validator without sign state here: assume that nothing was signed
                                    after the backup. Only if the machine that signed with this key is
                                    off and stays off
          --min-sign-height <H>     A validator without sign state here: never sign at or below this
                                    height
          --no-start                Leave the service stopped at the end
          --yes                     Go on without asking (`plan` asks nothing)
      -h, --help                    Print help
    ");
}
