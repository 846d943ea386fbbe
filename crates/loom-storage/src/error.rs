//! What can go wrong with objects, told apart by what the caller or the operator can do about it.
//!
//! Does not know how a store's answer is read (`answer`), nor which failures are tried again (`retry`).

use std::io;
use std::path::PathBuf;

use crate::Answer;

/// Why something could not be done in storage. `address` is always the URL of the repository and the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The text is not a storage URL.
    #[error("`{url}` is not a storage URL: {reason}")]
    InvalidUrl {
        /// The text, without a user name and password.
        url: String,
        /// What is expected.
        reason: String,
    },
    /// The text is not an object key.
    #[error("`{key}` is not a key: {reason}")]
    InvalidKey {
        /// The text.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An option of that name does not exist, for this kind of storage or at all.
    #[error("`{key}` is not an option of {url}")]
    UnknownOption {
        /// The option.
        key: String,
        /// The storage that was to be opened.
        url: String,
    },
    /// The options of the storage do not fit together, or one has a value that cannot be used.
    #[error("options of {url}")]
    Options {
        /// The storage that was to be opened.
        url: String,
        /// What is wrong.
        source: Answer,
    },
    /// There is no object under the key.
    #[error("no object at {address}")]
    NotFound {
        /// The object asked for.
        address: String,
    },
    /// [`put_new`](crate::Storage::put_new) found an object under the key, and left it as it is.
    #[error("{address} exists already")]
    KeyTaken {
        /// The object that is there.
        address: String,
    },
    /// The bucket or container does not exist.
    #[error("no bucket or container `{bucket}` at {endpoint}")]
    NoBucket {
        /// Its name.
        bucket: String,
        /// Where it was looked for.
        endpoint: String,
    },
    /// The credentials are good and do not allow this.
    #[error("not allowed to {what} {address}")]
    Denied {
        /// The verb: `write`, `read`, `list`, `delete`.
        what: &'static str,
        /// The object or prefix.
        address: String,
        /// What the server said.
        source: Answer,
    },
    /// The credentials are missing, wrong, or out of date.
    #[error("credentials for {endpoint} are missing or not accepted")]
    BadCredentials {
        /// Who refused them.
        endpoint: String,
        /// What the server said.
        source: Answer,
    },
    /// The bucket is in another region than the one asked.
    #[error("bucket `{bucket}` is not in the region asked")]
    WrongRegion {
        /// Its name.
        bucket: String,
        /// What the server said.
        source: Answer,
    },
    /// No connection to the server.
    #[error("cannot reach {endpoint}")]
    Unreachable {
        /// The server.
        endpoint: String,
        /// What the network did.
        source: Answer,
    },
    /// No room for the object: the disk or a quota is full.
    #[error("no space left to write {address}")]
    Full {
        /// The object that did not fit.
        address: String,
        /// What the system or the server said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The local disk refused.
    #[error("{what} {}", path.display())]
    Io {
        /// The verb: `write`, `read`, `list`, `delete`, `open`.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An object came with another length than it has, or ends before the range that was asked for.
    #[error("{address} gave {got} bytes instead of {expected}")]
    Short {
        /// The object.
        address: String,
        /// Bytes expected.
        expected: u64,
        /// Bytes received.
        got: u64,
    },
    /// Anything else, after the retries that the options allow.
    #[error("{what} {address}")]
    Failed {
        /// The verb: `write`, `read`, `list`, `delete`.
        what: &'static str,
        /// The object or prefix.
        address: String,
        /// What the server said or the network did.
        source: Answer,
    },
}

impl StorageError {
    /// One sentence on what a person can do about it, where there is something to say.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoBucket { bucket, .. } => format!("create `{bucket}` first, or check the name, the endpoint and the region"),
            Self::Denied { source, .. } if source.has_code(&["InvalidObjectState"]) => {
                "the object is in an archive storage class: have the store restore it first".to_owned()
            }
            Self::Denied { what, .. } => format!("give the identity in use the right to {what} objects there"),
            Self::BadCredentials { source, .. } => credentials_hint(source).to_owned(),
            Self::WrongRegion { .. } => "set the option `region` (AWS_REGION) to the region of the bucket".to_owned(),
            Self::Unreachable { source, .. } => unreachable_hint(source).to_owned(),
            Self::Full { .. } => "make room or raise the quota; old backups can be pruned".to_owned(),
            Self::Io { path, source, .. } => io_hint(source, path)?,
            Self::Failed { source, .. } | Self::Options { source, .. } => failed_hint(source)?.to_owned(),
            Self::UnknownOption { .. } => {
                "options are named as in object_store: `region`, `endpoint`, `allow_http`, `aws_access_key_id`, …, \
                 and `storage_class`, `root_certificate`"
                    .to_owned()
            }
            _ => return None,
        };
        Some(text)
    }
}

fn credentials_hint(answer: &Answer) -> &'static str {
    if answer.asked_for_credentials {
        "no credentials were given and this machine offers none: set them in the options or the environment"
    } else if answer.has_code(&["RequestTimeTooSkewed"]) {
        "the clock of this machine is wrong"
    } else if answer.has_code(&["ExpiredToken", "TokenRefreshRequired"]) {
        "the session token has run out: get a new one"
    } else {
        "check the key, the secret and the endpoint they belong to"
    }
}

fn unreachable_hint(answer: &Answer) -> &'static str {
    if answer.says("certificate") {
        "name the PEM file of a private certificate authority in the option `root_certificate`"
    } else {
        "check the endpoint, the name resolution and the firewall"
    }
}

fn io_hint(error: &io::Error, path: &std::path::Path) -> Option<String> {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Some(format!("the user of this process has no right to {}", path.display()))
        }
        io::ErrorKind::NotADirectory => {
            Some("the repository must be a directory; something on its path is a file".to_owned())
        }
        io::ErrorKind::ReadOnlyFilesystem => Some("the file system is mounted read-only".to_owned()),
        _ => None,
    }
}

fn failed_hint(answer: &Answer) -> Option<&'static str> {
    if answer.says("URL scheme is not allowed") || answer.says("allow_http") {
        Some("an http:// endpoint needs the option `allow_http = \"true\"`")
    } else if answer.has_code(&["SlowDown", "ServerBusy", "TooManyRequests"]) || answer.status == Some(429) {
        Some("the store asks for fewer requests: try again later or with fewer workers")
    } else if answer.transport == Some(object_store::client::HttpErrorKind::Timeout) {
        Some("the whole request must end within the storage timeout: raise it on a slow line")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use object_store::client::{HttpError, HttpErrorKind};

    use super::*;

    #[test]
    fn an_error_says_what_and_its_source_says_why_and_neither_says_it_twice() {
        let reason = HttpError::new(HttpErrorKind::Connect, io::Error::other("connection refused"));
        let error = object_store::Error::Generic { store: "S3", source: Box::new(reason) };
        let error = StorageError::Unreachable {
            endpoint: "http://127.0.0.1:1".to_owned(),
            source: Answer::of(&error),
        };
        insta::assert_snapshot!(error, @"cannot reach http://127.0.0.1:1");
        insta::assert_snapshot!(error.source().map(ToString::to_string).unwrap_or_default(), @"connection refused");
        insta::assert_snapshot!(error.hint().unwrap_or_default(), @"check the endpoint, the name resolution and the firewall");
    }

    #[test]
    fn hints_fit_the_case() {
        let options = StorageError::Options {
            url: "s3://b".to_owned(),
            source: Answer::saying("http://s3 is not encrypted and `allow_http` is not set"),
        };
        insta::assert_snapshot!(options.hint().unwrap_or_default(), @r#"an http:// endpoint needs the option `allow_http = "true"`"#);
        let denied = StorageError::Io {
            what: "write",
            path: "/srv/loom".into(),
            source: io::ErrorKind::PermissionDenied.into(),
        };
        insta::assert_snapshot!(denied.hint().unwrap_or_default(), @"the user of this process has no right to /srv/loom");
        let missing = StorageError::NotFound { address: "s3://b/k".to_owned() };
        assert_eq!(missing.hint(), None);
    }
}
