//! What real servers say when they refuse, and what a person then reads.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::time::{Duration, Instant};

use bytes::Bytes;
use loom_storage::{Storage, StorageError, StorageOptions};

use crate::backends::{Place, azure_options, fresh, lax_s3, open, s3_options, var};
use crate::contract::key;

/// Every way to use a storage, each of which must fail.
async fn failures(storage: &Storage) -> Vec<StorageError> {
    let key = key("a");
    vec![
        storage.put(&key, Bytes::from_static(b"x")).await.unwrap_err(),
        storage.put_new(&key, Bytes::from_static(b"x")).await.unwrap_err(),
        storage.get(&key).await.unwrap_err(),
        storage.head(&key).await.unwrap_err(),
        storage.list(None).await.unwrap_err(),
        storage.delete(&key).await.unwrap_err(),
    ]
}

fn shown(error: &StorageError) -> String {
    let chain = std::iter::successors(error.source(), |cause: &&dyn Error| (*cause).source())
        .map(|cause| format!("\ncaused by: {cause}"));
    let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    format!("error: {error}{}{hint}", chain.collect::<String>())
}

/// As [`shown`], with what differs between runs replaced.
fn shown_without(error: &StorageError, variable: &[(&str, &str)]) -> String {
    variable.iter().fold(shown(error), |text, (value, name)| text.replace(value, name))
}

fn with(options: &[(&str, String)], name: &str, value: &str) -> Vec<(String, String)> {
    let mut options: Vec<_> =
        options.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    options.retain(|(given, _)| given != name);
    options.push((name.to_owned(), value.to_owned()));
    options
}

fn opened(url: &str, options: &[(String, String)]) -> Place {
    let options: Vec<_> = options.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    open(url, &options)
}

#[tokio::test]
#[ignore = "needs the servers of tests/servers"]
async fn wrong_s3_credentials_are_said_to_be_wrong() {
    let good = s3_options("LOOM_TEST_S3_KEY", "LOOM_TEST_S3_SECRET");
    let endpoint = var("LOOM_TEST_S3_ENDPOINT");
    for (option, code) in
        [("secret_access_key", "SignatureDoesNotMatch"), ("access_key_id", "InvalidAccessKeyId")]
    {
        let place = opened(&fresh("LOOM_TEST_S3_URL", "wrong"), &with(&good, option, "wrong-secret-value"));
        for error in failures(&place.storage).await {
            assert!(
                matches!(&error, StorageError::BadCredentials { source, .. } if source.code() == Some(code)),
                "{option}: {error:?}"
            );
            assert!(!format!("{error:?}{}", shown(&error)).contains("wrong-secret-value"));
        }
        let error = place.storage.get(&key("a")).await.unwrap_err();
        if code == "SignatureDoesNotMatch" {
            insta::assert_snapshot!(shown_without(&error, &[(&endpoint, "ENDPOINT")]), @r"
            error: credentials for ENDPOINT are missing or not accepted
            caused by: 403 Forbidden, SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided. Check your key and signing method.
            hint: check the key, the secret and the endpoint they belong to
            ");
        }
    }
}

#[tokio::test]
#[ignore = "needs the servers of tests/servers"]
async fn an_identity_that_may_only_read_is_told_what_it_may_not() {
    let url = fresh("LOOM_TEST_S3_URL", "readonly");
    let writer =
        opened(&url, &with(&s3_options("LOOM_TEST_S3_KEY", "LOOM_TEST_S3_SECRET"), "allow_http", "true"));
    writer.storage.put(&key("a"), Bytes::from_static(b"x")).await.unwrap();
    let reader = open(&url, &s3_options("LOOM_TEST_S3_READONLY_KEY", "LOOM_TEST_S3_READONLY_SECRET")).storage;
    assert_eq!(reader.get(&key("a")).await.unwrap(), "x");
    assert_eq!(reader.list(None).await.unwrap().len(), 1);
    let error = reader.put(&key("b"), Bytes::new()).await.unwrap_err();
    insta::assert_snapshot!(shown_without(&error, &[(&url, "URL")]), @r"
    error: not allowed to write URL/b
    caused by: 403 Forbidden, AccessDenied: Access Denied.
    hint: give the identity in use the right to write objects there
    ");
    assert!(matches!(
        reader.put_new(&key("b"), Bytes::new()).await,
        Err(StorageError::Denied { what: "write", .. })
    ));
    assert!(matches!(reader.delete(&key("a")).await, Err(StorageError::Denied { what: "delete", .. })));
    assert_eq!(writer.storage.get(&key("a")).await.unwrap(), "x");
}

#[tokio::test]
#[ignore = "needs the servers of tests/servers"]
async fn a_wrong_azure_key_is_said_to_be_wrong() {
    let wrong = with(&azure_options(), "azure_storage_account_key", "d3Jvbmctc2VjcmV0LXZhbHVl");
    let place = opened(&fresh("LOOM_TEST_AZURE_URL", "wrong"), &wrong);
    for error in failures(&place.storage).await {
        assert!(matches!(&error, StorageError::BadCredentials { .. }), "{error:?}");
        assert!(!format!("{error:?}{}", shown(&error)).contains("d3Jvbmctc2VjcmV0LXZhbHVl"));
    }
}

#[tokio::test]
#[ignore = "needs the servers of tests/servers"]
async fn a_missing_bucket_is_said_to_be_missing_and_not_made() {
    let endpoint = var("LOOM_TEST_S3_ENDPOINT");
    let s3 = open("s3://no-such-bucket/a", &s3_options("LOOM_TEST_S3_KEY", "LOOM_TEST_S3_SECRET"));
    let azure = open("az://no-such-bucket/a", &azure_options());
    let named = |error: &StorageError| matches!(error, StorageError::NoBucket { bucket, .. } if bucket == "no-such-bucket");
    let (key, azure, s3) = (key("a"), &azure.storage, &s3.storage);
    for error in [
        azure.put(&key, Bytes::new()).await.err(),
        azure.put_new(&key, Bytes::new()).await.err(),
        azure.get(&key).await.err(),
        azure.head(&key).await.err(),
        azure.list(None).await.err(),
        // Not a put: SeaweedFS looks at the right to write before it looks for the bucket.
        s3.get(&key).await.err(),
        s3.head(&key).await.err(),
        s3.list(None).await.err(),
    ] {
        assert!(error.as_ref().is_some_and(named), "{error:?}");
    }
    let error = s3.get(&key).await.unwrap_err();
    insta::assert_snapshot!(shown_without(&error, &[(&endpoint, "ENDPOINT")]), @r"
    error: no bucket or container `no-such-bucket` at ENDPOINT
    hint: create `no-such-bucket` first, or check the name, the endpoint and the region
    ");
}

#[tokio::test]
#[ignore = "needs the servers of tests/servers"]
async fn a_store_that_ignores_conditions_shows_by_a_second_put() {
    let lax = lax_s3("lax").storage;
    let key = key("probe");
    lax.put_new(&key, Bytes::from_static(b"1")).await.unwrap();
    lax.put_new(&key, Bytes::from_static(b"2")).await.unwrap();
    assert_eq!(lax.get(&key).await.unwrap(), "2");
}

#[tokio::test]
async fn a_storage_class_is_sent_with_every_put() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let lines = BufReader::new(&connection).lines().map(Result::unwrap);
        let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        connection.write_all(b"HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 0\r\n\r\n").unwrap();
        head
    });
    let options = [
        ("endpoint", endpoint),
        ("access_key_id", "a".to_owned()),
        ("secret_access_key", "b".to_owned()),
        ("allow_http", "true".to_owned()),
        ("storage_class", "STANDARD_IA".to_owned()),
    ];
    open("s3://bucket/prefix", &options).storage.put(&key("a"), Bytes::new()).await.unwrap();
    let head = server.join().unwrap();
    assert_eq!(head[0], "PUT /bucket/prefix/a HTTP/1.1");
    assert!(head.iter().any(|line| line == "x-amz-storage-class: STANDARD_IA"), "{head:?}");
}

#[tokio::test]
async fn an_endpoint_nobody_listens_at_is_reported_within_20_seconds() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let options = [
        ("endpoint", endpoint.clone()),
        ("access_key_id", "a".to_owned()),
        ("secret_access_key", "b".to_owned()),
        ("allow_http", "true".to_owned()),
    ];
    let place = open("s3://bucket", &options);
    let (start, key) = (Instant::now(), key("a"));
    let (got, put) = futures::join!(place.storage.get(&key), place.storage.put_new(&key, Bytes::new()));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let [got, put] = [got, put.map(|()| Bytes::new())]
        .map(|result| shown_without(&result.unwrap_err(), &[(&endpoint, "ENDPOINT")]));
    assert_eq!(got, put);
    insta::assert_snapshot!(got, @r"
    error: cannot reach ENDPOINT
    caused by: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    hint: check the endpoint, the name resolution and the firewall
    ");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_unreachable() {
    let options = [
        ("endpoint".to_owned(), "https://no-such-host.invalid".to_owned()),
        ("access_key_id".to_owned(), "a".to_owned()),
        ("secret_access_key".to_owned(), "b".to_owned()),
    ];
    let options = StorageOptions { options: options.into(), retries: 0, ..StorageOptions::default() };
    let storage = Storage::open(&"s3://bucket".parse().unwrap(), &options).unwrap();
    let error = storage.list(None).await.unwrap_err();
    assert!(
        matches!(&error, StorageError::Unreachable { endpoint, .. } if endpoint == "https://no-such-host.invalid"),
        "{error:?}"
    );
}
