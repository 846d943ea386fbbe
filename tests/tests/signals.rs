//! Whatever ends a run in its pause, the service comes back: by the run itself, or by the next one.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File};

use insta::assert_snapshot;
use loom_tests::{FakeSystemctl, Fixture, Outcome, Place, Tree, needs_root};

const RUN: &str = "loom-backup run --node n1 --home /T/home --to file:///T/repository";

/// Sends a signal to the program that called `systemctl`, once, and waits until it has said that it noticed.
fn signal(name: &str) -> String {
    format!(
        "[ -e \"$dir/sent\" ] || {{ : >\"$dir/sent\"; kill -{name} $PPID; until grep -q SIG{name}: \"$dir/stderr\"; do :; done; }}"
    )
}

/// Runs a command with its standard error where the fake can read it.
fn run(place: &Place, line: &str) -> Outcome {
    let stderr = place.path("systemd/stderr");
    let mut command = place.command("sh -c");
    let command = command.arg(format!("exec \"$@\" 2>{}", stderr.display())).arg("sh");
    let words = place.command(line);
    command.arg(words.get_program()).args(words.get_args());
    let mut outcome = place.outcome(command);
    outcome.stderr = fs::read_to_string(stderr).unwrap();
    outcome
}

/// Only root, or who has sudo, may stop a service: the tool makes sure of that before it does.
fn place() -> Place {
    needs_root();
    let place = Place::with(Fixture::Cometbft);
    fs::create_dir(place.path("systemd")).unwrap();
    File::create(place.path("systemd/stderr")).unwrap();
    place
}

/// Interrupts a run while it calls `systemctl VERB`. Says what was done to the unit.
fn interrupted(name: &str, verb: &str) -> (Outcome, String) {
    let place = place();
    let systemctl = FakeSystemctl::new(&place);
    systemctl.on(verb, &signal(name));
    let home = Tree::read(&place.home()).without_times_of(&[""]);
    let outcome = run(&place, RUN);
    assert!(place.path("systemd/sent").exists(), "the signal was never sent\n{outcome}");
    assert!(systemctl.is_up(), "\n{outcome}");
    home.assert_same(&Tree::read(&place.home()).without_times_of(&[""]));
    // Nothing was published, and nothing is in the way of the next run.
    place.run("loom-backup list --to file:///T/repository").with_code(0).stdout.find("no backups").unwrap();
    let verbs = systemctl.verbs();
    place.run(RUN).ends_with(0);
    (outcome, verbs)
}

#[test]
#[ignore = "needs root"]
fn a_signal_while_the_service_stops_starts_it_again() {
    for name in ["INT", "TERM", "HUP"] {
        let (outcome, verbs) = interrupted(name, "stop");
        assert_eq!(verbs, "stop start");
        assert_eq!(outcome.code, Some(22), "\n{outcome}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_signal_while_the_service_starts_lets_it_start() {
    for name in ["INT", "TERM"] {
        let (outcome, verbs) = interrupted(name, "start");
        assert_eq!(verbs, "stop start");
        assert_eq!(outcome.code, Some(22), "\n{outcome}");
    }
}

#[test]
#[ignore = "needs root"]
fn what_a_person_sees_of_an_interrupted_run() {
    let (outcome, _) = interrupted("TERM", "stop");
    assert_snapshot!(outcome, @r"
    --- stderr
    plan        11 entries of a cometbft node (data,config,identity,signing) [time]
    open        repository file:///T/repository [time]
    SIGTERM: ending the run; a service that was stopped is started first
    error: interrupted; the node is as it was and nothing was published
    --- exit code 22
    ");
}

#[test]
#[ignore = "needs root"]
fn a_signal_before_the_pause_leaves_the_service_alone() {
    let place = place();
    let systemctl = FakeSystemctl::new(&place);
    systemctl.on("show", &signal("TERM"));
    let outcome = run(&place, RUN).with_code(22);
    assert_eq!(systemctl.verbs(), "", "\n{outcome}");
}

#[test]
#[ignore = "needs root"]
fn a_run_that_is_killed_in_its_pause_is_recovered_from() {
    for recover in ["loom-backup recover --node n1", RUN] {
        let place = place();
        let systemctl = FakeSystemctl::new(&place);
        systemctl.on("start", "kill -KILL $PPID; exit 1");
        assert_eq!(place.run(RUN).code, None);
        assert!(!systemctl.is_up());
        systemctl.off("start");
        place.run(recover).ends_with(0);
        assert!(systemctl.is_up());
        assert!(
            !place.home().join(".loom-snapshot").exists() || recover != RUN,
            "the next run removes the snapshot"
        );
    }
}

#[test]
#[ignore = "needs root"]
fn a_service_that_somebody_stopped_during_a_killed_run_stays_stopped() {
    let place = place();
    let systemctl = FakeSystemctl::new(&place);
    systemctl.on("start", "kill -KILL $PPID; exit 1");
    assert_eq!(place.run(RUN).code, None);
    systemctl.off("start");
    // Started and stopped by a person: another invocation, and down.
    place.run("/T/systemd/systemctl start loom.service").ends_with(0);
    place.run("/T/systemd/systemctl stop loom.service").ends_with(0);
    let _ = place.run("loom-backup recover --node n1");
    assert!(!systemctl.is_up());
}

#[test]
#[ignore = "needs root"]
fn a_restore_that_is_interrupted_leaves_the_service_up_and_the_home_whole() {
    for (verb, code) in [("stop", 22), ("start", 0)] {
        let place = place();
        let systemctl = FakeSystemctl::new(&place);
        place.run(RUN).ends_with(0);
        fs::write(place.home().join("data/new"), "since the backup").unwrap();
        let before = Tree::read(&place.home()).without_times_of(&["", "data"]);
        systemctl.on(verb, &signal("TERM"));
        let restore = "loom-restore run --yes --replace --from file:///T/repository --home /T/home";
        let outcome = run(&place, restore).with_code(code);
        assert!(place.path("systemd/sent").exists(), "\n{outcome}");
        assert!(systemctl.is_up(), "\n{outcome}");
        if code != 0 {
            before.assert_same(&Tree::read(&place.home()).without_times_of(&["", "data"]));
        }
    }
}

#[test]
#[ignore = "needs root"]
fn a_restore_that_is_killed_between_stop_and_start_is_recovered_from() {
    let place = place();
    let systemctl = FakeSystemctl::new(&place);
    place.run(RUN).ends_with(0);
    systemctl.on("start", "kill -KILL $PPID; exit 1");
    let restore = "loom-restore run --yes --replace --from file:///T/repository --home /T/home";
    assert_eq!(place.run(restore).code, None);
    assert!(!systemctl.is_up());
    systemctl.off("start");
    place.run("loom-backup recover --node n1").ends_with(0);
    assert!(systemctl.is_up());
}

#[test]
#[ignore = "needs root"]
fn what_was_stopped_is_started_also_by_a_run_that_is_told_of_no_service() {
    let place = place();
    let systemctl = FakeSystemctl::new(&place);
    systemctl.on("start", "kill -KILL $PPID; exit 1");
    assert_eq!(place.run(RUN).code, None);
    systemctl.off("start");
    // The journal names the unit; the real systemctl is not the fake one, so this run fails, and forgets nothing.
    let _ = place.run("loom-backup recover --node n1 --service none");
    assert!(!systemctl.is_up());
    place.run("loom-backup recover --node n1").ends_with(0);
    assert!(systemctl.is_up());
}
