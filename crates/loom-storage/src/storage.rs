//! Objects under keys: put, get, list, delete.
//!
//! Holds no objects in memory beyond the one asked for, and no state beyond "the endpoint has answered".

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, PutPayload,
};

use crate::failure::Request;
use crate::object_stores::{self, ObjectStores};
use crate::options::STORAGE_CLASS;
use crate::retry::{Policy, may_be_done};
use crate::{Answer, Key, StorageError, StorageOptions, StorageUrl};

/// What a listing tells about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its name.
    pub key: Key,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, by the clock of the store.
    pub modified: Timestamp,
}

/// The objects at one URL. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Storage {
    shared: Arc<Shared>,
}

struct Shared {
    stores: ObjectStores,
    url: StorageUrl,
    prefix: Path,
    attributes: Attributes,
    policy: Policy,
    /// Whether the endpoint has answered anything, so that it is worth waiting for.
    known: AtomicBool,
}

impl Storage {
    /// Makes the clients for `url`. No request is made, and a directory need not exist: it is created by the first put.
    ///
    /// # Errors
    /// [`StorageError::UnknownOption`] and [`StorageError::Options`] for options that cannot be used, and
    /// [`StorageError::Io`] if a `file://` URL or a certificate file cannot be read as such.
    pub fn open(url: &StorageUrl, options: &StorageOptions) -> Result<Self, StorageError> {
        let stores = object_stores::open(url, options)?;
        let policy = Policy { retries: options.retries, timeout: options.retry_timeout };
        let mut attributes = Attributes::new();
        if let Some(class) = options.options.get(STORAGE_CLASS).filter(|_| url.is_remote()) {
            attributes.insert(Attribute::StorageClass, class.clone().into());
        }
        Ok(Self::with(stores, url.clone(), attributes, policy))
    }

    /// Objects in a store that the caller has made, for embedders and tests. `store` is rooted where the URL's bucket,
    /// container, directory or name is; a prefix in the URL is put in front of every key.
    ///
    /// The retries are those of [`StorageOptions::default`], after any that `store` makes by itself. If it makes
    /// any, [`put_new`](Self::put_new) cannot see an answer that was lost between them.
    #[must_use]
    pub fn with_store(store: Arc<dyn ObjectStore>, url: StorageUrl) -> Self {
        let StorageOptions { retries, retry_timeout, .. } = StorageOptions::default();
        let stores = ObjectStores { once: Arc::clone(&store), store, endpoint: url.to_string() };
        Self::with(stores, url, Attributes::new(), Policy { retries, timeout: retry_timeout })
    }

    fn with(stores: ObjectStores, url: StorageUrl, attributes: Attributes, policy: Policy) -> Self {
        let prefix = url.prefix();
        Self {
            shared: Arc::new(Shared {
                stores,
                url,
                prefix,
                attributes,
                policy,
                known: AtomicBool::new(false),
            }),
        }
    }

    /// Where the objects are.
    #[must_use]
    pub fn url(&self) -> &StorageUrl {
        &self.shared.url
    }

    /// The address of an object: the URL and the key, for messages.
    #[must_use]
    pub fn address(&self, key: &Key) -> String {
        self.request("name", Some(key)).address().to_owned()
    }

    /// Writes an object, whole or not at all, in place of any that is there.
    ///
    /// # Errors
    /// [`StorageError::Full`], [`StorageError::Denied`] and what every request can meet.
    pub async fn put(&self, key: &Key, object: Bytes) -> Result<(), StorageError> {
        let location = self.location(key);
        let put = || {
            self.shared.stores.store.put_opts(
                &location,
                object.clone().into(),
                self.put_options(PutMode::Overwrite),
            )
        };
        self.attempt(&self.request("write", Some(key)), put).await.map(drop)
    }

    /// Writes a new object, whole or not at all.
    ///
    /// If an answer is lost (a connection cut, a timeout, a 5xx) the put is made again and may then find the object that
    /// it wrote itself. So, and only after such a failure, an object that is found is read and compared: equal bytes
    /// are success. Two writers that put the *same bytes* under one key may in that case both succeed; who needs to know
    /// who was first puts something of its own into the object.
    ///
    /// Some S3 servers (Garage, `rclone serve s3`) ignore the condition and replace the object; the only way
    /// to know is to put twice and see.
    ///
    /// # Errors
    /// [`StorageError::KeyTaken`] if the key exists; the old object is left as it is.
    pub async fn put_new(&self, key: &Key, object: Bytes) -> Result<(), StorageError> {
        let location = self.location(key);
        let request = self.request("write", Some(key));
        let mut tries = self.shared.policy.begin();
        let mut may_be_ours = false;
        loop {
            let payload = PutPayload::from(object.clone());
            let put =
                self.shared.stores.once.put_opts(&location, payload, self.put_options(PutMode::Create)).await;
            let Err(error) = put else {
                self.note_answer(true);
                return Ok(());
            };
            let answer = Answer::of(&error);
            self.note_answer(answer.status.is_some());
            may_be_ours |= may_be_done(&answer);
            let Some(wait) = tries.wait_after(&answer, self.known()) else {
                let failure = request.failed(&error, answer);
                let taken = matches!(failure, StorageError::KeyTaken { .. });
                // Who may write but not read is told that the key is taken: that much is certain.
                let ours = taken && may_be_ours && self.get(key).await.is_ok_and(|there| there == object);
                return if ours { Ok(()) } else { Err(failure) };
            };
            tracing::debug!(%key, %answer, ?wait, "put again");
            tokio::time::sleep(wait).await;
        }
    }

    /// The bytes of an object: as many as the store says it has.
    ///
    /// # Errors
    /// [`StorageError::NotFound`], [`StorageError::Short`] and what every request can meet.
    pub async fn get(&self, key: &Key) -> Result<Bytes, StorageError> {
        let bytes_and_size = async |found: GetResult| {
            let size = found.meta.size;
            Ok((found.bytes().await?, size))
        };
        let location = self.location(key);
        let get = async || {
            bytes_and_size(self.shared.stores.store.get_opts(&location, GetOptions::default()).await?).await
        };
        let request = self.request("read", Some(key));
        let (object, size) = self.attempt(&request, get).await?;
        request.of_length(object, size)
    }

    /// The bytes of a part of an object, which must have all of it.
    ///
    /// # Errors
    /// [`StorageError::NotFound`], [`StorageError::Short`] if the object ends before the range does.
    pub async fn get_range(&self, key: &Key, range: Range<u64>) -> Result<Bytes, StorageError> {
        let wanted = range.end.saturating_sub(range.start);
        if wanted == 0 {
            // No store can be asked for nothing.
            return Ok(Bytes::new());
        }
        let location = self.location(key);
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let get = async || self.shared.stores.store.get_opts(&location, options.clone()).await?.bytes().await;
        let request = self.request("read", Some(key));
        match self.attempt(&request, get).await {
            Err(StorageError::Failed { source, .. }) if source.is_beyond_the_end() => {
                request.of_length(Bytes::new(), wanted)
            }
            object => request.of_length(object?, wanted),
        }
    }

    /// What the store knows of an object.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] and what every request can meet.
    pub async fn head(&self, key: &Key) -> Result<Object, StorageError> {
        let location = self.location(key);
        let request = self.request("read", Some(key));
        let found = match self.attempt(&request, || self.shared.stores.store.head(&location)).await {
            Ok(found) => found,
            // An answer to HEAD has no body: only a GET says whether it is the key or the bucket that is
            // missing, the right or the secret that is wrong.
            Err(error) if self.url().is_remote() => {
                return Err(self.get_range(key, 0..1).await.err().filter(is_about_access).unwrap_or(error));
            }
            Err(error) => return Err(error),
        };
        Ok(object(key.clone(), &found))
    }

    /// All objects below `prefix` (whole segments: `a` has `a/b` below it and not `ab`), sorted by key.
    ///
    /// # Errors
    /// What every request can meet. A prefix, or a directory, that is not there has nothing below it.
    pub async fn list(&self, prefix: Option<&Key>) -> Result<Vec<Object>, StorageError> {
        let request = self.request("list", prefix);
        let location = self.below(prefix);
        let list = async || self.listing(location.as_ref()).try_collect::<Vec<_>>().await;
        let mut objects = self.attempt(&request, list).await?;
        objects.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    /// As [`list`](Self::list), for a million keys: unsorted, a page in memory at a time, and not begun again after a failure.
    #[must_use]
    pub fn list_stream(&self, prefix: Option<&Key>) -> BoxStream<'static, Result<Object, StorageError>> {
        let request = self.request("list", prefix);
        self.listing(self.below(prefix).as_ref())
            .map_err(move |error| request.failed(&error, Answer::of(&error)))
            .boxed()
    }

    /// The first segments of the keys that have more than one: what a person would call the top directories, sorted.
    ///
    /// # Errors
    /// What every request can meet.
    pub async fn tops(&self) -> Result<Vec<String>, StorageError> {
        let location = self.below(None);
        let request = self.request("list", None);
        let list = async || self.shared.stores.store.list_with_delimiter(location.as_ref()).await;
        let found = self.attempt(&request, list).await?;
        let name = |path: &Path| path.filename().map(str::to_owned);
        let mut tops: Vec<String> = found.common_prefixes.iter().filter_map(name).collect();
        tops.sort_unstable();
        Ok(tops)
    }

    /// Removes an object. Succeeds if there is none; in a missing bucket there is none either, for some stores.
    ///
    /// # Errors
    /// [`StorageError::Denied`] and what every request can meet.
    pub async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        let location = self.location(key);
        match self
            .attempt(&self.request("delete", Some(key)), || self.shared.stores.store.delete(&location))
            .await
        {
            Err(StorageError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    /// Makes a request until it succeeds or is not worth making again.
    async fn attempt<T, F>(&self, request: &Request, call: impl Fn() -> F) -> Result<T, StorageError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let mut tries = self.shared.policy.begin();
        loop {
            let error = match call().await {
                Ok(answer) => {
                    self.note_answer(true);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let answer = Answer::of(&error);
            self.note_answer(answer.status.is_some());
            let Some(wait) = tries.wait_after(&answer, self.known()) else {
                return Err(request.failed(&error, answer));
            };
            tracing::debug!(address = request.address(), %answer, ?wait, "request again");
            tokio::time::sleep(wait).await;
        }
    }

    fn listing(&self, location: Option<&Path>) -> BoxStream<'static, object_store::Result<Object>> {
        let prefix = self.shared.prefix.clone();
        let ours = move |found: ObjectMeta| {
            let key = Key::of_listed(&found.location, &prefix);
            if key.is_none() {
                tracing::debug!(location = %found.location, "passed over: not a key of this crate");
            }
            std::future::ready(Ok(key.map(|key| object(key, &found))))
        };
        self.shared.stores.store.list(location).try_filter_map(ours).boxed()
    }

    fn put_options(&self, mode: PutMode) -> PutOptions {
        PutOptions { mode, attributes: self.shared.attributes.clone(), ..PutOptions::default() }
    }

    fn location(&self, key: &Key) -> Path {
        key.location(&self.shared.prefix)
    }

    fn below(&self, prefix: Option<&Key>) -> Option<Path> {
        let location = prefix.map_or_else(|| self.shared.prefix.clone(), |key| self.location(key));
        (!location.as_ref().is_empty()).then_some(location)
    }

    fn request(&self, what: &'static str, key: Option<&Key>) -> Request {
        Request::new(what, &self.shared.url, key, &self.shared.stores.endpoint)
    }

    fn known(&self) -> bool {
        self.shared.known.load(Ordering::Relaxed)
    }

    fn note_answer(&self, answered: bool) {
        if answered {
            self.shared.known.store(true, Ordering::Relaxed);
        }
    }
}

fn object(key: Key, found: &ObjectMeta) -> Object {
    let nanoseconds = found.last_modified.timestamp_subsec_nanos().min(999_999_999);
    let modified =
        Timestamp::new(found.last_modified.timestamp(), nanoseconds.cast_signed()).unwrap_or_default();
    Object { key, size: found.size, modified }
}

fn is_about_access(error: &StorageError) -> bool {
    matches!(
        error,
        StorageError::NoBucket { .. }
            | StorageError::Denied { .. }
            | StorageError::BadCredentials { .. }
            | StorageError::WrongRegion { .. }
            | StorageError::NotFound { .. }
    )
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Storage({})", self.shared.url)
    }
}
