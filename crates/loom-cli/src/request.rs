//! From flags and configuration to what the runbook is asked to do.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use loom_runbook::{
    BackupRequest, LayoutOptions, QuiesceMode, RestoreRequest, Service, ServiceController, SignStatePolicy,
    Systemd, SystemdOptions,
    repository::NodeName,
    storage::{Storage, StorageOptions, StorageUrl, options_from_env},
};

use crate::{BackupArgs, Common, Config, ConfigError, RestoreArgs, config::ServiceName, run::Failure};

/// What a backup, or a check of one, is asked to do.
///
/// # Errors
/// What is not said, or cannot be used.
pub fn backup_request(
    common: &Common,
    args: &BackupArgs,
    config: &Config,
    cancel: &Arc<AtomicBool>,
) -> Result<BackupRequest, Failure> {
    let service = service_of(args.service.as_ref(), config)?;
    let quiesce = match args.quiesce.as_deref() {
        Some("none") => QuiesceMode::None,
        Some(_) => QuiesceMode::Stop,
        None => config.backup.quiesce,
    };
    Ok(BackupRequest {
        node: node_name(args.node.as_ref(), config)?,
        home: home(args.home.as_deref(), config, &service)?,
        layout: LayoutOptions {
            kind: args.layout.map_or(config.layout, |layout| layout.0),
            include: config.backup.include.clone(),
            exclude: config.backup.exclude.clone(),
            strict: true,
        },
        classes: args.only.or(config.backup.classes),
        secrets: config.backup.secrets,
        service,
        quiesce,
        stop_timeout: config.backup.stop_timeout,
        start_timeout: config.backup.start_timeout,
        copy_max: config.backup.copy_max,
        storage: storage(args.to.as_ref(), config, "--to URL")?,
        workers: config.backup.workers,
        uploads: config.backup.uploads,
        level: config.backup.compression_level,
        state_dir: state_dir(common, config)?,
        cancel: Arc::clone(cancel),
    })
}

/// What a restore, or a plan of one, is asked to do.
///
/// # Errors
/// What is not said, or cannot be used.
pub fn restore_request(
    common: &Common,
    args: &RestoreArgs,
    config: &Config,
    cancel: &Arc<AtomicBool>,
) -> Result<RestoreRequest, Failure> {
    let service = service_of(args.service.as_ref(), config)?;
    Ok(RestoreRequest {
        storage: storage(args.from.as_ref(), config, "--from URL")?,
        node: args.node.clone().or_else(|| config.node.clone()),
        which: args.backup.0.clone().map_or(loom_runbook::Which::Latest, loom_runbook::Which::Id),
        home: home(args.home.as_deref(), config, &service)?,
        service,
        classes: args.only,
        replace: args.replace,
        sign_state: match (args.sign_state_from_backup, args.min_sign_height) {
            (true, _) => SignStatePolicy::FromBackup,
            (false, Some(height)) => SignStatePolicy::MinHeight(height),
            (false, None) => SignStatePolicy::Refuse,
        },
        start: !args.no_start,
        stop_timeout: config.backup.stop_timeout,
        start_timeout: config.backup.start_timeout,
        workers: config.backup.workers,
        state_dir: state_dir(common, config)?,
        cancel: Arc::clone(cancel),
    })
}

/// The storage of a command that only reads a repository.
///
/// # Errors
/// What is not said, or cannot be used.
pub fn storage(flag: Option<&StorageUrl>, config: &Config, how: &'static str) -> Result<Storage, Failure> {
    let missing = ConfigError::Missing { what: "the repository's URL", how };
    let url = flag.or(config.storage.url.as_ref()).ok_or(missing)?;
    let mut options = options_from_env(std::env::vars());
    options.extend(config.storage.options.clone());
    let options = StorageOptions { options, timeout: config.storage.timeout, ..StorageOptions::default() };
    Ok(Storage::open(url, &options).map_err(loom_runbook::RunError::from)?)
}

/// The service that is meant.
///
/// # Errors
/// When nobody says whether there is one: a node that is not stopped for its backup is a mistake to be made knowingly.
pub fn service_of(flag: Option<&ServiceName>, config: &Config) -> Result<Service, Failure> {
    let missing = ConfigError::Missing {
        what: "the service that runs the node",
        how: "--service UNIT, or --service none when nothing runs it",
    };
    match flag.or(config.service.as_ref()).ok_or(missing)? {
        ServiceName::None => Ok(Service::None),
        ServiceName::Unit(unit) => {
            let options = SystemdOptions {
                systemctl: config.systemd.systemctl.clone(),
                sudo: config.systemd.sudo.then(|| PathBuf::from("/usr/bin/sudo")),
                ..SystemdOptions::default()
            };
            Ok(Service::Systemd(Arc::new(Systemd::new(unit.clone(), options))))
        }
    }
}

fn home(flag: Option<&Path>, config: &Config, service: &Service) -> Result<PathBuf, Failure> {
    if let Some(home) = flag.or(config.home.as_deref()) {
        // What is recorded and shown must not depend on where the command was typed.
        return std::path::absolute(home)
            .map_err(|source| loom_runbook::RunError::Home { path: home.to_owned(), source }.into());
    }
    let missing = ConfigError::Missing {
        what: "the directory the node runs in",
        how: "--home DIR, or WorkingDirectory= in the service",
    };
    let Service::Systemd(systemd) = service else { return Err(missing.into()) };
    let status = systemd.status().map_err(loom_runbook::RunError::from)?;
    Ok(status.working_directory.ok_or(missing)?)
}

/// The node's name: as given, as configured, or this machine's.
///
/// # Errors
/// A host name that is no name for a node.
pub fn node_name(flag: Option<&NodeName>, config: &Config) -> Result<NodeName, Failure> {
    if let Some(node) = flag.or(config.node.as_ref()) {
        return Ok(node.clone());
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    host.parse().map_err(|_| {
        let what = format!("the host name {host:?} is no name for a node: give one with --node");
        ConfigError::Value { what }.into()
    })
}

/// The state directory: as given, as configured, or the usual one of root and of others.
///
/// # Errors
/// When this user has no home directory.
pub fn state_dir(common: &Common, config: &Config) -> Result<PathBuf, Failure> {
    let from_environment = std::env::var_os("LOOM_BACKUP_STATE_DIR").map(PathBuf::from);
    let said = common.state_dir.clone().or(from_environment).or_else(|| config.state_dir.clone());
    if let Some(dir) = said {
        return Ok(dir);
    }
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/loom-backup"));
    }
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| std::env::home_dir().map(|home| home.join(".local/state")));
    let missing = ConfigError::Missing { what: "the state directory", how: "--state-dir DIR" };
    Ok(state.ok_or(missing)?.join("loom-backup"))
}
