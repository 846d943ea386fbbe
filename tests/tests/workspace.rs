//! The rules of the house: which crate may know which, what may come in from outside, and how large a room may be.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeSet, fs, path::Path};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Which members of the workspace each member may know. No others.
const ARROWS: [(&str, &[&str]); 13] = [
    ("loom-backup", &["loom-cli", "loom-runbook"]),
    ("loom-restore", &["loom-cli", "loom-runbook"]),
    ("loom-cli", &["loom-runbook"]),
    ("loom-runbook", &["loom-node", "loom-repository", "loom-service", "loom-snapshot", "loom-unit"]),
    ("loom-repository", &["loom-archive", "loom-storage"]),
    ("loom-snapshot", &["loom-leveldb"]),
    ("loom-node", &["loom-leveldb"]),
    ("loom-archive", &[]),
    ("loom-leveldb", &[]),
    ("loom-service", &[]),
    ("loom-storage", &[]),
    ("loom-unit", &[]),
    ("loom-tests", &[]),
];

/// What must not come in, and why not. `deny.toml` says the same.
const BANNED: [(&str, &str); 6] = [
    ("tokio-tar", "unmaintained, CVE-2025-62518: astral-tokio-tar is its maintained fork"),
    ("openssl", "TLS is rustls's: no C library that a host may have in another version"),
    ("openssl-sys", "as openssl"),
    ("native-tls", "as openssl"),
    ("rusty-leveldb", "writes when it opens a database and panics on damaged tables"),
    ("serde_yaml", "unmaintained: serde_yaml_ng"),
];

/// The licences that this workspace can live with. `deny.toml` says the same.
const LICENCES: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// The registry, and no other place.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A file that is longer has two nouns on its door.
const MAX_LINES: usize = 600;

fn metadata() -> Metadata {
    let manifest = loom_tests::workspace().join("Cargo.toml");
    // What the lock file says and no other: these rules must not depend on the day.
    let locked = vec!["--locked".to_owned()];
    MetadataCommand::new().manifest_path(manifest).other_options(locked).exec().unwrap()
}

/// The names of the members that a member knows outside of its tests.
fn known<'a>(package: &'a Package, members: &BTreeSet<&str>) -> BTreeSet<&'a str> {
    let normal = package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development);
    normal.map(|d| d.name.as_str()).filter(|name| members.contains(name)).collect()
}

#[test]
fn every_crate_knows_only_whom_it_may_know() {
    let metadata = metadata();
    let members = metadata.workspace_packages();
    let names: BTreeSet<&str> = members.iter().map(|package| package.name.as_str()).collect();
    let listed: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, listed, "every member has a line in ARROWS, and every line a member");
    for package in members {
        let (_, allowed) = ARROWS.iter().find(|(name, _)| **name == *package.name).unwrap();
        let known = known(package, &names);
        let allowed = allowed.iter().copied().collect();
        assert_eq!(known, allowed, "whom {} knows, and whom it is said to know", package.name);
    }
}

#[test]
fn a_package_is_called_as_its_folder_and_has_the_lints_of_the_workspace() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        let folder = package.manifest_path.parent().unwrap().file_name().unwrap();
        // The one crate of tests is called by what it is in the workspace.
        let name = if folder == "tests" { "loom-tests" } else { folder };
        assert_eq!(*package.name, *name, "{}", package.manifest_path);
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true\n"), "{}", package.manifest_path);
    }
}

#[test]
fn no_library_has_an_error_that_says_nothing() {
    for package in metadata().workspace_packages() {
        let vague = ["anyhow", "eyre", "color-eyre", "snafu"];
        let found = package.dependencies.iter().find(|d| vague.contains(&d.name.as_str()));
        assert!(found.is_none(), "{} depends on {}", package.name, found.unwrap().name);
    }
}

#[test]
fn nothing_banned_comes_in_by_any_way() {
    let metadata = metadata();
    let resolved: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    assert!(resolved.contains("astral-tokio-tar"), "this test looks at the wrong list");
    for (name, why) in BANNED {
        assert!(!resolved.contains(name), "{name}: {why}");
    }
}

#[test]
fn everything_comes_from_the_one_registry() {
    for package in metadata().packages {
        let source = package.source.as_ref().map(|source| source.repr.as_str());
        let ours = package.manifest_path.starts_with(loom_tests::workspace().to_str().unwrap());
        assert!(source == Some(CRATES_IO) || ours && source.is_none(), "{}: {source:?}", package.name);
    }
}

/// Whether a licence expression can be met with [`LICENCES`]: `AND` binds closer than `OR`, `/` is the `OR` of old manifests.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    // Innermost parentheses first: what is in them is good or is not.
    if let Some(close) = expression.find(')') {
        let open = expression[..close].rfind('(').expect("parentheses come in pairs");
        let word = if is_allowed(&expression[open + 1..close]) { "MIT" } else { "none" };
        return is_allowed(&format!("{}{word}{}", &expression[..open], &expression[close + 1..]));
    }
    expression.split(" OR ").any(|all| all.split(" AND ").all(|one| LICENCES.contains(&one.trim())))
}

#[test]
fn every_licence_is_one_we_can_live_with() {
    for package in metadata().packages {
        let licence = package.license.as_deref().unwrap_or_default();
        assert!(is_allowed(licence), "{} {}: {licence:?}", package.name, package.version);
    }
}

#[test]
fn licence_expressions_are_understood() {
    for (expression, allowed) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("MIT OR GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(GPL-3.0 OR AGPL-3.0) AND MIT", false),
        ("(GPL-3.0 OR (ISC AND MIT)) AND MIT", true),
        ("Apache-2.0 WITH LLVM-exception OR GPL-2.0", true),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression), allowed, "{expression}");
    }
}

#[test]
fn deny_toml_says_what_these_tests_say() {
    let deny = fs::read_to_string(loom_tests::workspace().join("deny.toml")).unwrap();
    for (name, _) in BANNED {
        assert!(deny.contains(&format!("name = \"{name}\"")), "{name} is not banned in deny.toml");
    }
    // An exception is spelled with its licence there as well.
    for licence in LICENCES {
        assert!(deny.contains(&format!("\"{licence}\"")), "{licence} is not in deny.toml");
    }
}

#[test]
fn no_file_is_too_long_to_be_about_one_thing() {
    let mut files = 0;
    let mut dirs = vec![loom_tests::workspace().join("crates"), loom_tests::workspace().join("bins")];
    while let Some(dir) = dirs.pop() {
        for child in fs::read_dir(dir).unwrap() {
            let path = child.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension() == Some("rs".as_ref()) {
                files += 1;
                let lines = lines(&path);
                assert!(lines <= MAX_LINES, "{} has {lines} lines", path.display());
            }
        }
    }
    assert!(files > 50, "this test looked at {files} files only");
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).unwrap().lines().count()
}
