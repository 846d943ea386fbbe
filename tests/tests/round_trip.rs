//! Whatever is in a home comes back as it was: content, names, modes, owners, times, links.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    ffi::OsString,
    fs,
    os::unix::{
        ffi::OsStringExt,
        fs::{PermissionsExt, lchown, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use loom_tests::{Fixture, Outcome, Place, Tree, is_root, needs_root};
use proptest::{collection::vec, prelude::*, sample::select};
use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps};

/// What a restore must be told to bring everything back.
const EVERYTHING: &str = "--only data,config,identity,signing --sign-state-from-backup";

/// Something in a random tree.
#[derive(Debug, Clone)]
enum Made {
    File {
        size: usize,
        seed: u8,
    },
    Directory {
        children: Vec<Named>,
    },
    Symlink(Vec<u8>),
    /// Another name of the file made last.
    HardLink,
}

#[derive(Debug, Clone)]
struct Named {
    name: Vec<u8>,
    made: Made,
    mode: u32,
    owner: (u32, u32),
    modified: (i64, u32),
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let bytes = vec((1..=255_u8).prop_filter("a name has no slash", |b| *b != b'/'), 1..24);
    let known = select(vec!["a b", "new\nline", "-rf", ".hidden", "'\"\\", "\u{e9}", "...", "wal.000"]);
    let name = prop_oneof![
        2 => bytes,
        2 => known.prop_map(|name| name.as_bytes().to_vec()),
        1 => Just(vec![b'n'; 255]),
        1 => Just(vec![0xff, 0xfe]),
    ];
    name.prop_filter("is a directory's own", |name| name != b"." && name != b"..")
}

fn leaf() -> impl Strategy<Value = Made> {
    prop_oneof![
        4 => (prop_oneof![Just(0), 1..5000_usize], any::<u8>()).prop_map(|(size, seed)| Made::File { size, seed }),
        1 => select(vec!["absent", "/nowhere", "../..", ".", "/etc", "wasm", "a b\n"])
            .prop_map(|target| Made::Symlink(target.as_bytes().to_vec())),
        1 => Just(Made::HardLink),
    ]
}

fn named(made: impl Strategy<Value = Made>) -> impl Strategy<Value = Named> {
    let modified = prop_oneof![
        Just((0, 0)),
        Just((-1, 999_999_999)),
        (-2_000_000_000..4_000_000_000_i64, 0..1_000_000_000_u32),
    ];
    (name(), made, 0..=0o7777_u32, (0..70_000_u32, 0..70_000_u32), modified)
        .prop_map(|(name, made, mode, owner, modified)| Named { name, made, mode, owner, modified })
}

fn tree() -> impl Strategy<Value = Vec<Named>> {
    let made = leaf().prop_recursive(3, 24, 5, |inner| {
        vec(named(inner), 0..5).prop_map(|children| Made::Directory { children })
    });
    vec(named(made), 1..5)
}

/// Content that does not compress and is another one for each seed.
fn content(size: usize, seed: u8) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..size).map(|_| next()).collect()
}

/// Makes a random tree; a name that is there already is left as it is.
fn make(dir: &Path, tree: &[Named], last_file: &mut Option<PathBuf>) {
    for Named { name, made, mode, owner, modified } in tree {
        let path = dir.join(OsString::from_vec(name.clone()));
        if path.symlink_metadata().is_ok() {
            continue;
        }
        match made {
            Made::File { size, seed } => {
                fs::write(&path, content(*size, *seed)).unwrap();
                *last_file = Some(path.clone());
            }
            Made::Directory { children } => {
                fs::create_dir(&path).unwrap();
                make(&path, children, last_file);
            }
            Made::Symlink(target) => symlink(OsString::from_vec(target.clone()), &path).unwrap(),
            Made::HardLink => match last_file {
                Some(file) => fs::hard_link(file, &path).unwrap(),
                None => continue,
            },
        }
        if is_root() {
            lchown(&path, Some(owner.0), Some(owner.1)).unwrap();
        }
        if !path.is_symlink() {
            // Others than root have to be able to read what they back up.
            let readable = if is_root() {
                0
            } else if path.is_dir() {
                0o700
            } else {
                0o400
            };
            fs::set_permissions(&path, PermissionsExt::from_mode(mode | readable)).unwrap();
        }
        set_time(&path, *modified);
    }
}

fn set_time(path: &Path, (seconds, nanoseconds): (i64, u32)) {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// What the layout leaves out by rule.
fn is_left_out(path: &Path) -> bool {
    let of_database = path.parent().is_some_and(|parent| parent.extension() == Some("db".as_ref()));
    let lock_or_log = of_database && (path.ends_with("LOCK") || path.ends_with("LOG"));
    // What hides itself at the top is the user's whose home it may be as well.
    let is_at_top = path.parent() == Some(Path::new(""));
    let hidden = is_at_top && path.as_os_str().as_encoded_bytes().starts_with(b".");
    lock_or_log || hidden || path == Path::new("config/addrbook.json")
}

/// The home as a backup should bring it back. Its own time changes with what is put into it and taken out again.
fn expected(home: &Path) -> Tree {
    Tree::read(home).without(is_left_out).without_times_of(&[""])
}

/// Restores a backup into a home that is not there yet.
fn restored(place: &Place, home: &str, backup: &str) -> Tree {
    place.restore(home, &format!("--backup {backup} {EVERYTHING}")).ends_with(0);
    Tree::read(&place.path(home)).without_times_of(&[""])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_home_comes_back_as_it_was_and_so_does_its_next_state(
        beside in tree(), in_data in tree(), in_wasm in tree(), changed in tree(),
    ) {
        let place = Place::with(Fixture::Cometbft);
        let home = place.home();
        fs::create_dir(home.join("wasm")).unwrap();
        fs::create_dir(home.join("data/snapshots")).unwrap();
        let mut last_file = None;
        make(&home, &beside, &mut last_file);
        make(&home.join("data/snapshots"), &in_data, &mut last_file);
        make(&home.join("wasm"), &in_wasm, &mut last_file);
        set_time(&home.join("config"), (-5, 5));
        set_time(&home.join("data"), (5, 0));

        let first = expected(&home);
        let first_id = place.back_up("").with_code(0).backup_id();
        first.assert_same(&expected(&home));

        fs::remove_dir_all(home.join("wasm")).unwrap();
        fs::create_dir(home.join("wasm")).unwrap();
        make(&home.join("wasm"), &changed, &mut None);
        make(&home.join("config"), &changed, &mut None);
        let second = expected(&home);
        let second_id = place.back_up("").with_code(0).backup_id();

        restored(&place, "first", &first_id).assert_same(&first);
        restored(&place, "second", &second_id).assert_same(&second);
    }
}

#[test]
fn files_of_every_size_around_a_segment_and_a_pack_come_back() {
    const MIB: usize = 1 << 20;
    let place = Place::with(Fixture::Cometbft);
    let wasm = place.home().join("wasm");
    fs::create_dir(&wasm).unwrap();
    for (number, size) in
        [0, 1, MIB, 16 * MIB - 1, 16 * MIB, 16 * MIB + 1, 32 * MIB + 1].into_iter().enumerate()
    {
        fs::write(wasm.join(size.to_string()), content(size, number as u8)).unwrap();
    }
    let before = expected(&place.home());
    let id = place.back_up("").with_code(0).backup_id();
    restored(&place, "new", &id).assert_same(&before);
}

#[test]
fn the_home_of_a_loom_node_comes_back_and_its_neighbours_are_left_alone() {
    let place = Place::with(Fixture::Loom);
    fs::create_dir(place.home().join(".ssh")).unwrap();
    fs::write(place.home().join("loom"), "the program").unwrap();
    let before = expected(&place.home());
    let id = place.back_up("").with_code(0).backup_id();
    let neighbours = |path: &Path| path == Path::new(".ssh") || path == Path::new("loom");
    before.assert_same(&expected(&place.home()));
    restored(&place, "new", &id).assert_same(&before.without(neighbours));
}

#[test]
fn hard_linked_names_come_back_as_files_of_their_own() {
    let place = Place::with(Fixture::Cometbft);
    fs::write(place.home().join("one"), "content").unwrap();
    fs::hard_link(place.home().join("one"), place.home().join("two")).unwrap();
    let id = place.back_up("").with_code(0).backup_id();
    restored(&place, "new", &id).assert_same(&expected(&place.home()));
    fs::write(place.path("new/one"), "another").unwrap();
    assert_eq!(fs::read_to_string(place.path("new/two")).unwrap(), "content");
}

fn with_specials() -> Place {
    let place = Place::with(Fixture::Cometbft);
    fs::create_dir(place.home().join("wasm")).unwrap();
    UnixListener::bind(place.home().join("wasm/socket")).unwrap();
    rustix::fs::mknodat(CWD, place.home().join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0)
        .unwrap();
    place
}

fn warnings(outcome: &Outcome) -> String {
    let mut warnings: Vec<_> = outcome.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
    warnings.sort_unstable();
    outcome.redact(&warnings.join("\n"))
}

#[test]
fn sockets_and_pipes_are_left_out_with_a_warning() {
    let place = with_specials();
    let outcome = place.back_up("").with_code(3);
    insta::assert_snapshot!(warnings(&outcome), @r"
    warning: pipe is left out: a named pipe
    warning: wasm/socket is left out: a socket
    ");
    let special = |path: &Path| path.ends_with("socket") || path.ends_with("pipe");
    // The times of directories are theirs with everything in them.
    restored(&place, "new", &outcome.backup_id()).assert_same(&expected(&place.home()).without(special));
}

#[test]
#[ignore = "needs root"]
fn devices_are_left_out_with_a_warning() {
    needs_root();
    let place = with_specials();
    let null = rustix::fs::makedev(1, 3);
    let device = place.home().join("device");
    rustix::fs::mknodat(CWD, device, FileType::CharacterDevice, Mode::from_raw_mode(0o600), null).unwrap();
    let outcome = place.back_up("").with_code(3);
    insta::assert_snapshot!(warnings(&outcome), @r"
    warning: device is left out: a device
    warning: pipe is left out: a named pipe
    warning: wasm/socket is left out: a socket
    ");
}

#[test]
#[ignore = "needs root"]
fn a_user_who_is_not_root_gets_back_what_was_theirs() {
    needs_root();
    let place = Place::with(Fixture::Cometbft);
    let sealed = place.home().join("sealed");
    fs::create_dir(&sealed).unwrap();
    fs::write(sealed.join("file"), "content").unwrap();
    fs::set_permissions(sealed.join("file"), PermissionsExt::from_mode(0o400)).unwrap();
    fs::set_permissions(&sealed, PermissionsExt::from_mode(0o500)).unwrap();
    let chown = place.run("chown -R 4242:4242 /T/").with_code(0);
    assert_eq!(chown.stderr, "");
    let before = expected(&place.home());
    let user = "setpriv --reuid 4242 --regid 4242 --clear-groups --";
    let backup = "loom-backup run --node n1 --home /T/home --service none --to file:///T/repository";
    place.run(&format!("{user} {backup}")).ends_with(0);
    let restore = "loom-restore run --yes --service none --from file:///T/repository --home /T/new";
    place.run(&format!("{user} {restore} {EVERYTHING}")).ends_with(0);
    Tree::read(&place.path("new")).without_times_of(&[""]).assert_same(&before);
}
