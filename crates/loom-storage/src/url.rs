//! Where a repository is: one URL, of one of five forms.
//!
//! Holds no credentials, no region and no endpoint: those are options.

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::str::FromStr;

use object_store::path::Path;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::StorageError;

/// What a person sees when a URL is of no known form.
const FORMS: &str = "expected file:///absolute/path, s3://bucket/prefix, gs://bucket/prefix, \
                     az://container/prefix or memory:///name";

/// The place of a repository.
///
/// ```
/// # use loom_storage::StorageUrl;
/// let url: StorageUrl = "s3://backups/loom/".parse()?;
/// assert_eq!(url.to_string(), "s3://backups/loom");
/// assert!(url.is_remote());
/// # Ok::<(), loom_storage::StorageError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StorageUrl {
    text: String,
    place: Place,
}

/// What a URL names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    Disk(PathBuf),
    Memory(String),
    Cloud { cloud: Cloud, bucket: String, prefix: Path },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Cloud {
    S3,
    Google,
    Azure,
}

impl StorageUrl {
    /// Whether objects leave this machine.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        matches!(self.place, Place::Cloud { .. })
    }

    /// The directory of a `file://` URL.
    #[must_use]
    pub fn directory(&self) -> Option<&FilePath> {
        match &self.place {
            Place::Disk(root) => Some(root),
            _ => None,
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// What stands before every key in the store: nothing but the prefix of a cloud URL.
    pub(crate) fn prefix(&self) -> Path {
        match &self.place {
            Place::Cloud { prefix, .. } => prefix.clone(),
            _ => Path::default(),
        }
    }

    /// The bucket, container, directory or name, for messages.
    pub(crate) fn bucket(&self) -> String {
        match &self.place {
            Place::Disk(root) => root.display().to_string(),
            Place::Memory(name) => name.clone(),
            Place::Cloud { bucket, .. } => bucket.clone(),
        }
    }
}

impl FromStr for StorageUrl {
    type Err = StorageError;

    fn from_str(text: &str) -> Result<Self, StorageError> {
        let refused =
            |reason: &str| StorageError::InvalidUrl { url: without_user(text), reason: reason.to_owned() };
        let url = Url::parse(text).map_err(|_| refused(FORMS))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("credentials belong in the options or the environment, not in the URL"));
        }
        if url.query().is_some() || url.fragment().is_some() || url.port().is_some() {
            return Err(refused("a port, `?` and `#` have no meaning here (an endpoint is an option)"));
        }
        let place = place(&url).ok_or_else(|| refused(FORMS))?;
        // `Url` resolves `a/..` to a path that ends in a slash, so what is trimmed is what it made.
        Ok(Self { text: url.as_str().trim_end_matches('/').to_owned(), place })
    }
}

fn place(url: &Url) -> Option<Place> {
    let path = Path::from_url_path(url.path()).ok()?;
    let bucket = url.host_str().unwrap_or_default().to_owned();
    let cloud = match url.scheme() {
        // The root directory would make every file of the machine an object.
        "file" if bucket.is_empty() && !path.as_ref().is_empty() => {
            return url.to_file_path().ok().map(|root| Place::Disk(root.components().collect()));
        }
        "memory" if bucket.is_empty() && path.parts().count() == 1 => {
            return Some(Place::Memory(path.to_string()));
        }
        "s3" => Cloud::S3,
        "gs" => Cloud::Google,
        "az" => Cloud::Azure,
        _ => return None,
    };
    (!bucket.is_empty()).then_some(Place::Cloud { cloud, bucket, prefix: path })
}

/// `text` without anything that may be a user name and password.
fn without_user(text: &str) -> String {
    match (text.split_once("://"), text.rfind('@')) {
        (Some((scheme, _)), Some(at)) if at > scheme.len() => format!("{scheme}://***{}", &text[at..]),
        _ => text.to_owned(),
    }
}

impl fmt::Display for StorageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for StorageUrl {
    type Error = StorageError;

    fn try_from(text: String) -> Result<Self, StorageError> {
        text.parse()
    }
}

impl From<StorageUrl> for String {
    fn from(url: StorageUrl) -> Self {
        url.text
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn five_forms_are_read() {
        for (text, shown, bucket, prefix) in [
            ("file:///srv/loom/", "file:///srv/loom", "/srv/loom", ""),
            ("file:///srv/my backups", "file:///srv/my%20backups", "/srv/my backups", ""),
            ("file:///srv/../etc", "file:///etc", "/etc", ""),
            ("memory:///one", "memory:///one", "one", ""),
            ("s3://Bucket_1", "s3://Bucket_1", "Bucket_1", ""),
            ("s3://bucket/ ", "s3://bucket", "bucket", ""),
            ("s3://bucket/a/..", "s3://bucket", "bucket", ""),
            ("s3://bucket/a/b/", "s3://bucket/a/b", "bucket", "a/b"),
            ("gs://bucket/a%20b", "gs://bucket/a%20b", "bucket", "a b"),
            ("az://container/a", "az://container/a", "container", "a"),
        ] {
            let url: StorageUrl = text.parse().unwrap();
            assert_eq!(
                (url.to_string().as_str(), url.bucket().as_str(), url.prefix().as_ref()),
                (shown, bucket, prefix)
            );
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "/srv/loom",
            "srv",
            "file://srv/loom",
            "file:///",
            "file://",
            "s3://",
            "s3:///prefix",
            "memory://x",
            "memory:///",
            "memory:///a/b",
            "http://host/x",
            "s3://b/x?versionId=1",
            "s3://b/x#1",
            "s3://b:9000/x",
            "s3://bucket//a",
        ] {
            assert!(text.parse::<StorageUrl>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_a_person_reads_shows_the_forms_and_no_secret() {
        let message = |text: &str| text.parse::<StorageUrl>().unwrap_err().to_string();
        insta::assert_snapshot!(message("/srv/loom"), @"`/srv/loom` is not a storage URL: expected file:///absolute/path, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or memory:///name");
        insta::assert_snapshot!(message("s3://AKIA:s3cr3t@bucket/a"), @"`s3://***@bucket/a` is not a storage URL: credentials belong in the options or the environment, not in the URL");
    }

    proptest! {
        #[test]
        fn a_url_reads_back_as_it_is_shown(
            scheme in "s3|gs|az", bucket in "[a-z0-9][a-z0-9.-]{1,20}", prefix in "[^?#@\\\\\\x00-\\x1f]{0,40}",
        ) {
            if let Ok(url) = format!("{scheme}://{bucket}/{prefix}").parse::<StorageUrl>() {
                prop_assert_eq!(url.to_string().parse::<StorageUrl>().unwrap(), url);
            }
        }
    }
}
