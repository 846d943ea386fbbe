//! `Systemd` against a real systemd as PID 1, with units of its own under `/run/systemd/system`.
//!
//! Run as root on a host for tests: `real_systemd-… --ignored --test-threads=1`. Waits here are for what
//! systemd does, never for a guessed time.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use loom_service::{
    ActiveState, ServiceController, ServiceError, ServiceStatus, Systemd, SystemdOptions, UnitName,
};

const LONG: Duration = Duration::from_secs(30);
const UNITS: &str = "/run/systemd/system";

/// Ends with 1 on SIGTERM, as Loom may: its unit is `failed` after a stop, so systemd keeps its state.
const LOOM: &str = r#"ExecStart=/bin/sh -c 'trap "exit 1" TERM; while :; do sleep 0.02; done'"#;
/// Needs SIGKILL.
const DEAF: &str = r#"ExecStart=/bin/sh -c 'trap "" TERM; while :; do sleep 0.02; done'"#;

fn systemctl(arguments: &[&str]) -> Output {
    Command::new("/usr/bin/systemctl").args(arguments).output().unwrap()
}

fn expect(arguments: &[&str]) {
    let output = systemctl(arguments);
    assert!(output.status.success(), "systemctl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Looks until it holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LONG, "{what} never came");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A unit that is gone, with all its processes, at the end of the test.
struct Unit(String);

impl Unit {
    fn new(name: &str, unit: &str, service: &str) -> Self {
        assert!(Path::new(UNITS).is_dir(), "this host has no systemd as PID 1");
        let unit_file = Self(format!("test-{name}.service"));
        unit_file.write(unit, service);
        unit_file
    }

    fn up(name: &str, service: &str) -> Self {
        let unit = Self::new(name, "", service);
        expect(&["start", &unit.0]);
        unit
    }

    fn write(&self, unit: &str, service: &str) {
        fs::write(self.path(), format!("[Unit]\n{unit}\n[Service]\n{service}\n")).unwrap();
        expect(&["daemon-reload"]);
    }

    fn path(&self) -> PathBuf {
        Path::new(UNITS).join(&self.0)
    }

    fn name(&self) -> UnitName {
        self.0.parse().unwrap()
    }

    fn systemd(&self) -> Systemd {
        Systemd::new(self.name(), SystemdOptions::default())
    }

    fn status(&self) -> ServiceStatus {
        self.systemd().status().unwrap()
    }

    fn is(&self, state: &ActiveState) -> bool {
        self.status().active_state == *state
    }

    fn drop_in(&self, name: &str, text: &str) -> PathBuf {
        let directory = self.path().with_extension("service.d");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(name), text).unwrap();
        expect(&["daemon-reload"]);
        directory.join(name)
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        systemctl(&["kill", "--signal=KILL", &self.0]);
        systemctl(&["stop", &self.0]);
        let _ = fs::remove_file(self.path());
        let _ = fs::remove_dir_all(self.path().with_extension("service.d"));
        systemctl(&["daemon-reload"]);
        systemctl(&["reset-failed", &self.0]);
    }
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn a_unit_is_stopped_and_comes_back() {
    let unit = Unit::up("plain", "ExecStart=/bin/sleep infinity\nWorkingDirectory=/var/tmp\nUser=nobody");
    let before = unit.status();
    assert!(before.main_executable.as_ref().unwrap().ends_with("sleep"));
    assert_eq!(before.working_directory.as_deref(), Some("/var/tmp".as_ref()));
    assert_eq!((before.user.as_deref(), before.fragment_path), (Some("nobody"), Some(unit.path())));
    unit.systemd().can_control().unwrap();

    let stopped = unit.systemd().stop(LONG).unwrap();
    assert!(stopped.was_active && stopped.clean);
    assert_eq!(stopped.invocation_id, before.invocation_id);
    assert!(!Path::new(&format!("/proc/{}", before.main_pid.unwrap())).exists());
    let again = unit.systemd().stop(LONG).unwrap();
    assert!(!again.was_active, "it is down now");
    unit.systemd().start(&again, LONG).unwrap();
    assert!(unit.is(&ActiveState::Inactive), "what was down stays down");

    unit.systemd().start(&stopped, LONG).unwrap();
    assert!(unit.is(&ActiveState::Active));
    let started = unit.status().invocation_id;
    assert_ne!(started, before.invocation_id);
    unit.systemd().start(&stopped, LONG).unwrap();
    assert_eq!(unit.status().invocation_id, started, "what is up is left alone");
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn a_unit_that_fails_on_its_stop_comes_back() {
    let unit = Unit::up("loom", &format!("{LOOM}\nRestart=always\nRestartSec=0"));
    let stopped = unit.systemd().stop(LONG).unwrap();
    assert!(unit.is(&ActiveState::Failed));
    assert!(stopped.was_active && stopped.clean);
    assert_eq!((stopped.result.as_str(), stopped.exit.as_str()), ("exit-code", "main process exited with 1"));
    unit.systemd().start(&stopped, LONG).unwrap();
    assert!(unit.is(&ActiveState::Active));
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn a_unit_that_had_to_be_killed_is_not_clean() {
    let unit = Unit::up("killed", &format!("{DEAF}\nTimeoutStopSec=200ms"));
    let stopped = unit.systemd().stop(LONG).unwrap();
    assert!(stopped.was_active && !stopped.clean);
    assert_eq!(
        (stopped.result.as_str(), stopped.exit.as_str()),
        ("timeout", "main process was killed by signal 9")
    );
    unit.systemd().start(&stopped, LONG).unwrap();
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn a_stop_that_takes_too_long_is_an_error_and_the_plan_brings_the_unit_back() {
    let unit = Unit::up("slow", &format!("{DEAF}\nTimeoutStopSec=1s"));
    let plan = unit.systemd().plan_stop().unwrap();
    let error = unit.systemd().stop(Duration::from_millis(100)).unwrap_err();
    let ServiceError::StopTimeout { state, pids, stop_timeout, .. } = &error else { panic!("{error}") };
    assert_eq!((state.as_str(), stop_timeout.as_str()), ("deactivating (stop-sigterm)", "1s"));
    assert!(!pids.is_empty());
    unit.systemd().start(&plan, LONG).unwrap();
    assert!(unit.is(&ActiveState::Active));
    assert_ne!(unit.status().invocation_id, plan.invocation_id, "it was stopped and started, not spared");
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn a_plan_without_its_stop_leaves_the_unit_alone() {
    let unit = Unit::up("planned", LOOM);
    let plan = unit.systemd().plan_stop().unwrap();
    unit.systemd().start(&plan, LONG).unwrap();
    assert_eq!(unit.status().invocation_id, plan.invocation_id);
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn processes_that_outlive_their_unit_are_no_stop() {
    let unit = Unit::up(
        "leftover",
        "ExecStart=/bin/sh -c 'sleep infinity & echo $$!; exec sleep infinity'\nKillMode=process",
    );
    until("the second process", || {
        let procs = fs::read_to_string(format!("/sys/fs/cgroup/system.slice/{}/cgroup.procs", unit.0));
        procs.unwrap().lines().count() == 2
    });
    let error = unit.systemd().stop(Duration::from_millis(300)).unwrap_err();
    assert!(matches!(&error, ServiceError::ProcessesLeft { pids, .. } if pids.len() == 1), "{error}");
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn units_that_systemd_stops_along_come_back_and_only_they() {
    let node = Unit::up("node", LOOM);
    let requires = |on: &str| format!("Requires=test-{on}.service\nAfter=test-{on}.service");
    let sleep = "ExecStart=/bin/sleep infinity";
    let proxy = Unit::new("proxy", &requires("node"), sleep);
    let chart = Unit::new("chart", &requires("proxy"), sleep);
    let part = Unit::new("part", "PartOf=test-node.service", sleep);
    let bound = Unit::new("bound", "BindsTo=test-node.service\nAfter=test-node.service", sleep);
    let idle = Unit::new("idle", &requires("node"), sleep);
    let wants = Unit::new("wants", "Wants=test-node.service", sleep);
    for unit in [&proxy, &chart, &part, &bound, &wants] {
        expect(&["start", &unit.0]);
    }
    let untouched = wants.status().invocation_id;

    let stopped = node.systemd().stop(LONG).unwrap();
    let mut dependents: Vec<&str> = stopped.dependents.iter().map(UnitName::as_str).collect();
    dependents.sort_unstable();
    assert_eq!(dependents, [&bound, &chart, &part, &proxy].map(|unit| unit.0.as_str()));
    for unit in [&proxy, &chart, &part, &bound] {
        until("the stop of a dependent", || unit.is(&ActiveState::Inactive));
    }
    node.systemd().start(&stopped, LONG).unwrap();
    for unit in [&node, &proxy, &chart, &part, &bound] {
        assert!(unit.is(&ActiveState::Active), "{}", unit.0);
    }
    assert!(idle.is(&ActiveState::Inactive));
    assert_eq!(wants.status().invocation_id, untouched);
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn a_dependent_that_does_not_come_back_is_named_and_the_others_are_started() {
    let node = Unit::up("node2", LOOM);
    let on_node = "Requires=test-node2.service\nAfter=test-node2.service";
    let flag = Path::new("/run/test-dependent");
    fs::write(flag, "").unwrap();
    let broken = format!("ExecStart=/bin/sh -c 'test -e {} && exec sleep infinity'", flag.display());
    let a = Unit::new("a-broken", on_node, &broken);
    let b = Unit::new("b-whole", on_node, "ExecStart=/bin/sleep infinity");
    expect(&["start", &a.0, &b.0]);
    let stopped = node.systemd().stop(LONG).unwrap();
    fs::remove_file(flag).unwrap();
    let error = node.systemd().start(&stopped, LONG).unwrap_err();
    assert!(matches!(&error, ServiceError::NotBack { unit, .. } if *unit == a.name()), "{error}");
    assert!(node.is(&ActiveState::Active) && b.is(&ActiveState::Active));
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn a_unit_that_waits_to_restart_itself_counts_as_up_and_its_crash_is_told() {
    let unit = Unit::new(
        "crashing",
        "",
        "ExecStart=/bin/sh -c 'echo out of luck; exit 3'\nRestart=always\nRestartSec=600",
    );
    expect(&["start", &unit.0]);
    until("the wait for the restart", || unit.status().sub_state == "auto-restart");
    let stopped = unit.systemd().stop(LONG).unwrap();
    assert!(stopped.was_active);
    let error = unit.systemd().start(&stopped, LONG).unwrap_err();
    let ServiceError::NotBack { state, result, exit, journal, .. } = &error else { panic!("{error}") };
    assert_eq!(
        (state.as_str(), result.as_str(), exit.as_str()),
        ("activating (auto-restart)", "exit-code", "main process exited with 3")
    );
    assert!(journal.iter().any(|line| line == "out of luck"), "{journal:?}");
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn a_unit_whose_program_is_gone_is_not_back() {
    let unit = Unit::up("gone", LOOM);
    let stopped = unit.systemd().stop(LONG).unwrap();
    unit.write("", "ExecStart=/no/such/loom run");
    let error = unit.systemd().start(&stopped, LONG).unwrap_err();
    assert!(
        matches!(&error, ServiceError::NotBack { exit, .. } if exit == "main process exited with 203"),
        "{error}"
    );
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn a_unit_behind_a_fence_is_not_back_and_the_fence_is_named() {
    let unit = Unit::up("fenced", LOOM);
    let stopped = unit.systemd().stop(LONG).unwrap();
    unit.drop_in("zz-fence.conf", "[Unit]\nAssertPathExists=/no/such/path\n");
    let error = unit.systemd().start(&stopped, LONG).unwrap_err();
    let ServiceError::NotBack { result, .. } = &error else { panic!("{error}") };
    assert!(result.ends_with("(an Assert of the unit does not hold)"), "{result}");
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn a_unit_that_says_when_it_is_ready_is_waited_for() {
    let notify = |ready: &str| {
        let script = format!("ExecStart=/bin/sh -c '{ready}; exec sleep infinity'");
        format!("Type=notify\nNotifyAccess=all\nTimeoutStartSec=60\n{script}")
    };
    let unit = Unit::up("ready", &notify("sleep 0.5; systemd-notify --ready"));
    let stopped = unit.systemd().stop(LONG).unwrap();
    unit.systemd().start(&stopped, LONG).unwrap();
    assert!(unit.is(&ActiveState::Active));

    let stopped = unit.systemd().stop(LONG).unwrap();
    unit.write("", &notify("true"));
    let error = unit.systemd().start(&stopped, Duration::from_millis(500)).unwrap_err();
    assert!(
        matches!(&error, ServiceError::NotBack { state, .. } if state == "activating (start)"),
        "{error}"
    );
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn a_unit_that_others_touched_since_is_left_to_them() {
    let unit = Unit::up("touched", LOOM);
    let stopped = unit.systemd().stop(LONG).unwrap();
    expect(&["start", &unit.0]);
    let theirs = unit.status().invocation_id;
    unit.systemd().start(&stopped, LONG).unwrap();
    assert_eq!(unit.status().invocation_id, theirs, "up is up");
    expect(&["stop", &unit.0]);
    let error = unit.systemd().start(&stopped, LONG).unwrap_err();
    assert!(matches!(error, ServiceError::TouchedByOthers { .. }), "{error}");
    assert!(unit.is(&ActiveState::Failed));
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn a_unit_that_somebody_is_stopping_is_not_ours_to_start() {
    let unit = Unit::up("theirs", &format!("{DEAF}\nTimeoutStopSec=500ms"));
    expect(&["stop", "--no-block", &unit.0]);
    let stopped = unit.systemd().stop(LONG).unwrap();
    assert!(!stopped.was_active && !stopped.clean);
    unit.systemd().start(&stopped, LONG).unwrap();
    assert!(unit.is(&ActiveState::Failed));
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn units_that_would_not_start_again_are_refused() {
    let absent = Systemd::new("test-absent".parse().unwrap(), SystemdOptions::default());
    assert!(matches!(absent.status(), Err(ServiceError::NotFound { .. })));
    let unit = Unit::up("refused", LOOM);
    fs::remove_file(unit.path()).unwrap();
    expect(&["daemon-reload"]);
    let error = unit.systemd().stop(LONG).unwrap_err();
    assert!(
        matches!(&error, ServiceError::NotLoaded { load_state, .. } if load_state == "not-found"),
        "{error}"
    );
    std::os::unix::fs::symlink("/dev/null", unit.path()).unwrap();
    expect(&["daemon-reload"]);
    let error = unit.systemd().stop(LONG).unwrap_err();
    assert!(matches!(error, ServiceError::Masked { .. }), "{error}");
    assert!(unit.is(&ActiveState::Active), "nothing was touched");
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn the_definition_has_the_drop_ins_in_the_order_of_systemd() {
    // Up, since systemd reads a unit that it does not need anew whenever it is asked about it.
    let unit = Unit::up("defined", LOOM);
    let second = unit.drop_in("20-b.conf", "[Service]\nEnvironment=B=1\n");
    let first = unit.drop_in("10 a.conf", "[Service]\nEnvironment=A=1\n");
    let files = unit.systemd().definition().unwrap();
    let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
    assert_eq!(paths, [unit.path(), first, second]);
    assert_eq!(files[1].bytes, b"[Service]\nEnvironment=A=1\n");
    assert!(!unit.status().need_daemon_reload);
    // systemd compares the time of the file, which the kernel rounds down, with the time of its last look.
    until("the sight of the change", || {
        fs::write(&paths[2], "[Service]\nEnvironment=B=2\n").unwrap();
        unit.status().need_daemon_reload
    });
}

#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn a_program_inside_the_unit_does_not_stop_itself() {
    let node = Unit::up("spared", LOOM);
    let own = Unit::new(
        "inside",
        "Requires=test-spared.service\nAfter=test-spared.service",
        &format!(
            "Type=oneshot\nExecStart={} --ignored --exact --nocapture a_stop_from_inside_is_refused",
            std::env::current_exe().unwrap().display()
        ),
    );
    let output = systemctl(&["start", &own.0]);
    let journal =
        Command::new("journalctl").args(["-u", &own.0, "-o", "cat", "--no-pager"]).output().unwrap();
    let journal = String::from_utf8_lossy(&journal.stdout).into_owned();
    assert!(output.status.success(), "{journal}");
    assert!(node.is(&ActiveState::Active));
}

/// The program of the test above; on its own, without that unit, it has nothing to do.
#[test]
#[ignore = "needs a host with systemd as PID 1; tests/lab runs it"]
fn a_stop_from_inside_is_refused() {
    if !fs::read_to_string("/proc/self/cgroup").unwrap().contains("test-inside.service") {
        return;
    }
    let node = Systemd::new("test-spared".parse().unwrap(), SystemdOptions::default());
    let error = node.stop(LONG).unwrap_err();
    assert!(
        matches!(&error, ServiceError::WouldStopUs { own, .. } if own.as_str() == "test-inside.service"),
        "{error}"
    );
}
