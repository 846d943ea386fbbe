//! A repository in which something is missing, cut, changed or swapped: nothing is restored from it, and the home stays as it is.
//!
//! Sampled, through the binaries; every byte of every small object is `loom-repository`'s own test.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use insta::assert_snapshot;
use loom_tests::{Fixture, Outcome, Place, Tree, What};

/// What an object is, in the words of `docs/format.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Object {
    Marker,
    Summary,
    Manifest,
    Pack,
}

/// The objects of a repository in a directory.
fn objects(place: &Place) -> Vec<(Object, PathBuf)> {
    let root = place.path("repository");
    let files = Tree::read(&root).0.into_iter().filter(|(_, node)| matches!(node.what, What::File(_)));
    let kind = |name: &Path| match name.to_str().unwrap() {
        "loom-repository.json" => Object::Marker,
        name if name.ends_with(".summary.zst") => Object::Summary,
        name if name.ends_with(".manifest.zst") => Object::Manifest,
        name if name.ends_with(".tar.zst") => Object::Pack,
        name => panic!("what is {name}?"),
    };
    let mut objects: Vec<_> = files.map(|(name, _)| (kind(&name), root.join(name))).collect();
    objects.sort();
    objects
}

/// A backup of a node whose packs are two: small files, and one that is a pack by itself.
fn backed_up() -> (Place, String) {
    let place = Place::with(Fixture::Cometbft);
    // With several, it depends on their speed which file goes into which pack.
    place.configure("[backup]\nworkers = 1\n");
    fs::create_dir(place.home().join("wasm")).unwrap();
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    let large: Vec<u8> = noise.take(40 << 20).collect();
    fs::write(place.home().join("wasm/large"), large).unwrap();
    let id = place.back_up("").with_code(0).backup_id();
    (place, id)
}

/// Restores over the home, as one does on the worst day, and sees to it that nothing of it changes.
fn restore(place: &Place) -> Outcome {
    let home = || Tree::read(&place.home()).without_times_of(&[""]);
    let before = home();
    let outcome = place.restore("home", "--replace --only data,config,identity,signing");
    assert_ne!(outcome.code, Some(0), "\n{outcome}");
    before.assert_same(&home());
    outcome
}

/// What went wrong, without the plan above it.
fn complaint(outcome: &Outcome) -> String {
    let error = outcome.stderr.find("error: ").unwrap_or_else(|| panic!("\n{outcome}"));
    format!("{}exit code {}", outcome.redact(&outcome.stderr[error..]), outcome.code.unwrap())
}

/// Its first line: what is below it depends on how things are compressed.
fn in_short(outcome: &Outcome) -> String {
    let complaint = complaint(outcome);
    format!("{} ({})", complaint.lines().next().unwrap(), complaint.lines().last().unwrap())
}

/// Does something to each object in turn, restores, and puts it back.
fn each(damage: impl Fn(&Path, &[u8])) -> String {
    let (place, _) = backed_up();
    let mut said = Vec::new();
    for (kind, path) in objects(&place) {
        let bytes = fs::read(&path).unwrap();
        damage(&path, &bytes);
        said.push(format!("{kind:?}: {}", in_short(&restore(&place))));
        fs::write(&path, bytes).unwrap();
    }
    place.restore("home", "--replace").ends_with(0);
    // The order of packs is that of their hashes.
    said.sort();
    said.join("\n")
}

#[test]
fn an_object_that_is_missing_is_named_with_the_files_that_need_it() {
    assert_snapshot!(each(|path, _| fs::remove_file(path).unwrap()), @r"
    Manifest: error: node n1 has no backup with data, config, identity, signing at file:///T/repository (exit code 10)
    Marker: error: there is no repository at file:///T/repository (exit code 10)
    Pack: error: file:///T/repository/n1/packs/[pack].tar.zst is missing (needed by config/config.toml, config/genesis.json, config/node_key.json and 18 more files) (exit code 20)
    Pack: error: file:///T/repository/n1/packs/[pack].tar.zst is missing (needed by wasm/large) (exit code 20)
    Summary: error: file:///T/repository/n1/backups/[id hx].summary.zst is missing (exit code 20)
    ");
}

#[test]
fn an_object_that_is_cut_is_damaged() {
    assert_snapshot!(each(|path, bytes| fs::write(path, &bytes[..bytes.len() / 2]).unwrap()), @r"
    Manifest: error: file:///T/repository/n1/backups/[id hx].manifest.zst is damaged (exit code 20)
    Marker: error: file:///T/repository/loom-repository.json is damaged (exit code 20)
    Pack: error: file:///T/repository/n1/packs/[pack].tar.zst is damaged (needed by config/config.toml, config/genesis.json, config/node_key.json and 18 more files) (exit code 20)
    Pack: error: file:///T/repository/n1/packs/[pack].tar.zst is damaged (needed by wasm/large) (exit code 20)
    Summary: error: file:///T/repository/n1/backups/[id hx].summary.zst is damaged (exit code 20)
    ");
}

#[test]
fn an_object_that_is_empty_is_damaged() {
    assert_snapshot!(each(|path, _| fs::write(path, "").unwrap()), @r"
    Manifest: error: file:///T/repository/n1/backups/[id hx].manifest.zst is damaged (exit code 20)
    Marker: error: file:///T/repository/loom-repository.json is damaged (exit code 20)
    Pack: error: file:///T/repository/n1/packs/[pack].tar.zst is damaged (needed by config/config.toml, config/genesis.json, config/node_key.json and 18 more files) (exit code 20)
    Pack: error: file:///T/repository/n1/packs/[pack].tar.zst is damaged (needed by wasm/large) (exit code 20)
    Summary: error: file:///T/repository/n1/backups/[id hx].summary.zst is damaged (exit code 20)
    ");
}

#[test]
fn an_object_with_a_flipped_bit_is_damaged() {
    assert_snapshot!(each(|path, bytes| {
        let mut bytes = bytes.to_vec();
        // Not in the marker's random id, which is as good as any other.
        let place = if path.extension() == Some("json".as_ref()) { 0 } else { bytes.len() / 2 };
        bytes[place] ^= 1;
        fs::write(path, bytes).unwrap();
    }), @r"
    Manifest: error: file:///T/repository/n1/backups/[id hx].manifest.zst is damaged (exit code 20)
    Marker: error: file:///T/repository/loom-repository.json is damaged (exit code 20)
    Pack: error: file:///T/repository/n1/packs/[pack].tar.zst is damaged (needed by config/config.toml, config/genesis.json, config/node_key.json and 18 more files) (exit code 20)
    Pack: error: file:///T/repository/n1/packs/[pack].tar.zst is damaged (needed by wasm/large) (exit code 20)
    Summary: error: file:///T/repository/n1/backups/[id hx].summary.zst is damaged (exit code 20)
    ");
}

#[test]
fn what_a_person_sees_of_a_pack_that_is_missing() {
    let place = Place::with(Fixture::Cometbft);
    place.back_up("").ends_with(0);
    let (_, pack) = objects(&place).into_iter().find(|(kind, _)| *kind == Object::Pack).unwrap();
    fs::remove_file(pack).unwrap();
    assert_snapshot!(complaint(&restore(&place)), @r"
    error: file:///T/repository/n1/packs/[pack].tar.zst is missing (needed by config/config.toml, config/genesis.json, config/node_key.json and 17 more files)
    hint: another backup may be whole: `loom-restore list`, then --backup ID; packs that are damaged are stored again by the next backup once they are removed
    exit code 20
    ");
    // A plan finds it out as well: before the worst day.
    let plan = "loom-restore plan --service none --from file:///T/repository --home /T/new";
    assert_snapshot!(place.run(plan), @r"
    --- stderr
    error: file:///T/repository/n1/packs/[pack].tar.zst is missing (needed by config/config.toml, config/genesis.json, config/node_key.json and 17 more files)
    hint: another backup may be whole: `loom-restore list`, then --backup ID; packs that are damaged are stored again by the next backup once they are removed
    --- exit code 20
    ");
}

#[test]
fn objects_under_each_others_names_are_damaged() {
    let (place, _) = backed_up();
    fs::write(place.home().join("wasm/more"), "more").unwrap();
    place.back_up("").ends_with(0);
    for swapped in [Object::Pack, Object::Manifest, Object::Summary] {
        let all = objects(&place);
        let mut of_kind = all.iter().filter(|(kind, _)| *kind == swapped).map(|(_, path)| path);
        let (one, other) = (of_kind.next().unwrap(), of_kind.next().unwrap());
        let aside = place.path("aside");
        let swap = || {
            fs::rename(one, &aside).unwrap();
            fs::rename(other, one).unwrap();
            fs::rename(&aside, other).unwrap();
        };
        swap();
        restore(&place).ends_with(20);
        swap();
    }
    place.restore("home", "--replace").ends_with(0);
}

#[test]
fn a_backup_beside_a_damaged_one_is_still_good() {
    let (place, first) = backed_up();
    fs::write(place.home().join("wasm/more"), "more").unwrap();
    let second = place.back_up("").with_code(0).backup_id();
    for (kind, path) in objects(&place) {
        if kind != Object::Pack && path.to_str().unwrap().contains(&second) {
            fs::write(path, "damaged").unwrap();
        }
    }
    restore(&place).ends_with(20);
    place.restore("home", &format!("--replace --backup {first}")).ends_with(0);
}

#[test]
fn a_marker_of_a_later_format_is_left_to_a_later_program() {
    let (place, _) = backed_up();
    let marker = place.path("repository/loom-repository.json");
    let text = fs::read_to_string(&marker).unwrap();
    let later = regex::Regex::new(r#""format": ?1"#).unwrap().replace(&text, "\"format\":2").into_owned();
    assert_ne!(text, later);
    fs::write(&marker, later).unwrap();
    assert_snapshot!(complaint(&restore(&place)), @r"
    error: file:///T/repository/loom-repository.json has format 2; this program reads format 1
    hint: use the version of this program that wrote it, or a later one
    exit code 20
    ");
    assert_snapshot!(complaint(&place.back_up("")), @r"
    error: file:///T/repository/loom-repository.json has format 2; this program reads format 1
    hint: use the version of this program that wrote it, or a later one
    exit code 20
    ");
}
