//! `Systemd` against a `systemctl` that misbehaves on purpose: texts, time limits, refusals of sudo.
//!
//! What a real systemd does is in `real_systemd.rs`.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::error::Error;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use loom_service::{ServiceController, ServiceError, Stopped, Systemd, SystemdOptions};
use tempfile::TempDir;

const UP: &str = "Id=loom.service\nLoadState=loaded\nActiveState=active\nSubState=running\nMainPID=4194999\n\
    InvocationID=aa\nResult=success\nNRestarts=0\n";
const DOWN: &str = "Id=loom.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\nMainPID=0\n\
    InvocationID=aa\nResult=exit-code\nExecMainCode=1\nExecMainStatus=1\n";
const LONG: Duration = Duration::from_mins(1);

/// A directory with the programs, the state that `show` prints, and the scripts of the verbs.
struct Fake(TempDir);

impl Fake {
    fn new(state: &str) -> Self {
        let fake = Self(tempfile::tempdir().unwrap());
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake/program.sh");
        for name in ["systemctl", "journalctl", "sudo"] {
            symlink(&program, fake.path(name)).unwrap();
        }
        fake.write("state", state).write("on-show", r#"cat "$dir/state""#)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(self, name: &str, text: &str) -> Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    /// `verb` changes the state to `state`.
    fn moves(self, verb: &str, state: &str) -> Self {
        self.write(&format!("state-{verb}"), state)
            .write(&format!("on-{verb}"), &format!(r#"cp "$dir/state-{verb}" "$dir/state""#))
    }

    fn options(&self) -> SystemdOptions {
        SystemdOptions { systemctl: self.path("systemctl"), call_timeout: LONG, ..SystemdOptions::default() }
    }

    fn unit(&self) -> Systemd {
        Systemd::new("loom".parse().unwrap(), self.options())
    }

    fn unit_by_sudo(&self) -> Systemd {
        let sudo = Some(self.path("sudo"));
        Systemd::new("loom".parse().unwrap(), SystemdOptions { sudo, ..self.options() })
    }

    /// Without the directory, which is another one each time.
    fn redact(&self, text: &str) -> String {
        text.replace(self.0.path().to_str().unwrap(), "/bin")
    }

    /// The calls that are no questions.
    fn verbs(&self) -> String {
        let calls = fs::read_to_string(self.path("calls")).unwrap();
        let verbs = calls.lines().filter(|call| call.ends_with("loom.service") && !call.contains("show"));
        self.redact(&verbs.collect::<Vec<_>>().join("\n"))
    }

    fn text<T>(&self, result: Result<T, ServiceError>) -> String {
        let error = result.err().unwrap();
        let source = error.source().map(|source| format!("\ncaused by: {source}")).unwrap_or_default();
        self.redact(&format!("{error}{source}"))
    }
}

#[test]
fn a_unit_that_ends_with_1_on_sigterm_is_stopped_cleanly_and_comes_back() {
    let fake = Fake::new(UP).moves("stop", DOWN).moves("start", &UP.replace("=aa", "=bb"));
    let unit = fake.unit();
    let stopped = unit.stop(LONG).unwrap();
    assert!(stopped.was_active && stopped.clean);
    assert_eq!((stopped.result.as_str(), stopped.exit.as_str()), ("exit-code", "main process exited with 1"));
    unit.start(&stopped, LONG).unwrap();
    insta::assert_snapshot!(fake.verbs(), @r"
    systemctl --no-ask-password --no-block stop loom.service
    systemctl --no-ask-password --no-block start loom.service
    ");
}

#[test]
fn a_unit_that_is_down_is_neither_stopped_nor_started() {
    let fake = Fake::new(DOWN);
    let stopped = fake.unit().stop(LONG).unwrap();
    assert!(!stopped.was_active);
    fake.unit().start(&stopped, LONG).unwrap();
    assert_eq!(fake.verbs(), "");
}

#[test]
fn sudo_gets_the_words_that_sudoers_names() {
    let fake = Fake::new(UP).moves("stop", DOWN).moves("start", &UP.replace("=aa", "=bb"));
    let unit = fake.unit_by_sudo();
    unit.can_control().unwrap();
    let stopped = unit.stop(LONG).unwrap();
    unit.start(&stopped, LONG).unwrap();
    insta::assert_snapshot!(fake.verbs(), @r"
    sudo -n -l /bin/systemctl --no-block stop loom.service
    sudo -n -l /bin/systemctl --no-block start loom.service
    sudo -n /bin/systemctl --no-block stop loom.service
    systemctl --no-block stop loom.service
    sudo -n /bin/systemctl --no-block start loom.service
    systemctl --no-block start loom.service
    ");
}

#[test]
fn what_sudo_does_not_allow_is_named_in_the_words_of_sudoers() {
    let no_start = r#"case "$*" in *start*) exit 1 ;; esac"#;
    let fake = Fake::new(UP).write("on-sudo", no_start);
    insta::assert_snapshot!(fake.text(fake.unit_by_sudo().can_control()), @r"
    this user may not control loom.service: /bin/sudo needs in /etc/sudoers.d:
      USER ALL=(root) NOPASSWD: /bin/systemctl --no-block start loom.service
    ");
    let fake = Fake::new(UP).write("on-sudo", "exit 1");
    insta::assert_snapshot!(fake.text(fake.unit_by_sudo().stop(LONG)), @r"
    this user may not control loom.service: /bin/sudo needs in /etc/sudoers.d:
      USER ALL=(root) NOPASSWD: /bin/systemctl --no-block stop loom.service
      USER ALL=(root) NOPASSWD: /bin/systemctl --no-block start loom.service
    ");
}

#[test]
fn a_unit_that_would_not_start_again_is_not_stopped() {
    let texts = ["masked", "bad-setting", "not-found"].map(|load_state| {
        let fake = Fake::new(&UP.replace("=loaded", &format!("={load_state}")));
        let text = fake.text(fake.unit().stop(LONG));
        assert_eq!(fake.verbs(), "");
        text
    });
    insta::assert_snapshot!(texts.join("\n"), @r"
    loom.service is masked, it would not start again; `systemctl unmask loom.service` allows it
    loom.service cannot be loaded (bad-setting), it would not start again; `systemctl status loom.service` says why
    loom.service cannot be loaded (not-found), it would not start again; `systemctl status loom.service` says why
    ");
}

#[test]
fn a_unit_that_does_not_exist_is_said_to() {
    let fake = Fake::new("Id=loom.service\nLoadState=not-found\nActiveState=inactive\n");
    insta::assert_snapshot!(fake.text(fake.unit().status()), @"loom.service does not exist; `systemctl list-units --type=service --all` lists the names systemd knows");
}

#[test]
fn a_systemctl_that_hangs_does_not_hang_us() {
    let short = Duration::from_millis(300);
    let hang = |verb| Fake::new(UP).write(&format!("on-{verb}"), "exec sleep 600");
    let with_limit = |fake: &Fake| {
        Systemd::new("loom".parse().unwrap(), SystemdOptions { call_timeout: short, ..fake.options() })
    };
    let fake = hang("show");
    let error = with_limit(&fake).status().unwrap_err();
    assert!(matches!(&error, ServiceError::Run { source, .. } if source.kind() == io::ErrorKind::TimedOut));
    let fake = hang("stop");
    insta::assert_snapshot!(fake.text(with_limit(&fake).stop(LONG)), @r"
    run `/bin/systemctl --no-ask-password --no-block stop loom.service`
    caused by: it did not end in time
    ");
}

#[test]
fn a_systemctl_that_fails_or_babbles_is_an_error() {
    let fake = Fake::new(UP).write("on-show", "echo 'Failed to connect to bus' >&2; exit 1");
    insta::assert_snapshot!(fake.text(fake.unit().status()).split_once(" failed").unwrap().1, @" (exit status: 1): Failed to connect to bus");
    let fake = Fake::new("what?\n");
    insta::assert_snapshot!(fake.text(fake.unit().status()), @"understand the answer of `systemctl show loom.service`: it does not say which unit it is about");
    let fake = Fake::new(UP).write("on-stop", "exit 5");
    insta::assert_snapshot!(fake.text(fake.unit().stop(LONG)), @"`/bin/systemctl --no-ask-password --no-block stop loom.service` failed (exit status: 5): run it by hand to see why");
    let fake = Fake::new(UP);
    let systemctl = fake.path("absent");
    let unit = Systemd::new("loom".parse().unwrap(), SystemdOptions { systemctl, ..fake.options() });
    assert!(
        matches!(unit.status(), Err(ServiceError::Run { source, .. }) if source.kind() == io::ErrorKind::NotFound)
    );
}

#[test]
fn a_unit_that_does_not_stop_in_time_is_said_to_be_stopping() {
    let stopping = UP.replace("=active", "=deactivating").replace("=running", "=stop-sigterm");
    let fake = Fake::new(UP).moves("stop", &format!("{stopping}Job=7\nTimeoutStopUSec=1min 30s\n"));
    insta::assert_snapshot!(fake.text(fake.unit().stop(Duration::from_millis(30))), @"loom.service did not stop within 30ms: it is deactivating (stop-sigterm); systemd goes on stopping it and kills it after its TimeoutStopSec (1min 30s)");
}

#[test]
fn a_unit_that_somebody_starts_during_the_stop_is_left_to_them() {
    let fake = Fake::new(UP).moves("stop", &UP.replace("=aa", "=bb"));
    insta::assert_snapshot!(fake.text(fake.unit().stop(LONG)), @"loom.service was started by somebody else in the meantime; it is left active (running)");
}

#[test]
fn a_unit_that_is_being_stopped_by_somebody_is_not_ours_to_start() {
    let fake = Fake::new(&format!("{UP}Job=7\n")).write("on-list-jobs", "echo '7 loom.service stop waiting'");
    assert!(!fake.unit().plan_stop().unwrap().was_active);
    let fake =
        Fake::new(&format!("{DOWN}Job=7\n")).write("on-list-jobs", "echo '7 loom.service start waiting'");
    assert!(fake.unit().plan_stop().unwrap().was_active);
}

#[test]
fn a_unit_between_two_runs_of_its_own_counts_as_up() {
    let ending = DOWN.replace("ActiveState=failed", "ActiveState=deactivating");
    for (was_active, state) in [
        (true, DOWN.replace("=failed\nSubState=failed", "=activating\nSubState=auto-restart")),
        (true, format!("{ending}Restart=always\n")),
        (false, format!("{ending}Restart=no\n")),
    ] {
        assert_eq!(Fake::new(&state).unit().plan_stop().unwrap().was_active, was_active, "{state}");
    }
}

#[test]
fn a_unit_that_does_not_come_back_is_reported_with_the_end_of_its_journal() {
    let crashed =
        DOWN.replace("=aa", "=bb").replace("=failed\nSubState=failed", "=activating\nSubState=auto-restart");
    let journal = "echo 'panic: EVM roots mismatch'; echo 'Main process exited, code=exited, status=2'";
    let fake = Fake::new(UP).moves("stop", DOWN).moves("start", &crashed).write("on-journal", journal);
    let stopped = fake.unit().stop(LONG).unwrap();
    let mut error = fake.unit().start(&stopped, LONG).unwrap_err();
    if let ServiceError::NotBack { waited, .. } = &mut error {
        *waited = Duration::from_millis(40);
    }
    insta::assert_snapshot!(error, @r"
    loom.service did not come back: it is activating (auto-restart), result exit-code, main process exited with 1, 40ms after the start
      | panic: EVM roots mismatch
      | Main process exited, code=exited, status=2
    ");
}

#[test]
fn a_journal_that_hangs_does_not_hold_up_the_report() {
    let fake = Fake::new(UP).moves("stop", DOWN).write("on-journal", "exec sleep 600");
    let stopped = fake.unit().stop(LONG).unwrap();
    let error = fake.unit().start(&stopped, LONG).unwrap_err();
    assert!(matches!(error, ServiceError::NotBack { journal, .. } if journal.is_empty()));
}

#[test]
fn a_unit_that_others_started_and_stopped_stays_down() {
    let fake = Fake::new(UP).moves("stop", DOWN);
    let stopped = fake.unit().stop(LONG).unwrap();
    let fake = Fake::new(&DOWN.replace("=aa", "=cc"));
    insta::assert_snapshot!(fake.text(fake.unit().start(&stopped, LONG)), @"loom.service was started and stopped by somebody else in the meantime; it is left failed (failed)");
    assert_eq!(fake.verbs(), "");
}

#[test]
fn a_record_of_another_unit_starts_nothing() {
    let fake = Fake::new(DOWN);
    let stopped = Stopped { unit: Some("other".parse().unwrap()), ..fake.unit().plan_stop().unwrap() };
    insta::assert_snapshot!(fake.text(fake.unit().start(&stopped, LONG)), @"the record is of a stop of other.service, not of loom.service");
}

#[test]
fn the_definition_is_the_unit_file_and_then_its_drop_ins() {
    let fake = Fake::new(UP).write("loom.service", "[Service]\n").write("10 a.conf", "[Unit]\n");
    let file = |name: &str| fake.path(name).to_str().unwrap().to_owned();
    let paths = format!(
        "FragmentPath={}\nDropInPaths=\"{}\" {}\n",
        file("loom.service"),
        file("10 a.conf"),
        file("absent.conf")
    );
    let fake = fake.write("state", &format!("{UP}{paths}"));
    insta::assert_snapshot!(fake.text(fake.unit().definition()), @r"
    read /bin/absent.conf of the definition of loom.service
    caused by: No such file or directory (os error 2)
    ");
    let fake = fake.write("absent.conf", "[Install]\n");
    let files = fake.unit().definition().unwrap();
    let texts: Vec<_> = files.iter().map(|file| std::str::from_utf8(&file.bytes).unwrap()).collect();
    assert_eq!(texts, ["[Service]\n", "[Unit]\n", "[Install]\n"]);
}
