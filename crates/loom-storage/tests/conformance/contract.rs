//! What holds for every store.

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use loom_storage::{Key, Storage, StorageError};

pub(crate) fn key(text: &str) -> Key {
    text.parse().unwrap()
}

async fn keys(storage: &Storage, prefix: Option<&str>) -> Vec<String> {
    let prefix = prefix.map(key);
    storage.list(prefix.as_ref()).await.unwrap().into_iter().map(|object| object.key.to_string()).collect()
}

pub(crate) async fn put_new_refuses_a_key_that_is_taken_and_leaves_the_old_object(storage: &Storage) {
    let key = key("node/marker.json");
    storage.put_new(&key, Bytes::from_static(b"first")).await.unwrap();
    for second in ["second", "first"] {
        let error = storage.put_new(&key, Bytes::from(second)).await.unwrap_err();
        assert!(
            matches!(&error, StorageError::KeyTaken { address } if *address == format!("{}/node/marker.json", storage.url())),
            "{error:?}"
        );
    }
    assert_eq!(storage.get(&key).await.unwrap(), "first");
}

pub(crate) async fn put_replaces_the_whole_object(storage: &Storage) {
    let key = key("object");
    for object in ["a long first object", "short", ""] {
        storage.put(&key, Bytes::from(object)).await.unwrap();
        assert_eq!(storage.get(&key).await.unwrap(), object);
        assert_eq!(storage.head(&key).await.unwrap().size, object.len() as u64);
    }
    assert_eq!(keys(storage, None).await, ["object"]);
}

pub(crate) async fn a_put_is_listed_at_once_with_its_size_and_time(storage: &Storage) {
    let key = key("node/packs/ab/abcd");
    storage.put(&key, Bytes::from_static(b"12345")).await.unwrap();
    let listed = storage.list(None).await.unwrap();
    let [object] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((&object.key, object.size), (&key, 5));
    // The same machine, so the same clock; S3 tells whole seconds.
    assert!(
        Timestamp::now().duration_since(object.modified).abs() < SignedDuration::from_mins(2),
        "{object:?}"
    );
    let head = storage.head(&key).await.unwrap();
    assert_eq!((head.key, head.size), (key, 5));
}

pub(crate) async fn a_listing_takes_whole_segments_only_and_is_sorted(storage: &Storage) {
    for name in ["a/x", "ab/x", "a/b/y", "a/b.c", "b", "a-b/x"] {
        storage.put(&key(name), Bytes::from_static(b"x")).await.unwrap();
    }
    assert_eq!(keys(storage, None).await, ["a-b/x", "a/b.c", "a/b/y", "a/x", "ab/x", "b"]);
    assert_eq!(keys(storage, Some("a")).await, ["a/b.c", "a/b/y", "a/x"]);
    assert_eq!(keys(storage, Some("a/b")).await, ["a/b/y"]);
    assert_eq!(keys(storage, Some("c")).await, [""; 0]);
}

pub(crate) async fn a_part_of_an_object_is_read_exactly_or_refused(storage: &Storage) {
    let key = key("object");
    storage.put(&key, Bytes::from_static(b"0123456789")).await.unwrap();
    assert_eq!(storage.get_range(&key, 0..10).await.unwrap(), "0123456789");
    assert_eq!(storage.get_range(&key, 3..5).await.unwrap(), "34");
    assert_eq!(storage.get_range(&key, 9..10).await.unwrap(), "9");
    assert_eq!(storage.get_range(&key, 4..4).await.unwrap(), "");
    for (range, wanted, had) in [(8..12, 4, 2), (10..12, 2, 0), (30..32, 2, 0)] {
        let error = storage.get_range(&key, range).await.unwrap_err();
        assert!(
            matches!(error, StorageError::Short { expected, got, .. } if (expected, got) == (wanted, had)),
            "{error:?}"
        );
    }
}

pub(crate) async fn what_is_not_there_is_not_found_and_nothing_is_below_it(storage: &Storage) {
    let key = key("none");
    for error in [
        storage.get(&key).await.unwrap_err(),
        storage.get_range(&key, 0..1).await.unwrap_err(),
        storage.head(&key).await.unwrap_err(),
    ] {
        assert!(matches!(error, StorageError::NotFound { .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("no object at {}/none", storage.url()));
    }
    assert_eq!(keys(storage, Some("none")).await, [""; 0]);
    assert_eq!(keys(storage, None).await, [""; 0]);
}

pub(crate) async fn deleting_twice_succeeds(storage: &Storage) {
    let (gone, stays) = (key("a/gone"), key("a/stays"));
    storage.delete(&gone).await.unwrap();
    for key in [&gone, &stays] {
        storage.put(key, Bytes::from_static(b"x")).await.unwrap();
    }
    storage.delete(&gone).await.unwrap();
    storage.delete(&gone).await.unwrap();
    assert!(matches!(storage.get(&gone).await, Err(StorageError::NotFound { .. })));
    assert_eq!(keys(storage, None).await, ["a/stays"]);
}

pub(crate) async fn odd_characters_in_keys_come_back_as_they_were(storage: &Storage) {
    let long = format!("{}/{}", "l".repeat(200), "m".repeat(200));
    let mut odd = [
        "a b",
        "é",
        "日本",
        "100%",
        "a%41",
        "a%2Fb",
        "#",
        "a#b",
        "why?",
        "k=v&k=w",
        "~",
        "+",
        "!'()*",
        "a,b;c:d@e$",
        "[x]{y}|z^`",
        "<>\"",
        ".hidden",
        "..a",
        long.as_str(),
    ];
    odd.sort_unstable();
    for name in odd {
        storage.put(&key("odd").join(name).unwrap(), Bytes::from(name.to_owned())).await.unwrap();
    }
    let listed = keys(storage, Some("odd")).await;
    assert_eq!(listed, odd.map(|name| format!("odd/{name}")));
    for name in odd {
        let key = key("odd").join(name).unwrap();
        assert_eq!(storage.get(&key).await.unwrap(), name);
        storage.delete(&key).await.unwrap();
    }
    assert_eq!(keys(storage, None).await, [""; 0]);
}

pub(crate) async fn an_empty_object_is_an_object(storage: &Storage) {
    let key = key("empty");
    storage.put_new(&key, Bytes::new()).await.unwrap();
    assert_eq!(storage.get(&key).await.unwrap(), "");
    assert_eq!(storage.head(&key).await.unwrap().size, 0);
    assert!(matches!(storage.put_new(&key, Bytes::new()).await, Err(StorageError::KeyTaken { .. })));
}

pub(crate) async fn a_pack_of_33_mib_comes_back_whole(storage: &Storage) {
    let key = key("pack");
    let pack: Bytes = (0..33_u32 << 18).flat_map(u32::to_le_bytes).collect();
    storage.put(&key, pack.clone()).await.unwrap();
    assert!(storage.get(&key).await.unwrap() == pack);
    assert!(storage.get_range(&key, 20_000_000..20_000_100).await.unwrap() == pack[20_000_000..20_000_100]);
}

pub(crate) async fn of_many_writers_of_one_new_key_one_succeeds(storage: &Storage) {
    let key = key("marker");
    let put = |number: usize| {
        let (storage, key) = (storage.clone(), key.clone());
        async move { (number, storage.put_new(&key, Bytes::from(number.to_string().repeat(10_000))).await) }
    };
    let results: Vec<_> = stream::iter((10..26).map(put)).buffer_unordered(16).collect().await;
    let winners: Vec<_> =
        results.iter().filter(|(_, result)| result.is_ok()).map(|(number, _)| *number).collect();
    let [winner] = winners.as_slice() else { panic!("{results:?}") };
    assert_eq!(storage.get(&key).await.unwrap(), winner.to_string().repeat(10_000));
    let taken = |result: &Result<(), _>| matches!(result, Ok(()) | Err(StorageError::KeyTaken { .. }));
    assert!(results.iter().all(|(_, result)| taken(result)), "{results:?}");
}

pub(crate) async fn ten_thousand_keys_are_listed(storage: &Storage) {
    let names: Vec<String> = (0..10_000).map(|n| format!("packs/{:02x}/{n:05}", n % 256)).collect();
    stream::iter(names.clone())
        .map(|name| async move { storage.put(&key(&name), Bytes::from(name.clone())).await })
        .buffer_unordered(32)
        .try_collect::<()>()
        .await
        .unwrap();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert!(keys(storage, Some("packs")).await == sorted);
    let mut streamed: Vec<String> =
        storage.list_stream(None).map_ok(|object| object.key.to_string()).try_collect().await.unwrap();
    streamed.sort_unstable();
    assert!(streamed == sorted);
}
