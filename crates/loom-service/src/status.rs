//! The state of a unit, as `systemctl show` prints it.
//!
//! Asks nobody: `systemd.rs` does. Does not judge whether the node in it is healthy.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use crate::properties::Properties;
use crate::{UnitName, exit};

/// The properties that [`ServiceStatus`] and the stop and start of a unit are made of.
pub(crate) const PROPERTIES: &str = "Id,Type,LoadState,ActiveState,SubState,MainPID,ControlPID,InvocationID,Result,\
ExecMainCode,ExecMainStatus,ControlGroup,FragmentPath,DropInPaths,WorkingDirectory,User,ExecStart,UnitFileState,\
NeedDaemonReload,Job,NRestarts,Restart,TimeoutStopUSec,ConditionResult,AssertResult";

macro_rules! words {
    ($(#[$outer:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$outer])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// A word of a newer systemd.
            Other(String),
        }

        impl $name {
            fn parse(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    _ => Self::Other(word.to_owned()),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                })
            }
        }
    };
}

words! {
    /// Whether systemd could read the unit's definition.
    LoadState {
        /// It could.
        Loaded = "loaded",
        /// There is no such file (a running unit whose file was deleted stays with this).
        NotFound = "not-found",
        /// It says things that systemd refuses.
        BadSetting = "bad-setting",
        /// It could not be read.
        Error = "error",
        /// It is a link to `/dev/null`: no start is possible.
        Masked = "masked",
    }
}

words! {
    /// systemd's high-level state of a unit; `sub_state` tells more.
    ActiveState {
        /// Up.
        Active = "active",
        /// Up, and reading its configuration again.
        Reloading = "reloading",
        /// Down; it ended well or never ran.
        Inactive = "inactive",
        /// Down; it ended badly, which for Loom includes a plain stop.
        Failed = "failed",
        /// On its way up; with sub-state `auto-restart`, waiting for it.
        Activating = "activating",
        /// On its way down.
        Deactivating = "deactivating",
        /// Locked while its files are cleaned.
        Maintenance = "maintenance",
        /// Up, and taking in new extension images.
        Refreshing = "refreshing",
    }
}

impl ActiveState {
    /// Whether the unit is down and stays so unless somebody starts it.
    #[must_use]
    pub fn is_down(&self) -> bool {
        matches!(self, Self::Inactive | Self::Failed)
    }

    /// Whether the unit is up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Active | Self::Reloading | Self::Refreshing)
    }
}

/// A unit at one moment. What systemd leaves empty is `None`.
#[derive(Clone, Debug)]
pub struct ServiceStatus {
    /// The unit's own name (the one asked for may be an alias).
    pub unit: UnitName,
    /// Whether its definition was read.
    pub load_state: LoadState,
    /// Whether it is up.
    pub active_state: ActiveState,
    /// The state in the words of its type: `running`, `dead`, `auto-restart`, `stop-sigterm`.
    pub sub_state: String,
    /// The main process.
    pub main_pid: Option<u32>,
    /// systemd's id of its current or last run; lost when systemd unloads the unit.
    pub invocation_id: Option<String>,
    /// systemd's `Result` of its last run: `success`, `exit-code`, `timeout`.
    pub result: String,
    /// How the main process ended: 1 exited, 2 killed, 3 dumped core; 0 while it runs.
    pub exec_main_code: u32,
    /// The exit code or signal that goes with it.
    pub exec_main_status: u32,
    /// Its control group, absolute from the mount of the hierarchy; `None` when it has no processes.
    pub control_group: Option<String>,
    /// The unit file.
    pub fragment_path: Option<PathBuf>,
    /// Its drop-ins, in the order in which they apply.
    pub drop_in_paths: Vec<PathBuf>,
    /// Where its processes start; `None` for `/` and for `~`.
    pub working_directory: Option<PathBuf>,
    /// The user it runs as; `None` is root.
    pub user: Option<String>,
    /// The `ExecStart` property as systemd prints it, one command on a line.
    pub exec_start: Option<String>,
    /// The file that the main process executes; if that cannot be read, the one that `ExecStart` names.
    pub main_executable: Option<PathBuf>,
    /// Whether it is enabled: `enabled`, `disabled`, `static`.
    pub unit_file_state: Option<String>,
    /// Whether its files were changed after systemd read them.
    pub need_daemon_reload: bool,
    /// The job that waits or runs for it.
    pub job: Option<u32>,
    pub(crate) details: Properties,
}

impl ServiceStatus {
    /// `None` if systemd did not say which unit this is.
    pub(crate) fn of(unit: Properties) -> Option<Self> {
        let main_pid = unit.id("MainPID");
        let exec_start = unit.text("ExecStart");
        Some(Self {
            unit: unit.get("Id").parse().ok()?,
            load_state: LoadState::parse(unit.get("LoadState")),
            active_state: ActiveState::parse(unit.get("ActiveState")),
            sub_state: unit.get("SubState").to_owned(),
            main_pid,
            invocation_id: unit.text("InvocationID"),
            result: unit.get("Result").to_owned(),
            exec_main_code: unit.number("ExecMainCode"),
            exec_main_status: unit.number("ExecMainStatus"),
            control_group: unit.text("ControlGroup"),
            fragment_path: unit.text("FragmentPath").map(PathBuf::from),
            drop_in_paths: unit.list("DropInPaths").into_iter().map(PathBuf::from).collect(),
            working_directory: working_directory(unit.get("WorkingDirectory")),
            user: unit.text("User"),
            main_executable: main_pid
                .and_then(running_executable)
                .or_else(|| named_in(exec_start.as_deref()?)),
            exec_start,
            unit_file_state: unit.text("UnitFileState"),
            need_daemon_reload: unit.get("NeedDaemonReload") == "yes",
            job: unit.id("Job"),
            details: unit,
        })
    }

    /// `ActiveState (SubState)`, as `systemctl status` puts it.
    pub(crate) fn state(&self) -> String {
        format!("{} ({})", self.active_state, self.sub_state)
    }

    /// Nothing runs and nothing is about to, as far as systemd knows.
    pub(crate) fn is_at_rest(&self) -> bool {
        let idle = self.job.is_none() && self.main_pid.is_none() && self.details.id("ControlPID").is_none();
        self.active_state.is_down() && idle
    }

    /// Died, and is started again by its own `Restart=` after a while.
    pub(crate) fn is_restarting_itself(&self) -> bool {
        self.active_state == ActiveState::Activating && self.sub_state.starts_with("auto-restart")
    }

    /// A `Type=oneshot` dependent that was caught at work has an end, and being up is not it.
    pub(crate) fn has_done_its_work(&self) -> bool {
        let ran_well = self.result == "success" && self.details.get("ConditionResult") == "yes";
        self.details.get("Type") == "oneshot" && self.active_state == ActiveState::Inactive && ran_well
    }

    pub(crate) fn restarts(&self) -> u32 {
        self.details.number("NRestarts")
    }

    /// `Result`, or the check before the start that did not hold: that leaves no `Result` behind.
    pub(crate) fn outcome(&self) -> String {
        for (check, name) in [("ConditionResult", "a Condition"), ("AssertResult", "an Assert")] {
            if self.active_state.is_down() && self.details.get(check) == "no" {
                return format!("{} ({name} of the unit does not hold)", self.result);
            }
        }
        self.result.clone()
    }

    pub(crate) fn exit(&self) -> String {
        exit::in_words(&self.details)
    }
}

/// The leading `!` is the `-` of the unit file: the directory may be missing.
fn working_directory(value: &str) -> Option<PathBuf> {
    Some(value.strip_prefix('!').unwrap_or(value)).filter(|path| path.starts_with('/')).map(PathBuf::from)
}

/// Another user's process does not show its executable.
fn running_executable(pid: u32) -> Option<PathBuf> {
    let path = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    // The kernel says so when the file was replaced under the running process, as upgrades do.
    match path.to_str().and_then(|text| text.strip_suffix(" (deleted)")) {
        Some(replaced) => Some(PathBuf::from(replaced)),
        None => Some(path),
    }
}

/// `{ path=/usr/bin/loom ; argv[]=/usr/bin/loom run ; … }`
fn named_in(exec_start: &str) -> Option<PathBuf> {
    let (_, path) = exec_start.split_once("path=")?;
    path.split_once(" ; ").map(|(path, _)| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn status(text: &str) -> ServiceStatus {
        ServiceStatus::of(Properties::parse_blocks(text).remove(0)).unwrap()
    }

    #[test]
    fn what_systemd_252_prints_is_read() {
        let loom = status(include_str!("../tests/show/running.txt"));
        assert_eq!((loom.load_state, loom.active_state), (LoadState::Loaded, ActiveState::Active));
        assert_eq!(loom.main_executable.as_deref(), Some("/usr/bin/loom".as_ref()));
        assert_eq!(loom.working_directory.as_deref(), Some("/home/ubuntu".as_ref()));
        assert_eq!(
            loom.drop_in_paths,
            ["/etc/systemd/system/loom.service.d/10-limits.conf"].map(PathBuf::from)
        );
        assert_eq!(loom.control_group.as_deref(), Some("/system.slice/loom.service"));
        assert_eq!((loom.user.as_deref(), loom.job, loom.need_daemon_reload), (Some("ubuntu"), None, true));
    }

    #[test]
    fn a_unit_is_at_rest_only_when_nothing_of_it_is_left() {
        for (rest, text) in [
            (true, "ActiveState=inactive\nMainPID=0\nControlPID=0"),
            (true, "ActiveState=failed\nMainPID=0"),
            (false, "ActiveState=failed\nMainPID=0\nJob=17"),
            (false, "ActiveState=failed\nMainPID=4294967295"),
            (false, "ActiveState=inactive\nMainPID=0\nControlPID=4294967295"),
            (false, "ActiveState=deactivating\nMainPID=0"),
            (false, "ActiveState=activating\nSubState=auto-restart\nMainPID=0"),
            (false, "ActiveState=something-new\nMainPID=0"),
        ] {
            assert_eq!(status(&format!("Id=loom.service\n{text}")).is_at_rest(), rest, "{text}");
        }
    }

    #[test]
    fn a_home_that_may_be_missing_is_still_a_path() {
        assert_eq!(working_directory("!/var/lib/loom"), Some(PathBuf::from("/var/lib/loom")));
        assert_eq!(working_directory("~"), None);
        assert_eq!(working_directory(""), None);
    }
}
