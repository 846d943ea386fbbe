//! From what `object_store` reports to the error that says what to decide.
//!
//! Goes by the server's status and code rather than by `object_store`'s variants, which call a missing bucket
//! a missing object and every 409 an object that exists.

use std::io::ErrorKind;
use std::path::PathBuf;

use bytes::Bytes;
use object_store::client::HttpErrorKind;

use crate::answer::io_error;
use crate::{Answer, Key, StorageError, StorageUrl};

const NO_BUCKET: [&str; 2] = ["NoSuchBucket", "ContainerNotFound"];
const CREDENTIALS: [&str; 14] = [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "InvalidSecurity",
    "TokenRefreshRequired",
    "RequestTimeTooSkewed",
    "RequestExpired",
    "NotSignedUp",
    "AuthenticationFailed",
    "InvalidAuthenticationInfo",
    "NoAuthenticationInformation",
    "invalid_grant",
    "invalid_client",
];
const REGION: [&str; 4] = [
    "AuthorizationHeaderMalformed",
    "PermanentRedirect",
    "TemporaryRedirect",
    "IllegalLocationConstraintException",
];
const FULL: [&str; 3] = ["QuotaExceeded", "XMinioStorageFull", "InsufficientStorage"];

/// What is being done to what: the subject of an error.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    what: &'static str,
    address: String,
    endpoint: String,
    bucket: String,
    /// On local disk.
    path: Option<PathBuf>,
}

impl Request {
    pub(crate) fn new(what: &'static str, url: &StorageUrl, key: Option<&Key>, endpoint: &str) -> Self {
        let address = key.map_or_else(|| url.to_string(), |key| format!("{url}/{key}"));
        let path =
            url.directory().map(|root| key.map_or_else(|| root.to_owned(), |key| root.join(key.as_str())));
        Self { what, address, endpoint: endpoint.to_owned(), bucket: url.bucket(), path }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// `object`, if it has the length that it should have.
    pub(crate) fn of_length(&self, object: Bytes, expected: u64) -> Result<Bytes, StorageError> {
        let got = object.len() as u64;
        if got == expected {
            Ok(object)
        } else {
            Err(StorageError::Short { address: self.address.clone(), expected, got })
        }
    }

    pub(crate) fn failed(&self, error: &object_store::Error, source: Answer) -> StorageError {
        let address = self.address.clone();
        let endpoint = self.endpoint.clone();
        let bucket = self.bucket.clone();
        if source.has_code(&NO_BUCKET) {
            StorageError::NoBucket { bucket, endpoint }
        } else if is_about_credentials(&source) {
            StorageError::BadCredentials { endpoint, source }
        } else if source.redirect || source.has_code(&REGION) {
            StorageError::WrongRegion { bucket, source }
        } else if source.has_code(&FULL) || source.status == Some(507) {
            StorageError::Full { address, source: Box::new(source) }
        } else if is_taken(error, &source) {
            StorageError::KeyTaken { address }
        } else if matches!(error, object_store::Error::NotFound { .. }) || source.status == Some(404) {
            StorageError::NotFound { address }
        } else if source.status == Some(403) {
            StorageError::Denied { what: self.what, address, source }
        } else if source.transport == Some(HttpErrorKind::Connect) {
            StorageError::Unreachable { endpoint, source }
        } else if source.status.is_none() && source.transport.is_none() {
            self.failed_here(error, source)
        } else {
            StorageError::Failed { what: self.what, address, source }
        }
    }

    /// No server had a part in it.
    fn failed_here(&self, error: &object_store::Error, source: Answer) -> StorageError {
        let (what, address) = (self.what, self.address.clone());
        match (io_error(error), &self.path) {
            (Some(io), _) if matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                StorageError::Full { address, source: Box::new(io) }
            }
            (Some(source), Some(path)) => StorageError::Io { what, path: path.clone(), source },
            _ => StorageError::Failed { what, address, source },
        }
    }
}

fn is_about_credentials(answer: &Answer) -> bool {
    answer.has_code(&CREDENTIALS)
        || answer.status == Some(401)
        || answer.asked_for_credentials
        // Azurite gives a wrong key the code of a missing right.
        || answer.says("Server failed to authenticate the request")
}

fn is_taken(error: &object_store::Error, answer: &Answer) -> bool {
    let exists = matches!(error, object_store::Error::AlreadyExists { .. });
    // Any other 409 is not about the key: a conflicting operation, a container being deleted.
    exists && (answer.status != Some(409) || answer.has_code(&["BlobAlreadyExists"]))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::error::Error;
    use std::io;

    use super::*;

    /// `object_store`'s own request error cannot be made outside of it; its text is what counts.
    #[derive(Debug, thiserror::Error)]
    #[error("Error performing GET http://s3/b/k in 1ms - {0}")]
    struct Retry(#[source] Status);

    #[derive(Debug, thiserror::Error)]
    #[error("Server returned non-2xx status code: {0}")]
    struct Status(&'static str);

    fn answered(text: &'static str) -> object_store::Error {
        let source = Box::new(Retry(Status(text)));
        match &text[..3] {
            "404" => object_store::Error::NotFound { path: "k".to_owned(), source },
            "409" | "412" => object_store::Error::AlreadyExists { path: "k".to_owned(), source },
            _ => object_store::Error::Generic { store: "S3", source },
        }
    }

    fn shown(url: &str, error: &object_store::Error) -> String {
        let url: StorageUrl = url.parse().unwrap();
        let request = Request::new("write", &url, Some(&"n/k".parse().unwrap()), "https://s3");
        let failed = request.failed(error, Answer::of(error));
        match failed.source() {
            Some(source) => format!("{failed}: {source}"),
            None => failed.to_string(),
        }
    }

    #[test]
    fn each_answer_becomes_the_error_to_decide_by() {
        let shown = |text| shown("s3://b/p", &answered(text));
        insta::assert_snapshot!(shown("404 Not Found: <Error><Code>NoSuchKey</Code><Message>gone</Message></Error>"), @"no object at s3://b/p/n/k");
        insta::assert_snapshot!(shown("404 Not Found: <Error><Code>NoSuchBucket</Code><Message>none</Message></Error>"), @"no bucket or container `b` at https://s3");
        insta::assert_snapshot!(shown("412 Precondition Failed: "), @"s3://b/p/n/k exists already");
        insta::assert_snapshot!(shown("409 Conflict: <Error><Code>BlobAlreadyExists</Code><Message>x</Message></Error>"), @"s3://b/p/n/k exists already");
        insta::assert_snapshot!(shown("409 Conflict: <Error><Code>ContainerBeingDeleted</Code><Message>wait</Message></Error>"), @"write s3://b/p/n/k: 409 Conflict, ContainerBeingDeleted: wait");
        insta::assert_snapshot!(shown("403 Forbidden: <Error><Code>AccessDenied</Code><Message>no</Message></Error>"), @"not allowed to write s3://b/p/n/k: 403 Forbidden, AccessDenied: no");
        insta::assert_snapshot!(shown("403 Forbidden: <Error><Code>InvalidAccessKeyId</Code><Message>who</Message><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>"), @"credentials for https://s3 are missing or not accepted: 403 Forbidden, InvalidAccessKeyId: who");
        insta::assert_snapshot!(shown("400 Bad Request: <Error><Code>AuthorizationHeaderMalformed</Code><Message>expecting 'eu-west-1'</Message></Error>"), @"bucket `b` is not in the region asked: 400 Bad Request, AuthorizationHeaderMalformed: expecting 'eu-west-1'");
        insta::assert_snapshot!(shown("507 Insufficient Storage: "), @"no space left to write s3://b/p/n/k: 507 Insufficient Storage");
        insta::assert_snapshot!(shown("502 Bad Gateway: <html>nginx</html>"), @"write s3://b/p/n/k: 502 Bad Gateway");
    }

    #[test]
    fn a_deletion_refused_within_a_batch_is_denied() {
        let source = "Bulk delete request failed for key k: not permitted (code: 403)".into();
        let error = object_store::Error::Generic { store: "MicrosoftAzure", source };
        insta::assert_snapshot!(shown("az://c", &error), @"not allowed to write az://c/n/k: Bulk delete request failed for key k: not permitted (code: 403)");
    }

    #[test]
    fn the_local_disk_is_named_by_its_path() {
        let failed = |kind: io::ErrorKind| object_store::Error::Generic {
            store: "disk",
            source: Box::new(io::Error::from(kind)),
        };
        insta::assert_snapshot!(shown("file:///srv/loom", &failed(ErrorKind::PermissionDenied)), @"write /srv/loom/n/k: permission denied");
        insta::assert_snapshot!(shown("file:///srv/loom", &failed(ErrorKind::StorageFull)), @"no space left to write file:///srv/loom/n/k: no storage space");
    }
}
