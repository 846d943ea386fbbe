//! What the documents say against what is there: files that are copies, numbers that are listed, links, units.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use loom_tests::workspace;

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap()
}

#[test]
fn the_packaged_configuration_is_the_one_that_the_program_prints() {
    assert_eq!(read("packaging/config.toml"), read("crates/loom-cli/src/config.toml"));
}

#[test]
fn every_exit_code_is_documented_and_no_other() {
    let source = read("crates/loom-cli/src/exit.rs");
    let codes = source.lines().filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => "));
    let mut codes: Vec<u8> = codes.filter_map(|(_, code)| code.trim_end_matches(',').parse().ok()).collect();
    codes.sort_unstable();
    assert!(codes.len() > 5, "exit.rs does not read as it did");
    let table = read("docs/exit-codes.md");
    let documented: Vec<u8> =
        table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()?.parse().ok()).collect();
    assert_eq!(documented, codes);
}

/// The targets of the links in a Markdown text that lead to files.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.starts_with("http") && !target.starts_with('#'))
}

fn documents() -> Vec<PathBuf> {
    let in_dir = |dir: PathBuf| fs::read_dir(dir).unwrap().map(|item| item.unwrap().path());
    let all = in_dir(workspace()).chain(in_dir(workspace().join("docs")));
    all.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

#[test]
fn every_link_between_documents_leads_to_a_file_and_a_heading() {
    let anchor = |line: &str| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let letters = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        letters.collect::<String>().replace(' ', "-")
    };
    let mut seen = 0;
    for document in documents() {
        for link in links(&fs::read_to_string(&document).unwrap()) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = document.parent().unwrap().join(file);
            assert!(target.exists(), "{}: {link}", document.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(target).unwrap();
                let found =
                    text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == heading);
                assert!(found, "{}: {link}", document.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 15, "only {seen} links were found");
}

#[test]
fn every_key_of_the_environment_is_documented() {
    let text = read("docs/configuration.md");
    let source = read("crates/loom-cli/src/config.rs");
    let keys = source.split_once("const KEYS").unwrap().1.split_once("];").unwrap().0;
    let keys: Vec<&str> = keys.split('"').skip(1).step_by(2).collect();
    assert!(keys.len() > 20, "config.rs does not read as it did");
    for key in keys {
        let name = key.rsplit('.').next().unwrap();
        assert!(text.contains(&format!("`{name}`")), "{key} is not in docs/configuration.md");
    }
}

#[test]
#[ignore = "needs systemd-analyze"]
fn systemd_takes_the_packaged_units_as_they_are() {
    // In a copy: the programs are not installed here, and a template is looked at through an instance.
    let copy = tempfile::tempdir().unwrap();
    let mut units = Vec::new();
    for item in fs::read_dir(workspace().join("packaging")).unwrap() {
        let path = item.unwrap().path();
        if !path.extension().is_some_and(|kind| kind == "service" || kind == "timer") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().replace("@.", "@loom.service.");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("/usr/bin/loom-backup") || name.ends_with("timer"), "{name} starts nothing");
        fs::write(copy.path().join(&name), text.replace("/usr/bin/loom-backup", "/bin/true")).unwrap();
        units.push(Path::new(".").join(name));
    }
    assert_eq!(units.len(), 5);
    let verify = Command::new("systemd-analyze").arg("verify").args(units).current_dir(copy.path()).output();
    let verify = verify.unwrap();
    let told = String::from_utf8_lossy(&verify.stderr);
    assert!(verify.status.success() && told.is_empty(), "{told}");
}
