//! The configuration: one TOML file, every key also from the environment.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use loom_runbook::{
    ClassSet, LayoutKind, QuiesceMode, Secrets, UnitName,
    repository::NodeName,
    storage::{StorageOptions, StorageUrl},
};
use serde::{Deserialize, Deserializer, de};

use crate::size;

/// Where the configuration is looked for when `--config` does not say.
pub const DEFAULT_PATH: &str = "/etc/loom-backup/config.toml";

/// The annotated default, as `loom-backup config` prints it.
pub const DEFAULT_CONFIG: &str = include_str!("config.toml");

/// The prefix of environment variables that are keys of the configuration.
const PREFIX: &str = "LOOM_BACKUP_";

/// Every key that there is, for the environment: `section.key`.
const KEYS: [&str; 24] = [
    "node",
    "home",
    "layout",
    "service",
    "state_dir",
    "storage.url",
    "storage.timeout",
    "backup.classes",
    "backup.secrets",
    "backup.quiesce",
    "backup.stop_timeout",
    "backup.start_timeout",
    "backup.copy_max",
    "backup.include",
    "backup.exclude",
    "backup.workers",
    "backup.uploads",
    "backup.compression_level",
    "systemd.sudo",
    "systemd.systemctl",
    "metrics.textfile",
    // Keys of options are the store's own; these are the ones that have no standard variable.
    "storage.options.storage_class",
    "storage.options.allow_http",
    "storage.options.root_certificate",
];

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file, or an environment variable, says something that is not understood.
    #[error("understand the configuration {}", from)]
    Parse {
        /// The file, or the variables.
        from: String,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// Something has to be said and is not said anywhere.
    #[error("{what} is not said: {how}")]
    Missing {
        /// What.
        what: &'static str,
        /// Where to say it.
        how: &'static str,
    },
    /// A value cannot be used.
    #[error("{what}")]
    Value {
        /// What is wrong with which.
        what: String,
    },
}

/// The whole configuration, every key with its default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "config.toml beside this file says what each key is")]
pub struct Config {
    pub node: Option<NodeName>,
    pub home: Option<PathBuf>,
    #[serde(deserialize_with = "layout")]
    pub layout: Option<LayoutKind>,
    pub service: Option<ServiceName>,
    pub state_dir: Option<PathBuf>,
    pub storage: StorageConfig,
    pub backup: BackupConfig,
    pub systemd: SystemdConfig,
    pub metrics: MetricsConfig,
}

/// A unit, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceName {
    /// This systemd unit.
    Unit(UnitName),
    /// Nothing runs the node.
    None,
}

impl std::str::FromStr for ServiceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        text.parse().map(Self::Unit).map_err(|error: loom_runbook::ServiceError| error.to_string())
    }
}

impl<'de> Deserialize<'de> for ServiceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    pub url: Option<StorageUrl>,
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    pub options: BTreeMap<String, String>,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self { url: None, timeout: StorageOptions::default().timeout, options: BTreeMap::default() }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackupConfig {
    pub classes: Option<ClassSet>,
    #[serde(deserialize_with = "secrets")]
    pub secrets: Secrets,
    #[serde(deserialize_with = "quiesce")]
    pub quiesce: QuiesceMode,
    #[serde(deserialize_with = "duration")]
    pub stop_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub start_timeout: Duration,
    #[serde(deserialize_with = "bytes")]
    pub copy_max: u64,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub workers: usize,
    pub uploads: usize,
    pub compression_level: i32,
}

impl Default for BackupConfig {
    fn default() -> Self {
        Self {
            classes: None,
            secrets: Secrets::default(),
            quiesce: QuiesceMode::default(),
            stop_timeout: Duration::from_mins(10),
            start_timeout: Duration::from_mins(2),
            copy_max: 2 << 30,
            include: Vec::new(),
            exclude: Vec::new(),
            workers: 2,
            uploads: 2,
            compression_level: 1,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SystemdConfig {
    pub sudo: bool,
    pub systemctl: PathBuf,
}

impl Default for SystemdConfig {
    fn default() -> Self {
        Self { sudo: false, systemctl: PathBuf::from("/usr/bin/systemctl") }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    pub textfile: Option<PathBuf>,
}

impl Config {
    /// The configuration from `path`, or from the default place where there may be none, under what the environment says.
    ///
    /// # Errors
    /// [`ConfigError::Read`] for a named file that cannot be read, [`ConfigError::Parse`] with line and key.
    pub fn load(
        path: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let read = match path {
            Some(path) => std::fs::read_to_string(path).map(Some),
            None => match std::fs::read_to_string(DEFAULT_PATH) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
                other => other.map(Some),
            },
        };
        let path = path.unwrap_or(Path::new(DEFAULT_PATH));
        let text = read.map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let file = path.display().to_string();
        let parse = |source| ConfigError::Parse { from: file.clone(), source: Box::new(source) };
        // First alone: an error then has the place in the file.
        let text = text.unwrap_or_default();
        toml::from_str::<Self>(&text).map_err(parse)?;
        let mut table: toml::Table = toml::from_str(&text).map_err(parse)?;
        let mut said = Vec::new();
        for (name, value) in environment.filter(|(name, _)| name.starts_with(PREFIX)) {
            if let Some(key) = KEYS.iter().find(|key| name[PREFIX.len()..] == variable(key)) {
                set(&mut table, key, &value);
                said.push(name);
            }
        }
        let from = format!("{file} with {} from the environment", said.join(", "));
        table.try_into().map_err(|source| ConfigError::Parse { from, source: Box::new(source) })
    }
}

/// `backup.stop_timeout` is `BACKUP_STOP_TIMEOUT`.
fn variable(key: &str) -> String {
    key.to_uppercase().replace('.', "_")
}

/// Puts a value in its place. A value that reads as TOML (a list, a number, true) is that, any other a text.
fn set(table: &mut toml::Table, key: &str, value: &str) {
    let (sections, name) = key.rsplit_once('.').map_or(("", key), |(sections, name)| (sections, name));
    let mut place = table;
    for section in sections.split('.').filter(|section| !section.is_empty()) {
        let next = place.entry(section).or_insert_with(|| toml::Table::new().into());
        if !next.is_table() {
            *next = toml::Table::new().into();
        }
        place = next.as_table_mut().expect("it was made a table just now");
    }
    let parsed = toml::from_str::<toml::Table>(&format!("v = {value}")).ok().and_then(|mut t| t.remove("v"));
    // Options of stores are texts, whatever they look like.
    let parsed = parsed.filter(|_| !key.starts_with("storage.options"));
    place.insert(name.to_owned(), parsed.unwrap_or_else(|| value.into()));
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text)
        .map_err(|_| de::Error::custom(format!("{text:?} is not a time span (such as 90s or 10m)")))
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    size::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

fn layout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<LayoutKind>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == "auto" { Ok(None) } else { text.parse().map(Some).map_err(de::Error::custom) }
}

fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secrets, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "refuse" => Ok(Secrets::Refuse),
        "plaintext" => Ok(Secrets::Plaintext),
        "exclude" => Ok(Secrets::Exclude),
        other => Err(de::Error::custom(format!("{other:?} is none of refuse, plaintext, exclude"))),
    }
}

fn quiesce<'de, D: Deserializer<'de>>(deserializer: D) -> Result<QuiesceMode, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "stop" => Ok(QuiesceMode::Stop),
        "none" => Ok(QuiesceMode::None),
        other => Err(de::Error::custom(format!("{other:?} is none of stop, none"))),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(Some(&path), environment)
    }

    fn causes(error: &ConfigError) -> String {
        std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn every_key_of_the_annotated_default_is_one_and_has_the_value_it_shows() {
        // `# key = value   # remark` becomes `key = value`; prose stays a comment.
        let lines = DEFAULT_CONFIG.lines().map(|line| {
            let key = line.strip_prefix("# ").filter(|rest| {
                let first = rest.split_whitespace().next().unwrap_or_default();
                rest.split_whitespace().nth(1) == Some("=")
                    && first.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
            });
            key.unwrap_or(line).to_owned() + "\n"
        });
        let config = load(&lines.collect::<String>(), &[]).unwrap();
        let (shown, default) = (&config.backup, BackupConfig::default());
        assert_eq!(shown.stop_timeout, default.stop_timeout);
        assert_eq!(shown.start_timeout, default.start_timeout);
        assert_eq!(shown.copy_max, default.copy_max);
        assert_eq!((shown.secrets, shown.quiesce), (default.secrets, default.quiesce));
        assert_eq!((shown.workers, shown.uploads), (default.workers, default.uploads));
        assert_eq!(shown.compression_level, default.compression_level);
        assert_eq!(config.storage.timeout, StorageConfig::default().timeout);
        assert_eq!(config.systemd.systemctl, SystemdConfig::default().systemctl);
        assert!(config.node.is_some() && config.service.is_some() && config.storage.url.is_some());
        for key in KEYS {
            let name = key.rsplit('.').next().unwrap();
            assert!(DEFAULT_CONFIG.contains(&format!("# {name} = ")), "{key} is not in the default");
        }
    }

    #[test]
    fn the_environment_goes_before_the_file() {
        let file = "node = \"a\"\n[backup]\nworkers = 3\nexclude = [\"x\"]\n";
        let environment = [
            ("LOOM_BACKUP_NODE", "b"),
            ("LOOM_BACKUP_STORAGE_URL", "s3://bucket/prefix"),
            ("LOOM_BACKUP_BACKUP_WORKERS", "8"),
            ("LOOM_BACKUP_BACKUP_INCLUDE", "[\"extra.db\"]"),
            ("LOOM_BACKUP_CONFIG", "/not/a/key"),
        ];
        let config = load(file, &environment).unwrap();
        assert_eq!(config.node.unwrap().as_str(), "b");
        assert_eq!(config.storage.url.unwrap().to_string(), "s3://bucket/prefix");
        assert_eq!((config.backup.workers, config.backup.include), (8, vec!["extra.db".to_owned()]));
        assert_eq!(config.backup.exclude, ["x"]);
    }

    #[test]
    fn what_is_not_understood_is_named_with_its_place() {
        insta::assert_snapshot!(causes(&load("nod = \"a\"\n", &[]).unwrap_err()), @r#"
        TOML parse error at line 1, column 1
          |
        1 | nod = "a"
          | ^^^
        unknown field `nod`, expected one of `node`, `home`, `layout`, `service`, `state_dir`, `storage`, `backup`, `systemd`, `metrics`
        "#);
        insta::assert_snapshot!(causes(&load("[backup]\nstop_timeout = \"soon\"\n", &[]).unwrap_err()), @r#"
        TOML parse error at line 2, column 16
          |
        2 | stop_timeout = "soon"
          |                ^^^^^^
        "soon" is not a time span (such as 90s or 10m)
        "#);
        let error = load("", &[("LOOM_BACKUP_BACKUP_SECRETS", "yes")]).unwrap_err();
        assert!(
            error.to_string().ends_with("with LOOM_BACKUP_BACKUP_SECRETS from the environment"),
            "{error}"
        );
    }
}
