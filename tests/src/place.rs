//! A directory of one test's own, and commands that know nothing but it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::{Outcome, copy_tree, program, workspace};

/// A real home of a node, as `fixtures/README.md` describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fixture {
    /// `fixtures/loom-home`.
    Loom,
    /// `fixtures/cometbft-home`.
    Cometbft,
}

/// A directory with a `home`, a `repository`, the tool's `state` and a `config.toml`. In command lines and in what is
/// rendered it is called `/T`.
#[derive(Debug)]
pub struct Place(TempDir);

impl Place {
    /// An empty one.
    ///
    /// # Panics
    /// When there is no room for it.
    #[must_use]
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("loom-tests-").tempdir().unwrap();
        fs::write(dir.path().join("config.toml"), "").unwrap();
        Self(dir)
    }

    /// One with a copy of a node's home, whose RPC nobody answers.
    #[must_use]
    pub fn with(fixture: Fixture) -> Self {
        let place = Self::new();
        place.add_home("home", fixture);
        place
    }

    /// Puts a copy of a node's home at `name`.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub fn add_home(&self, name: &str, fixture: Fixture) {
        let home = self.path(name);
        let (from, secret) = match fixture {
            Fixture::Loom => ("loom-home", "chaindata/config/priv_validator.json"),
            Fixture::Cometbft => ("cometbft-home", "data/priv_validator_state.json"),
        };
        copy_tree(&workspace().join("fixtures").join(from), &home);
        fs::set_permissions(home.join(secret), PermissionsExt::from_mode(0o600)).unwrap();
        // A node of whoever uses this machine may answer at the usual ports.
        self.set_rpc_port(name, fixture, 1);
    }

    /// Has the configuration of a home say that the node's RPC is at this port.
    ///
    /// # Panics
    /// When the configuration is not as the fixture's.
    pub fn set_rpc_port(&self, home: &str, fixture: Fixture, port: u16) {
        let config = self.path(home).join(match fixture {
            Fixture::Loom => "loom.yml",
            Fixture::Cometbft => "config/config.toml",
        });
        let text = fs::read_to_string(&config).unwrap();
        let pattern = match fixture {
            Fixture::Loom => r"RPCProxyPort: \d+(\nRPCListenAddress: .*)?",
            Fixture::Cometbft => r#"(?m)^laddr = "tcp://127.0.0.1:(26657|1|\d{5})"$"#,
        };
        let said = match fixture {
            Fixture::Loom => format!("RPCProxyPort: {port}\nRPCListenAddress: tcp://127.0.0.1:{port}"),
            Fixture::Cometbft => format!(r#"laddr = "tcp://127.0.0.1:{port}""#),
        };
        let pattern = regex::Regex::new(pattern).unwrap();
        assert!(pattern.is_match(&text), "{}", config.display());
        fs::write(&config, pattern.replace(&text, said.as_str()).as_bytes()).unwrap();
        if fixture == Fixture::Loom {
            let config = self.path(home).join("chaindata/config/config.toml");
            let text = fs::read_to_string(&config).unwrap();
            fs::write(&config, text.replace("127.0.0.1:21957", "127.0.0.1:1")).unwrap();
        }
    }

    /// The path of a name in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The home that `back_up` takes.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// Writes the configuration that every command reads; `/T` in it is this place.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn configure(&self, text: &str) {
        fs::write(self.path("config.toml"), self.resolve(text)).unwrap();
    }

    /// A text in which `/T` stands for this place, as it is meant.
    #[must_use]
    pub fn resolve(&self, text: &str) -> String {
        text.replace("/T/", &format!("{}/", self.0.path().display()))
    }

    /// A command line, its words apart by blanks, that is ready to run: it begins with a binary of this workspace or any other
    /// program.
    ///
    /// # Panics
    /// When it is empty.
    #[must_use]
    pub fn command(&self, line: &str) -> Command {
        let line = self.resolve(line);
        let mut words = line.split_whitespace().map(|word| {
            let ours = word.starts_with("loom-backup") || word.starts_with("loom-restore");
            if ours { program(word).into_os_string() } else { word.into() }
        });
        let mut command = Command::new(words.next().expect("a command"));
        command.args(words).env_clear().current_dir(self.root()).stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path("user")).env("LOOM_BACKUP_STATE_DIR", self.path("state"));
        command.env("LOOM_BACKUP_CONFIG", self.path("config.toml"));
        command
    }

    /// Runs a command line to its end.
    ///
    /// # Panics
    /// When the program is not there.
    #[must_use]
    pub fn run(&self, line: &str) -> Outcome {
        self.outcome(&mut self.command(line))
    }

    /// Runs a prepared command to its end.
    ///
    /// # Panics
    /// When the program is not there.
    #[must_use]
    pub fn outcome(&self, command: &mut Command) -> Outcome {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Outcome::new(&output, self.root())
    }

    /// Backs `home` up into `repository`, as node `n1` without a service.
    #[must_use]
    pub fn back_up(&self, more: &str) -> Outcome {
        let fixed = "loom-backup run --node n1 --home /T/home --service none --to file:///T/repository";
        self.run(&format!("{fixed} {more}"))
    }

    /// Restores from `repository` into a home, without a service and without asking.
    #[must_use]
    pub fn restore(&self, home: &str, more: &str) -> Outcome {
        let fixed = "loom-restore run --yes --service none --from file:///T/repository --home /T/";
        self.run(&format!("{fixed}{home} {more}"))
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}
