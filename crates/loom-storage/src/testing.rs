//! A store that fails on request, for the tests of the crates above.
//!
//! It wraps any [`ObjectStore`] and breaks chosen calls; it knows nothing of what the objects are. Give it to
//! [`Storage::with_store`](crate::Storage::with_store).

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use object_store::client::{HttpError, HttpErrorKind};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::{Notify, Semaphore};

/// The kinds of call, counted each for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A put that replaces.
    Put,
    /// A put that does not.
    PutNew,
    /// A get, of a whole object or a part.
    Get,
    /// A question for size and time.
    Head,
    /// A listing.
    List,
    /// A removal.
    Delete,
}

/// What happens to a chosen call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Not done, and refused for good: it is not made again.
    Refused,
    /// Not done: no space left.
    Full,
    /// Not done, because of a failure that may pass: [`Storage`](crate::Storage) makes the call again.
    Interrupted,
    /// Done, but the answer is lost: [`Storage`](crate::Storage) makes the call again.
    AnswerLost,
    /// Begins, and goes on only after [`FaultyStore::release`].
    Stall,
}

/// A store and the faults it is to have. Clones share both, so that a test keeps one and gives one away.
#[derive(Debug, Clone)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    calls: Mutex<BTreeMap<Operation, u64>>,
    rules: Mutex<Vec<Rule>>,
    stalled: Notify,
    released: Semaphore,
}

#[derive(Debug)]
struct Rule {
    operation: Operation,
    which: Which,
    fault: Fault,
}

#[derive(Debug)]
enum Which {
    Call(u64),
    KeysWith(String),
}

impl FaultyStore {
    /// `inner`, without faults so far.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        let state = State {
            calls: Mutex::default(),
            rules: Mutex::default(),
            stalled: Notify::new(),
            released: Semaphore::new(0),
        };
        Self { inner, state: Arc::new(state) }
    }

    /// Breaks the call number `call` (from 1) of `operation`.
    pub fn fail_call(&self, operation: Operation, call: u64, fault: Fault) {
        self.add(Rule { operation, which: Which::Call(call), fault });
    }

    /// Breaks every call of `operation` for a key that contains `text`.
    pub fn fail_keys(&self, operation: Operation, text: &str, fault: Fault) {
        self.add(Rule { operation, which: Which::KeysWith(text.to_owned()), fault });
    }

    /// Takes all faults back.
    pub fn heal(&self) {
        self.state.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many calls of `operation` there have been, broken ones included.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> u64 {
        self.state.calls.lock().unwrap_or_else(PoisonError::into_inner).get(&operation).copied().unwrap_or(0)
    }

    /// Waits until a call has stalled.
    pub async fn stalled(&self) {
        self.state.stalled.notified().await;
    }

    /// Lets stalled calls go on, now and from now on.
    pub fn release(&self) {
        self.state.released.close();
    }

    fn add(&self, rule: Rule) {
        self.state.rules.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    fn count(&self, operation: Operation, key: &Path) -> Option<Fault> {
        let mut calls = self.state.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let call = calls.entry(operation).or_default();
        *call += 1;
        let rules = self.state.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let chosen = rules.iter().find(|rule| {
            rule.operation == operation
                && match &rule.which {
                    Which::Call(number) => number == call,
                    Which::KeysWith(text) => key.as_ref().contains(text),
                }
        });
        chosen.map(|rule| rule.fault)
    }

    async fn run<T>(
        &self,
        operation: Operation,
        key: &Path,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match self.count(operation, key) {
            None => call.await,
            Some(Fault::AnswerLost) => {
                call.await?;
                Err(lost())
            }
            Some(Fault::Stall) => {
                self.state.stalled.notify_one();
                // Fails when the semaphore is closed: that is the release.
                let _ = self.state.released.acquire().await;
                call.await
            }
            Some(fault) => Err(failure(fault)),
        }
    }
}

fn failure(fault: Fault) -> Error {
    let source: Box<dyn std::error::Error + Send + Sync> = match fault {
        Fault::Full => Box::new(io::Error::from(io::ErrorKind::StorageFull)),
        Fault::Refused => Box::new(io::Error::other("injected fault")),
        Fault::Interrupted | Fault::AnswerLost | Fault::Stall => return lost(),
    };
    Error::Generic { store: "faulty", source }
}

fn lost() -> Error {
    let source = HttpError::new(HttpErrorKind::Interrupted, io::Error::from(io::ErrorKind::ConnectionReset));
    Error::Generic { store: "faulty", source: Box::new(source) }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultyStore({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, object: PutPayload, options: PutOptions) -> Result<PutResult> {
        let operation = if options.mode == PutMode::Overwrite { Operation::Put } else { Operation::PutNew };
        self.run(operation, location, self.inner.put_opts(location, object, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let operation = if options.head { Operation::Head } else { Operation::Get };
        self.run(operation, location, self.inner.get_opts(location, options)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Result<Path>| {
            let store = store.clone();
            async move {
                let location = location?;
                store.run(Operation::Delete, &location, store.inner.delete(&location)).await?;
                Ok(location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        let prefix = prefix.cloned();
        let begin = async move {
            let listed = prefix.clone().unwrap_or_default();
            match store.run(Operation::List, &listed, std::future::ready(Ok(()))).await {
                Ok(()) => store.inner.list(prefix.as_ref()),
                Err(error) => futures::stream::once(std::future::ready(Err(error))).boxed(),
            }
        };
        futures::stream::once(begin).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let listed = prefix.cloned().unwrap_or_default();
        self.run(Operation::List, &listed, self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
