//! Writing backups and reading them back, on a whole repository, a damaged one, and a store that fails.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use loom_repository::{
    BackupId, Destination, Draft, EntryRecord, Facts, FetchOptions, FileEntry, FileKind, FileToStore,
    Heights, NodeName, Proof, Published, Repository, RepositoryError, StoreOptions,
};
use loom_storage::{Key, Storage, StorageOptions, StorageUrl};
use tempfile::TempDir;

/// A repository on local disk and a directory to make files in.
struct Place {
    dir: TempDir,
    storage: Storage,
}

fn node() -> NodeName {
    "n1".parse().unwrap()
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url: StorageUrl = format!("file://{}/repository", dir.path().display()).parse().unwrap();
        let storage = Storage::open(&url, &StorageOptions::default()).unwrap();
        Self { dir, storage }
    }

    async fn back_up(&self, files: &BTreeMap<&str, Vec<u8>>) -> Result<Published, RepositoryError> {
        back_up(&self.storage, self.dir.path(), files).await
    }

    fn repository_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("repository")
    }

    /// Every stored object below the repository's directory.
    fn objects(&self) -> Vec<std::path::PathBuf> {
        fn walk(dir: &Path, into: &mut Vec<std::path::PathBuf>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, into) } else { into.push(path) }
            }
        }
        let mut all = Vec::new();
        walk(&self.repository_dir(), &mut all);
        all.sort();
        all
    }
}

async fn back_up(
    storage: &Storage,
    dir: &Path,
    files: &BTreeMap<&str, Vec<u8>>,
) -> Result<Published, RepositoryError> {
    let repository = Repository::create_or_open(storage.clone()).await?;
    let mut writing = repository.begin(&node(), StoreOptions::default()).await?;
    let mut to_store = Vec::new();
    for (number, (name, bytes)) in files.iter().enumerate() {
        let image = dir.join(format!("image-{number}"));
        fs::write(&image, bytes).unwrap();
        let entry = FileEntry::file(name, bytes.len() as u64, "data");
        to_store.push(FileToStore { entry, image: Some(image) });
    }
    writing.store(to_store, |_| ()).await?;
    let heights = Heights { rpc: Some(7), ..Heights::default() };
    let classes = vec!["data".to_owned()];
    let facts = Facts { proof: Proof::Opaque, heights, classes, ..Facts::default() };
    let entries = files.keys().map(|name| EntryRecord::new(name.as_bytes(), "data")).collect();
    writing.publish(Draft { facts, entries, ..Draft::default() }).await
}

/// Reads the latest backup, or the one named, back into memory.
async fn restore(
    storage: &Storage,
    id: Option<&BackupId>,
) -> Result<BTreeMap<String, Vec<u8>>, RepositoryError> {
    let repository = Repository::open(storage.clone()).await?;
    let id = if let Some(id) = id { id.clone() } else { repository.latest(&node(), &["data"]).await?.0.id };
    let manifest = repository.manifest(&node(), &id).await?;
    repository.check_presence(&node(), &manifest).await?;
    let into = tempfile::tempdir().unwrap();
    let destination = |(number, file): (usize, &FileEntry)| Destination {
        name: file.path_lossy().into_owned(),
        segments: file.segments().into(),
        path: into.path().join(number.to_string()),
    };
    let destinations = manifest.files.iter().enumerate().map(destination).collect();
    repository.fetch(&node(), destinations, &FetchOptions::default(), |_| ()).await?;
    let read = |(number, file): (usize, &FileEntry)| {
        (file.path_lossy().into_owned(), fs::read(into.path().join(number.to_string())).unwrap())
    };
    Ok(manifest.files.iter().enumerate().map(read).collect())
}

fn as_restored(files: &BTreeMap<&str, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect()
}

/// Bytes that zstd cannot make smaller, different for each seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_every_size_come_back_and_the_second_backup_stores_only_what_is_new() {
    let place = Place::new();
    let mut files = BTreeMap::from([
        ("empty", Vec::new()),
        ("one", b"1".to_vec()),
        ("segment", noise(1, 16 << 20)),
        ("segment and a byte", noise(2, (16 << 20) + 1)),
        ("three packs", noise(3, 70 << 20)),
        ("a copy of one", b"1".to_vec()),
    ]);
    let first = place.back_up(&files).await.unwrap();
    assert_eq!(restore(&place.storage, None).await.unwrap(), as_restored(&files));
    assert_eq!(first.facts.totals.files, 6);
    assert_eq!(first.facts.totals.new_bytes, first.facts.totals.bytes - 1, "the copy is stored once");
    assert!(first.facts.totals.new_packs >= 4, "{:?}", first.facts.totals);

    files.insert("new", b"a few bytes".to_vec());
    let second = place.back_up(&files).await.unwrap();
    assert_eq!((second.facts.totals.new_bytes, second.facts.totals.new_packs), (11, 1));
    assert!(second.id > first.id);
    assert_eq!(restore(&place.storage, None).await.unwrap(), as_restored(&files));
    let third = place.back_up(&files).await.unwrap();
    assert_eq!((third.facts.totals.new_bytes, third.facts.totals.new_packs), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_of_files_is_stored_as_segments_of_which_the_next_backup_stores_few() {
    let place = Place::new();
    let names: Vec<String> = (0..30_000).map(|n| format!("data/blockstore.db/{n:06}.ldb")).collect();
    let write = async || {
        let repository = Repository::create_or_open(place.storage.clone()).await.unwrap();
        let mut writing = repository.begin(&node(), StoreOptions::default()).await.unwrap();
        let dirs = ["data", "data/blockstore.db"]
            .map(|path| FileEntry { kind: FileKind::Directory, ..FileEntry::file(path, 0, "data") });
        let image = place.dir.path().join("table");
        fs::write(&image, b"the same table many times").unwrap();
        let entries = dirs.into_iter().chain(names.iter().map(|name| FileEntry::file(name, 25, "data")));
        let files = entries.map(|entry| FileToStore { entry, image: Some(image.clone()) }).collect();
        writing.store(files, |_| ()).await.unwrap();
        let facts = Facts { proof: Proof::Opaque, ..Facts::default() };
        (repository, writing.publish(Draft { facts, ..Draft::default() }).await.unwrap())
    };
    let (repository, first) = write().await;
    let manifest = repository.manifest(&node(), &first.id).await.unwrap();
    assert!(manifest.file_list.len() > 3, "{} pieces", manifest.file_list.len());
    let read: Vec<_> = manifest.files.iter().skip(2).map(|file| file.path_lossy().into_owned()).collect();
    assert_eq!(read, names);

    let (_, second) = write().await;
    assert_eq!(second.facts.totals.new_bytes, 0, "the same list is there already");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_damaged_in_any_way_is_refused_and_named() {
    let place = Place::new();
    let files = BTreeMap::from([("a.ldb", noise(1, 500)), ("b.ldb", noise(2, 300))]);
    let published = place.back_up(&files).await.unwrap();
    let objects = place.objects();
    assert_eq!(objects.len(), 4, "marker, manifest, summary and one pack: {objects:?}");
    let mut cases = 0;
    for object in &objects {
        let whole = fs::read(object).unwrap();
        let mut damages: Vec<Vec<u8>> = (0..whole.len()).map(|len| whole[..len].to_vec()).collect();
        damages.extend((0..whole.len()).map(|at| {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            flipped
        }));
        damages.extend(objects.iter().filter(|other| *other != object).map(|other| fs::read(other).unwrap()));
        for damaged in damages {
            fs::write(object, &damaged).unwrap();
            let error = restore(&place.storage, None).await.expect_err("damage was not noticed");
            assert!(error.is_damage(), "{error:?}");
            let name = object.file_name().unwrap().to_str().unwrap();
            assert!(error.to_string().contains(name), "{error} does not name {name}");
            cases += 1;
        }
        fs::remove_file(object).unwrap();
        let error = restore(&place.storage, None).await.expect_err("a missing object was not noticed");
        let no_backup =
            matches!(error, RepositoryError::NoBackup { .. } | RepositoryError::NoRepository { .. });
        assert!(error.is_damage() || no_backup, "{error:?}");
        fs::write(object, &whole).unwrap();
    }
    assert!(cases > 3000, "{cases}");
    // A damaged summary is no reason to lose a backup: its id leads past it.
    let summary = objects.iter().find(|path| path.to_string_lossy().contains("summary")).unwrap();
    fs::write(summary, b"x").unwrap();
    assert_eq!(restore(&place.storage, Some(&published.id)).await.unwrap(), as_restored(&files));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_pack_names_the_files_that_need_it() {
    let place = Place::new();
    place.back_up(&BTreeMap::from([("a.ldb", noise(1, 500)), ("b.ldb", noise(2, 300))])).await.unwrap();
    let pack = place.objects().into_iter().find(|path| path.to_string_lossy().ends_with(".tar.zst")).unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    bytes[40] ^= 4;
    fs::write(&pack, bytes).unwrap();
    let error = restore(&place.storage, None).await.unwrap_err().to_string();
    assert!(error.ends_with("is damaged (needed by a.ldb, b.ldb)"), "{error}");
    fs::remove_file(&pack).unwrap();
    let error = restore(&place.storage, None).await.unwrap_err().to_string();
    assert!(error.ends_with("is missing (needed by a.ldb, b.ldb)"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_that_was_lost_or_marked_is_stored_again_by_the_next_backup() {
    let place = Place::new();
    let files = BTreeMap::from([("a.ldb", noise(1, 5000))]);
    place.back_up(&files).await.unwrap();
    let pack = place.objects().into_iter().find(|path| path.to_string_lossy().ends_with(".tar.zst")).unwrap();
    fs::remove_file(&pack).unwrap();
    assert_eq!(place.back_up(&files).await.unwrap().facts.totals.new_bytes, 5000);
    assert_eq!(restore(&place.storage, None).await.unwrap(), as_restored(&files));

    let id = pack.file_name().unwrap().to_str().unwrap().split('.').next().unwrap();
    let mark: Key = format!("n1/prune/{id}").parse().unwrap();
    place.storage.put(&mark, b"{}"[..].into()).await.unwrap();
    // The same bytes make the same pack, which is marked: nothing that refers to it may be published.
    let error = place.back_up(&files).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Overtaken { what: "is gone or marked", .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_or_stalls_at_any_call_never_leaves_a_listed_backup_that_does_not_restore() {
    use loom_storage::testing::{Fault, FaultyStore, Operation};
    use object_store::memory::InMemory;

    let files = BTreeMap::from([("a.ldb", noise(1, 500)), ("b.ldb", noise(2, 300))]);
    let url: StorageUrl = "memory:///faults".parse().unwrap();
    let (mut refused, mut succeeded, mut cut_off) = (0, 0, 0);
    let kinds = [Fault::Refused, Fault::Full, Fault::Interrupted, Fault::AnswerLost, Fault::Stall];
    for fault in kinds {
        for operation in [Operation::Put, Operation::PutNew, Operation::Get, Operation::Head, Operation::List]
        {
            for call in 1.. {
                let case = format!("{fault:?} at {operation:?} {call}");
                let dir = tempfile::tempdir().unwrap();
                let memory = Arc::new(InMemory::new());
                let sound = Storage::with_store(Arc::clone(&memory) as _, url.clone());
                // A first backup, so that the broken run has something to learn from and to lose.
                back_up(&sound, dir.path(), &BTreeMap::from([("a.ldb", noise(1, 500))])).await.unwrap();
                let broken = FaultyStore::new(memory);
                broken.fail_call(operation, call, fault);
                let storage = Storage::with_store(Arc::new(broken.clone()), url.clone());
                let run = back_up(&storage, dir.path(), &files);
                let outcome = tokio::select! {
                    outcome = run => Some(outcome),
                    // The process dies while the store does not answer.
                    () = broken.stalled() => None,
                };
                let reached = broken.calls(operation) >= call;
                match outcome {
                    Some(Ok(published)) => {
                        succeeded += u32::from(reached);
                        let restored = restore(&sound, Some(&published.id)).await;
                        assert_eq!(restored.expect(&case), as_restored(&files), "{case}");
                    }
                    Some(Err(error)) => {
                        refused += 1;
                        assert!(!error.to_string().is_empty());
                    }
                    None => cut_off += 1,
                }
                broken.release();
                let repository = Repository::open(sound.clone()).await.unwrap();
                for backup in repository.backups(&node()).await.unwrap() {
                    restore(&sound, Some(&backup.id)).await.expect(&case);
                }
                back_up(&sound, dir.path(), &files).await.expect(&case);
                assert_eq!(restore(&sound, None).await.expect(&case), as_restored(&files), "{case}");
                if !reached {
                    break;
                }
            }
        }
    }
    assert!(refused >= 15 && cut_off >= 8 && succeeded >= 10, "{refused} {cut_off} {succeeded}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_that_was_cut_is_stored_again_by_the_next_backup() {
    let place = Place::new();
    let files = BTreeMap::from([("a.ldb", noise(1, 5000))]);
    place.back_up(&files).await.unwrap();
    let pack = place.objects().into_iter().find(|path| path.to_string_lossy().ends_with(".tar.zst")).unwrap();
    let whole = fs::read(&pack).unwrap();
    fs::write(&pack, &whole[..100]).unwrap();
    assert_eq!(place.back_up(&files).await.unwrap().facts.totals.new_bytes, 5000);
    assert_eq!(restore(&place.storage, None).await.unwrap(), as_restored(&files));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_vanishes_or_shrinks_before_it_is_stored_is_named_and_nothing_is_published() {
    let place = Place::new();
    let image = place.dir.path().join("image");
    fs::write(&image, b"four").unwrap();
    for (image, size) in [(place.dir.path().join("gone"), 4), (image, 5)] {
        let repository = Repository::create_or_open(place.storage.clone()).await.unwrap();
        let mut writing = repository.begin(&node(), StoreOptions::default()).await.unwrap();
        let entry = FileEntry::file("data/state.db/000007.log", size, "data");
        let error = writing.store(vec![FileToStore { entry, image: Some(image) }], |_| ()).await.unwrap_err();
        assert_eq!(error.to_string(), "read data/state.db/000007.log for the backup");
        assert_eq!(repository.backups(&node()).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_place_in_use_for_something_else_does_not_become_a_repository() {
    let place = Place::new();
    place.storage.put(&"holiday/photo.jpg".parse().unwrap(), b"x"[..].into()).await.unwrap();
    let error = Repository::create_or_open(place.storage.clone()).await.unwrap_err();
    assert!(matches!(error, RepositoryError::ForeignObjects { .. }), "{error:?}");
    let error = Repository::open(place.storage.clone()).await.unwrap_err();
    assert!(matches!(error, RepositoryError::NoRepository { .. }), "{error:?}");
}

#[tokio::test]
async fn two_runs_that_create_one_repository_agree_on_its_identity() {
    let place = Place::new();
    let create = || Repository::create_or_open(place.storage.clone());
    let (one, other) = tokio::join!(create(), create());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.id(), other.id());
    assert!(one.conditional_put());
}
