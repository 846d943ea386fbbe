//! How a command ended, as a person saw it.

use std::{fmt, path::Path, process::Output};

use regex::Regex;

/// What a command wrote and how it ended, the same on every machine and at any time: `Display` is for snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The exit code; `None` for a command that a signal ended.
    pub code: Option<i32>,
    /// Standard output as it was.
    pub stdout: String,
    /// Standard error as it was.
    pub stderr: String,
    place: String,
}

/// What differs from run to run, and what stands for it.
const REDACTED: [(&str, &str); 16] = [
    (r"\d{8}T\d{6}Z-(h\w+)-[0-9a-f]{32}", "[id $1]"),
    (r"\d{8}T\d{6}Z-\w+", "[restore]"),
    (r"[0-9a-f]{2}/[0-9a-f]{64}", "[pack]"),
    (r"[0-9a-f]{64}", "[hash]"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
    (r"down for \d+ ms \(stop \d+, capture \d+, start \d+\)", "down for [time]"),
    (r"\[\d+ ms\]|\[\d+\.\d s\]", "[time]"),
    (r"pause +\d+\.\d{3} s", "pause     [time]"),
    (r"[\d.]+ \w*B free there", "[size] free there"),
    (r"\d+ bytes free", "[size] free"),
    (r#""(\w*seconds|\w*_us)": ?[\d.e-]+"#, r#""$1": [time]"#),
    (r#""available_bytes": ?\d+"#, r#""available_bytes": [size]"#),
    (r"\.loom-snapshot/\w{16}", ".loom-snapshot/[snapshot]"),
    (r"probe-\d+", "probe-[pid]"),
    (r"by loom-backup \d+\.\d+\.\d+", "by loom-backup [version]"),
    // How zstd compresses is not ours.
    (r#""stored_bytes": ?\d+"#, r#""stored_bytes": [size]"#),
];

impl Outcome {
    pub(crate) fn new(output: &Output, place: &Path) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            place: place.to_str().unwrap().to_owned(),
        }
    }

    /// Itself, for a command that must have ended with this code.
    ///
    /// # Panics
    /// When it did not.
    #[must_use]
    #[track_caller]
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n{self}");
        self
    }

    /// Sees to it that the command ended with this code.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn ends_with(self, code: i32) {
        let _ = self.with_code(code);
    }

    /// The id of the backup that `loom-backup run` printed.
    ///
    /// # Panics
    /// When it printed something else.
    #[must_use]
    #[track_caller]
    pub fn backup_id(&self) -> String {
        let id = self.stdout.trim();
        assert!(Regex::new(REDACTED[0].0).unwrap().is_match(id) && !id.contains('\n'), "\n{self}");
        id.to_owned()
    }

    /// A text with what differs from run to run replaced.
    ///
    /// # Panics
    /// Never: the patterns are fixed.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let text = text.replace(&self.place, "/T");
        REDACTED.iter().fold(text, |text, (pattern, by)| {
            Regex::new(pattern).unwrap().replace_all(&text, *by).into_owned()
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "--- {name}\n{}", self.redact(text))?;
                if !text.ends_with('\n') {
                    writeln!(f, "[no line end]")?;
                }
            }
        }
        match self.code {
            Some(code) => write!(f, "--- exit code {code}"),
            None => write!(f, "--- killed"),
        }
    }
}
