//! How a unit's main process ended: in words, and whether that is clean.
//!
//! Loom's SIGTERM handler ends with exit code 0 or 1, whichever of two goroutines wins, so `failed` after a
//! stop is as good as `inactive`; what matters is that nobody had to kill it.

use crate::properties::Properties;

/// Exit codes by which a wrapper (a shell, a container runtime) says that its child was killed or dumped:
/// 128 + SIGABRT, SIGKILL, SIGSEGV.
const KILLED_INSIDE: [u32; 3] = [134, 137, 139];

/// Signals of which a process may die in peace: SIGHUP, SIGINT, SIGPIPE, SIGTERM (systemd's own list).
const PEACEFUL: [u32; 4] = [1, 2, 13, 15];

/// `ExecMainCode` and `ExecMainStatus`: the `si_code` and `si_status` of waitid(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    None,
    Exited(u32),
    Killed(u32),
    Dumped(u32),
}

impl Exit {
    fn of(unit: &Properties) -> Self {
        let status = unit.number("ExecMainStatus");
        match unit.get("ExecMainCode") {
            "1" | "exited" => Self::Exited(status),
            "2" | "killed" => Self::Killed(status),
            "3" | "dumped" => Self::Dumped(status),
            _ => Self::None,
        }
    }
}

/// How the main process ended, for people. systemd forgets it when it unloads a unit that ended well.
pub(crate) fn in_words(unit: &Properties) -> String {
    match Exit::of(unit) {
        Exit::None => "no exit status is known".to_owned(),
        Exit::Exited(status) => format!("main process exited with {status}"),
        Exit::Killed(signal) => format!("main process was killed by signal {signal}"),
        Exit::Dumped(signal) => format!("main process dumped core on signal {signal}"),
    }
}

/// Whether the stopped unit ended by itself when asked to.
pub(crate) fn is_clean(unit: &Properties) -> bool {
    let ended_well = match Exit::of(unit) {
        Exit::None => true,
        Exit::Exited(status) => !KILLED_INSIDE.contains(&status),
        Exit::Killed(signal) => PEACEFUL.contains(&signal),
        Exit::Dumped(_) => false,
    };
    // Results such as timeout, watchdog, signal, core-dump, oom-kill, protocol: somebody had to kill it.
    ended_well && matches!(unit.get("Result"), "success" | "exit-code" | "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_clean_unless_something_had_to_be_killed() {
        let ends = [
            ("success", 0, 0),
            ("success", 1, 0),
            ("exit-code", 1, 1),
            ("success", 2, 15),
            ("timeout", 2, 9),
            ("signal", 2, 9),
            ("timeout", 1, 0),
            ("core-dump", 3, 6),
            ("exit-code", 1, 137),
            ("oom-kill", 1, 0),
        ];
        let table: Vec<String> = ends
            .iter()
            .map(|(result, code, status)| {
                let text = format!("Result={result}\nExecMainCode={code}\nExecMainStatus={status}\n");
                let unit = &Properties::parse_blocks(&text)[0];
                let clean = if is_clean(unit) { "clean" } else { "killed" };
                format!("{clean:6} {result}: {}", in_words(unit))
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"), @r"
        clean  success: no exit status is known
        clean  success: main process exited with 0
        clean  exit-code: main process exited with 1
        clean  success: main process was killed by signal 15
        killed timeout: main process was killed by signal 9
        killed signal: main process was killed by signal 9
        killed timeout: main process exited with 0
        killed core-dump: main process dumped core on signal 6
        killed exit-code: main process exited with 137
        killed oom-kill: main process exited with 0
        ");
    }
}
