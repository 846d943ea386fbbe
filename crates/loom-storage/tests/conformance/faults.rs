//! What happens when answers are lost, calls fail and calls never end.

use std::sync::Arc;

use bytes::Bytes;
use loom_storage::testing::{Fault, FaultyStore, Operation};
use loom_storage::{Storage, StorageError};
use object_store::memory::InMemory;

use crate::contract::key;

fn faulty() -> (FaultyStore, Storage) {
    let store = FaultyStore::new(Arc::new(InMemory::new()));
    let storage = Storage::with_store(Arc::new(store.clone()), "memory:///faulty".parse().unwrap());
    (store, storage)
}

#[tokio::test(start_paused = true)]
async fn a_put_new_whose_answer_was_lost_finds_its_own_object_and_succeeds() {
    let (store, storage) = faulty();
    store.fail_call(Operation::PutNew, 1, Fault::AnswerLost);
    storage.put_new(&key("a"), Bytes::from_static(b"mine")).await.unwrap();
    assert_eq!((store.calls(Operation::PutNew), store.calls(Operation::Get)), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_put_new_whose_answer_was_lost_does_not_take_anothers_object_for_its_own() {
    let (store, storage) = faulty();
    storage.put_new(&key("a"), Bytes::from_static(b"theirs")).await.unwrap();
    store.fail_call(Operation::PutNew, 2, Fault::Interrupted);
    let error = storage.put_new(&key("a"), Bytes::from_static(b"mine")).await.unwrap_err();
    assert!(matches!(error, StorageError::KeyTaken { .. }), "{error:?}");
    assert_eq!(storage.get(&key("a")).await.unwrap(), "theirs");
}

#[tokio::test]
async fn a_put_new_that_lost_nothing_does_not_compare() {
    let (store, storage) = faulty();
    storage.put_new(&key("a"), Bytes::from_static(b"same")).await.unwrap();
    let error = storage.put_new(&key("a"), Bytes::from_static(b"same")).await.unwrap_err();
    assert!(matches!(error, StorageError::KeyTaken { .. }), "{error:?}");
    assert_eq!(store.calls(Operation::Get), 0);
}

#[tokio::test(start_paused = true)]
async fn every_request_is_made_again_after_a_failure_that_may_pass() {
    let (store, storage) = faulty();
    for operation in [Operation::Put, Operation::Get, Operation::Head, Operation::List, Operation::Delete] {
        store.fail_call(operation, 1, Fault::Interrupted);
    }
    let key = key("a");
    storage.put(&key, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(storage.get(&key).await.unwrap(), "x");
    assert_eq!(storage.head(&key).await.unwrap().size, 1);
    assert_eq!(storage.list(None).await.unwrap().len(), 1);
    storage.delete(&key).await.unwrap();
    for operation in [Operation::Put, Operation::Get, Operation::Head, Operation::List, Operation::Delete] {
        assert_eq!(store.calls(operation), 2, "{operation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_does_not_pass_is_reported_after_the_retries() {
    let (store, storage) = faulty();
    store.fail_keys(Operation::Put, "a", Fault::Interrupted);
    let error = storage.put(&key("a"), Bytes::new()).await.unwrap_err();
    insta::assert_snapshot!(error, @"write memory:///faulty/a");
    assert_eq!(store.calls(Operation::Put), 9);
    store.heal();
    storage.put(&key("a"), Bytes::new()).await.unwrap();
}

#[tokio::test]
async fn what_is_refused_or_does_not_fit_is_not_tried_again() {
    let (store, storage) = faulty();
    store.fail_call(Operation::Put, 1, Fault::Refused);
    store.fail_call(Operation::Put, 2, Fault::Full);
    let refused = storage.put(&key("a"), Bytes::new()).await.unwrap_err();
    assert!(matches!(refused, StorageError::Failed { .. }), "{refused:?}");
    let full = storage.put(&key("a"), Bytes::new()).await.unwrap_err();
    insta::assert_snapshot!(full, @"no space left to write memory:///faulty/a");
    assert_eq!(store.calls(Operation::Put), 2);
}

#[tokio::test]
async fn a_stalled_call_ends_when_it_is_released() {
    let (store, storage) = faulty();
    store.fail_call(Operation::Put, 1, Fault::Stall);
    let put = tokio::spawn({
        let storage = storage.clone();
        async move { storage.put(&key("a"), Bytes::from_static(b"x")).await }
    });
    store.stalled().await;
    assert!(!put.is_finished());
    assert!(matches!(storage.get(&key("a")).await, Err(StorageError::NotFound { .. })));
    store.release();
    put.await.unwrap().unwrap();
    assert_eq!(storage.get(&key("a")).await.unwrap(), "x");
}
