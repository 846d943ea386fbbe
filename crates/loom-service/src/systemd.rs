//! A unit of systemd, through `systemctl`.
//!
//! The verbs go through the `systemctl` crate. It answers `Ok` for a verb that failed and throws the reason
//! away, so every verb is `--no-block`, its exit status is looked at, and only the state reached counts.
//! What the crate has no call for (`show`, `list-jobs`) is asked here. Does not decide what to start: see
//! `stop.rs` and `start.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use systemctl::SystemCtl;

use crate::command::{Output, limited, run};
use crate::properties::Properties;
use crate::status::PROPERTIES;
use crate::{
    LoadState, ServiceController, ServiceError, ServiceResult, ServiceStatus, Started, Stopped, UnitName,
    dependents,
};

/// The most that is waited for lines of a journal: they only adorn an error.
const JOURNAL_TIMEOUT: Duration = Duration::from_secs(2);

/// The number of lines of a journal that an error shows.
const JOURNAL_LINES: &str = "5";

/// Whose units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manager {
    /// The system's.
    #[default]
    System,
    /// Those of the calling user (`systemctl --user`).
    User,
}

/// How `systemctl` is called.
#[derive(Clone, Debug)]
pub struct SystemdOptions {
    /// The program; `journalctl` is looked for beside it. With `sudo`, sudoers must name this very path.
    pub systemctl: PathBuf,
    /// The `sudo` through which units are stopped and started (with `-n`: it never asks). Looking at units
    /// needs no rights, and never goes through it.
    pub sudo: Option<PathBuf>,
    /// Whose units.
    pub manager: Manager,
    /// The most that one call may take; not the time that a unit takes to stop or start.
    pub call_timeout: Duration,
}

impl Default for SystemdOptions {
    fn default() -> Self {
        Self {
            systemctl: PathBuf::from("/usr/bin/systemctl"),
            sudo: None,
            manager: Manager::System,
            // D-Bus gives up after 25 s by itself; a loaded machine must not look like a broken one.
            call_timeout: Duration::from_secs(30),
        }
    }
}

/// One unit of systemd.
#[derive(Clone, Debug)]
pub struct Systemd {
    pub(crate) unit: UnitName,
    options: SystemdOptions,
}

/// A file of a unit's definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionFile {
    /// Where it is.
    pub path: PathBuf,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// What is done to a unit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verb {
    Start,
    Stop,
}

impl Verb {
    fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }
}

impl Systemd {
    /// A unit, which need not exist yet; nothing is asked.
    #[must_use]
    pub fn new(unit: UnitName, options: SystemdOptions) -> Self {
        Self { unit, options }
    }

    /// The unit file and its drop-ins, in the order in which systemd applies them. They are as on disk, which
    /// systemd may not have read yet: [`ServiceStatus::need_daemon_reload`].
    ///
    /// # Errors
    /// As [`status`](ServiceController::status); [`ServiceError::Definition`] for a file that cannot be read.
    pub fn definition(&self) -> ServiceResult<Vec<DefinitionFile>> {
        let status = self.status()?;
        let paths = status.fragment_path.into_iter().chain(status.drop_in_paths);
        paths
            .map(|path| match fs::read(&path) {
                Ok(bytes) => Ok(DefinitionFile { path, bytes }),
                Err(source) => Err(ServiceError::Definition { unit: self.unit.clone(), path, source }),
            })
            .collect()
    }

    /// Whether this user may stop the unit and, above all, start it and its dependents again: it is root, or
    /// `sudo -n -l` allows each command line, or the unit is its own.
    ///
    /// sudo says yes too to a command for which it would ask a password, if another entry needs none. A stop
    /// refused for that reason leaves the node running.
    ///
    /// # Errors
    /// [`ServiceError::NotAllowed`], which says what to do.
    pub fn can_control(&self) -> ServiceResult<()> {
        let not_allowed = |reason| ServiceError::NotAllowed { unit: self.unit.clone(), reason };
        let Some(sudo) = &self.options.sudo else {
            if self.options.manager == Manager::User || rustix::process::geteuid().is_root() {
                return Ok(());
            }
            return Err(not_allowed("it is not root; run as root, or configure sudo".to_owned()));
        };
        let mut missing = Vec::new();
        for line in self.command_lines()? {
            let output = self.run(Command::new(sudo).args(["-n", "-l"]).args(&line))?;
            if !output.status.success() {
                missing.push(format!("\n  USER ALL=(root) NOPASSWD: {}", in_sudoers(&line)));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(not_allowed(format!("{} needs in /etc/sudoers.d:{}", sudo.display(), missing.concat())))
    }

    /// What sudo must allow: the very words that the verbs are called with.
    fn command_lines(&self) -> ServiceResult<Vec<Vec<String>>> {
        let mut lines = vec![self.words(Verb::Stop, &self.unit), self.words(Verb::Start, &self.unit)];
        let dependents = dependents::active(self, &self.unit)?;
        lines.extend(dependents.iter().map(|dependent| self.words(Verb::Start, dependent)));
        Ok(lines)
    }

    fn words(&self, verb: Verb, unit: &UnitName) -> Vec<String> {
        let mut words = vec![self.options.systemctl.to_string_lossy().into_owned()];
        words.extend(self.global_options());
        words.extend([verb.as_str().to_owned(), unit.to_string()]);
        words
    }

    fn global_options(&self) -> Vec<String> {
        let mut options = Vec::new();
        if self.options.manager == Manager::User {
            options.push("--user".to_owned());
        }
        if self.options.sudo.is_none() {
            // polkit would ask on the terminal. root is never asked, and sudoers stays short without it.
            options.push("--no-ask-password".to_owned());
        }
        options.push("--no-block".to_owned());
        options
    }

    /// Asks systemd to start or stop a unit, and does not wait for it.
    ///
    /// # Errors
    /// It refused, or there was no answer in time: then it may do it all the same.
    pub(crate) fn ask(&self, verb: Verb, unit: &UnitName) -> ServiceResult<()> {
        let words = self.words(verb, unit);
        let (systemctl, name) = (self.systemctl(), unit.clone());
        let answer = limited(self.options.call_timeout, move || match verb {
            Verb::Start => systemctl.start(name.as_str()),
            Verb::Stop => systemctl.stop(name.as_str()),
        });
        let status =
            answer.map_err(|source| ServiceError::Run { command: self.command_text(&words), source })?;
        if status.success() {
            return Ok(());
        }
        // The crate throws away what systemctl said; the right to do it is the usual reason.
        self.can_control()?;
        let output = "run it by hand to see why".to_owned();
        Err(ServiceError::Failed { command: self.command_text(&words), exit: status.to_string(), output })
    }

    fn systemctl(&self) -> SystemCtl {
        let program = self.options.systemctl.to_string_lossy().into_owned();
        match &self.options.sudo {
            None => SystemCtl::builder().path(program).additional_args(self.global_options()).build(),
            Some(sudo) => {
                let mut arguments = vec!["-n".to_owned(), program];
                arguments.extend(self.global_options());
                SystemCtl::builder()
                    .path(sudo.to_string_lossy().into_owned())
                    .additional_args(arguments)
                    .build()
            }
        }
    }

    fn command_text(&self, words: &[String]) -> String {
        let sudo = self.options.sudo.as_ref().map(|sudo| format!("{} -n ", sudo.display()));
        sudo.unwrap_or_default() + &words.join(" ")
    }

    /// The state of a unit, whatever it is.
    pub(crate) fn look(&self, unit: &UnitName) -> ServiceResult<ServiceStatus> {
        let blocks = self.show(PROPERTIES, &[unit])?;
        blocks.into_iter().next().and_then(ServiceStatus::of).ok_or_else(|| ServiceError::Answer {
            command: format!("systemctl show {unit}"),
            what: "it does not say which unit it is about".to_owned(),
        })
    }

    /// The named properties of some units, in their order.
    pub(crate) fn show(&self, properties: &str, units: &[&UnitName]) -> ServiceResult<Vec<Properties>> {
        let mut command = self.query("show");
        command.args(["-p", properties, "--"]).args(units.iter().map(|unit| unit.as_str()));
        self.ask_for_text(&mut command).map(|text| Properties::parse_blocks(&text))
    }

    /// The type of the job that waits or runs for a unit: `start`, `stop`, `restart`.
    pub(crate) fn job_type(&self, unit: &UnitName) -> ServiceResult<Option<String>> {
        let mut command = self.query("list-jobs");
        command.args(["--no-legend", "--plain", "--full", "--", unit.as_str()]);
        let text = self.ask_for_text(&mut command)?;
        Ok(text.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.nth(1) == Some(unit.as_str())).then(|| words.next()).flatten().map(str::to_owned)
        }))
    }

    fn query(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.options.systemctl);
        if self.options.manager == Manager::User {
            command.arg("--user");
        }
        command.args(["--no-pager", verb]);
        command
    }

    fn ask_for_text(&self, command: &mut Command) -> ServiceResult<String> {
        let output = self.run(command)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(ServiceError::Failed {
            command: text_of(command),
            exit: output.status.to_string(),
            output: output.stderr.trim().to_owned(),
        })
    }

    fn run(&self, command: &mut Command) -> ServiceResult<Output> {
        let answer = run(command, self.options.call_timeout);
        answer.map_err(|source| ServiceError::Run { command: text_of(command), source })
    }

    /// The last lines of a unit's journal; none where they cannot be read.
    pub(crate) fn journal(&self, unit: &UnitName) -> Vec<String> {
        let mut command = Command::new(self.options.systemctl.with_file_name("journalctl"));
        if self.options.manager == Manager::User {
            command.arg("--user");
        }
        command.args(["-u", unit.as_str(), "-n", JOURNAL_LINES, "--no-pager", "-o", "cat"]);
        match run(&mut command, JOURNAL_TIMEOUT.min(self.options.call_timeout)) {
            Ok(output) => output.stdout.lines().map(str::to_owned).collect(),
            Err(error) => {
                tracing::debug!(%unit, %error, "the journal could not be read");
                Vec::new()
            }
        }
    }
}

impl ServiceController for Systemd {
    fn unit(&self) -> Option<&UnitName> {
        Some(&self.unit)
    }

    fn status(&self) -> ServiceResult<ServiceStatus> {
        let status = self.look(&self.unit)?;
        // A unit whose file was deleted while it runs has a state all the same.
        if status.load_state == LoadState::NotFound && status.is_at_rest() {
            return Err(ServiceError::NotFound { unit: self.unit.clone() });
        }
        Ok(status)
    }

    fn plan_stop(&self) -> ServiceResult<Stopped> {
        Ok(self.survey()?.1)
    }

    fn stop(&self, timeout: Duration) -> ServiceResult<Stopped> {
        self.stop_unit(timeout)
    }

    fn start(&self, stopped: &Stopped, timeout: Duration) -> ServiceResult<Started> {
        self.start_again(stopped, timeout)
    }
}

/// sudoers(5) wants `,`, `:`, `=` and `\` escaped in arguments.
fn in_sudoers(line: &[String]) -> String {
    let mut text = String::new();
    for c in line.join(" ").chars() {
        if ",:=\\".contains(c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

fn text_of(command: &Command) -> String {
    let program = Path::new(command.get_program()).display().to_string();
    command.get_args().fold(program, |text, argument| text + " " + &argument.to_string_lossy())
}
