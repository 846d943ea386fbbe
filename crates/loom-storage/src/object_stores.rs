//! From a URL and options to the `object_store` clients.
//!
//! Makes no request: that a bucket exists and credentials are good shows at the first use.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::memory::InMemory;
use object_store::{Certificate, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig};

use crate::disk::Disk;
use crate::options::{AZURITE_URL, ROOT_CERTIFICATE, is_ignorable, is_said_elsewhere};
use crate::url::{Cloud, Place};
use crate::{Answer, StorageError, StorageOptions, StorageUrl};

/// Attempts that `object_store` makes by itself, in quick succession. Longer trouble is for `retry`, which counts
/// from the first failure: `object_store` counts from the start of the request, so that a put that breaks
/// after a minute would not be made again.
const QUICK_RETRIES: usize = 3;
const QUICK_RETRY_TIMEOUT: Duration = Duration::from_secs(12);

/// Documented and the same for everybody: <https://learn.microsoft.com/azure/storage/common/storage-use-azurite>.
const AZURITE_ACCOUNT: &str = "devstoreaccount1";
const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// The clients of one store.
pub(crate) struct ObjectStores {
    /// For everything that may be done twice.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// For puts that may not replace: it makes one attempt, so that we know of every answer that was lost.
    pub(crate) once: Arc<dyn ObjectStore>,
    /// Where requests go, for messages.
    pub(crate) endpoint: String,
}

pub(crate) fn open(url: &StorageUrl, options: &StorageOptions) -> Result<ObjectStores, StorageError> {
    match url.place() {
        Place::Disk(root) => {
            check_all_known(url, options)?;
            Ok(alone(Arc::new(Disk::open(root)?), url))
        }
        Place::Memory(name) => {
            check_all_known(url, options)?;
            Ok(alone(named_memory(name), url))
        }
        Place::Cloud { cloud: Cloud::S3, bucket, .. } => open_s3(url, bucket, options),
        Place::Cloud { cloud: Cloud::Google, bucket, .. } => open_google(url, bucket, options),
        Place::Cloud { cloud: Cloud::Azure, bucket, .. } => open_azure(url, bucket, options),
    }
}

fn alone(store: Arc<dyn ObjectStore>, url: &StorageUrl) -> ObjectStores {
    ObjectStores { once: Arc::clone(&store), store, endpoint: url.to_string() }
}

/// `memory:///name` is one store for the whole process, as long as the process lives.
fn named_memory(name: &str) -> Arc<InMemory> {
    static STORES: LazyLock<Mutex<BTreeMap<String, Arc<InMemory>>>> = LazyLock::new(Mutex::default);
    let mut stores = STORES.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(stores.entry(name.to_owned()).or_default())
}

fn open_s3(url: &StorageUrl, bucket: &str, options: &StorageOptions) -> Result<ObjectStores, StorageError> {
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_client_options(client_options(url, options)?)
        // `DeleteObjects` is missing in some stores, and answers 200 to what it refused to delete.
        .with_disable_bulk_delete(true);
    let settings = settings::<AmazonS3ConfigKey>(url, options)?;
    // `AWS_ENDPOINT_URL_S3` would outrank it.
    let own_endpoint = settings.iter().any(|(name, ..)| *name == "endpoint");
    for (name, key, value) in settings {
        if !(own_endpoint && name == "aws_endpoint_url_s3") {
            builder = builder.with_config(key, value);
        }
    }
    let value = |key| builder.get_config_value(&key);
    let region = value(AmazonS3ConfigKey::Region).unwrap_or_else(|| "us-east-1".to_owned());
    let endpoint = value(AmazonS3ConfigKey::S3Endpoint)
        .or_else(|| value(AmazonS3ConfigKey::Endpoint))
        .unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
    let allow_http = value(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    let endpoint = checked(url, endpoint, allow_http.as_deref())?;
    let build = |retry| builder.clone().with_retry(retry).build();
    clients(url, endpoint, |retry| Ok(Arc::new(build(retry)?)))
}

fn open_google(
    url: &StorageUrl,
    bucket: &str,
    options: &StorageOptions,
) -> Result<ObjectStores, StorageError> {
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket)
        .with_client_options(client_options(url, options)?);
    for (_, key, value) in settings::<GoogleConfigKey>(url, options)? {
        builder = builder.with_config(key, value);
    }
    let endpoint = builder
        .get_config_value(&GoogleConfigKey::BaseUrl)
        .unwrap_or_else(|| "https://storage.googleapis.com".to_owned());
    let allow_http = builder.get_config_value(&GoogleConfigKey::Client(ClientConfigKey::AllowHttp));
    let endpoint = checked(url, endpoint, allow_http.as_deref())?;
    let build = |retry| builder.clone().with_retry(retry).build();
    clients(url, endpoint, |retry| Ok(Arc::new(build(retry)?)))
}

fn open_azure(
    url: &StorageUrl,
    container: &str,
    options: &StorageOptions,
) -> Result<ObjectStores, StorageError> {
    let mut builder = MicrosoftAzureBuilder::new()
        .with_container_name(container)
        .with_client_options(client_options(url, options)?);
    let mut emulator = false;
    for (_, key, value) in settings::<AzureConfigKey>(url, options)? {
        match key {
            AzureConfigKey::UseEmulator => emulator = value.eq_ignore_ascii_case("true") || value == "1",
            key => builder = builder.with_config(key, value),
        }
    }
    let account = builder.get_config_value(&AzureConfigKey::AccountName);
    if emulator {
        // Not `with_use_emulator`: it reads the environment for the address.
        let address = options.options.get(AZURITE_URL).map_or("http://127.0.0.1:10000", String::as_str);
        let account = account.clone().unwrap_or_else(|| AZURITE_ACCOUNT.to_owned());
        builder = builder
            .with_endpoint(format!("{}/{account}", address.trim_end_matches('/')))
            .with_account(account)
            .with_allow_http(true);
        if builder.get_config_value(&AzureConfigKey::AccessKey).is_none() {
            builder = builder.with_access_key(AZURITE_KEY);
        }
    }
    let endpoint = builder
        .get_config_value(&AzureConfigKey::Endpoint)
        .unwrap_or_else(|| format!("https://{}.blob.core.windows.net", account.unwrap_or_default()));
    let allow_http = builder.get_config_value(&AzureConfigKey::Client(ClientConfigKey::AllowHttp));
    let endpoint = checked(url, endpoint, allow_http.as_deref())?;
    let build = |retry| builder.clone().with_retry(retry).build();
    clients(url, endpoint, |retry| Ok(Arc::new(build(retry)?)))
}

fn clients(
    url: &StorageUrl,
    endpoint: String,
    build: impl Fn(RetryConfig) -> object_store::Result<Arc<dyn ObjectStore>>,
) -> Result<ObjectStores, StorageError> {
    let with = |max_retries| {
        let retry = RetryConfig { max_retries, retry_timeout: QUICK_RETRY_TIMEOUT, ..RetryConfig::default() };
        build(retry).map_err(|error| refused(url, Answer::of(&error)))
    };
    Ok(ObjectStores { store: with(QUICK_RETRIES)?, once: with(0)?, endpoint })
}

fn client_options(url: &StorageUrl, options: &StorageOptions) -> Result<ClientOptions, StorageError> {
    let mut client =
        ClientOptions::new().with_timeout(options.timeout).with_connect_timeout(options.connect_timeout);
    if let Some(path) = options.options.get(ROOT_CERTIFICATE) {
        let pem = std::fs::read(path).map_err(|source| StorageError::Io {
            what: "open",
            path: path.into(),
            source,
        })?;
        let bad = |_| refused(url, Answer::saying(format!("{path} holds no PEM certificate")));
        let certificates = Certificate::from_pem_bundle(&pem).map_err(bad)?;
        if certificates.is_empty() {
            return Err(refused(url, Answer::saying(format!("{path} holds no PEM certificate"))));
        }
        client = certificates.into_iter().fold(client, ClientOptions::with_root_certificate);
    }
    Ok(client)
}

/// The options that are for a client, in the order in which they are to be set: the short names last.
fn settings<'a, K: FromStr>(
    url: &StorageUrl,
    options: &'a StorageOptions,
) -> Result<Vec<(&'a str, K, &'a str)>, StorageError> {
    let google = matches!(url.place(), Place::Cloud { cloud: Cloud::Google, .. });
    let mut settings = Vec::new();
    for (name, value) in &options.options {
        let spelt = if google && name == "endpoint" { "base_url" } else { name };
        match spelt.parse::<K>() {
            Ok(key) if !is_said_elsewhere(spelt) => settings.push((name.as_str(), key, value.as_str())),
            _ if is_ignorable(name) => {}
            _ => return Err(unknown(url, name)),
        }
    }
    settings.sort_by_key(|(name, ..)| !is_ignorable(name));
    Ok(settings)
}

fn check_all_known(url: &StorageUrl, options: &StorageOptions) -> Result<(), StorageError> {
    options.options.keys().find(|key| !is_ignorable(key)).map_or(Ok(()), |key| Err(unknown(url, key)))
}

fn unknown(url: &StorageUrl, key: &str) -> StorageError {
    StorageError::UnknownOption { key: key.to_owned(), url: url.to_string() }
}

fn refused(url: &StorageUrl, source: Answer) -> StorageError {
    StorageError::Options { url: url.to_string(), source }
}

/// The endpoint as it may be shown, if it may be used.
fn checked(url: &StorageUrl, endpoint: String, allow_http: Option<&str>) -> Result<String, StorageError> {
    let Ok(mut parsed) = url::Url::parse(&endpoint) else {
        return Err(refused(url, Answer::saying("the endpoint is not a URL")));
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        let _ = parsed.set_username("");
        let _ = parsed.set_password(None);
        return Err(refused(
            url,
            Answer::saying(format!("the endpoint {parsed} was given with a user name")),
        ));
    }
    if parsed.scheme() == "http" && allow_http != Some("true") {
        return Err(refused(
            url,
            Answer::saying(format!("{endpoint} is not encrypted and `allow_http` is not set")),
        ));
    }
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::error::Error;

    use super::*;

    fn opened(url: &str, options: &[(&str, &str)]) -> Result<String, String> {
        let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let options = StorageOptions { options, ..StorageOptions::default() };
        open(&url.parse().unwrap(), &options).map(|stores| stores.endpoint).map_err(|error| {
            match error.source() {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            }
        })
    }

    #[test]
    fn what_the_configuration_says_outranks_what_the_environment_says_of_the_whole_cloud() {
        let env = ("aws_endpoint_url_s3", "https://from.env");
        assert_eq!(opened("s3://b", &[env]).unwrap(), "https://from.env");
        assert_eq!(opened("s3://b", &[env, ("endpoint", "https://from.file")]).unwrap(), "https://from.file");
        let regions = [("aws_region", "eu-west-1"), ("region", "eu-west-2")];
        assert_eq!(opened("s3://b", &regions).unwrap(), "https://s3.eu-west-2.amazonaws.com");
        let google = [("endpoint", "https://gcs.example"), ("skip_signature", "true")];
        assert_eq!(opened("gs://b", &google).unwrap(), "https://gcs.example");
    }

    #[test]
    fn options_of_other_clouds_are_ignored_and_unknown_ones_are_named() {
        let foreign = [("aws_region", "x"), ("azure_storage_account_key", "y"), ("google_bearer_token", "z")];
        assert!(opened("s3://b", &foreign).is_ok());
        assert!(opened("memory:///options", &foreign).is_ok());
        insta::assert_snapshot!(opened("s3://b", &[("regoin", "x")]).unwrap_err(), @"`regoin` is not an option of s3://b");
        insta::assert_snapshot!(opened("memory:///x", &[("region", "x")]).unwrap_err(), @"`region` is not an option of memory:///x");
        insta::assert_snapshot!(opened("s3://b", &[("bucket", "c")]).unwrap_err(), @"`bucket` is not an option of s3://b");
    }

    #[test]
    fn an_endpoint_without_encryption_has_to_be_allowed() {
        let endpoint = ("endpoint", "http://127.0.0.1:9000");
        insta::assert_snapshot!(opened("s3://b", &[endpoint]).unwrap_err(),
            @"options of s3://b: http://127.0.0.1:9000 is not encrypted and `allow_http` is not set");
        assert!(opened("s3://b", &[endpoint, ("allow_http", "true")]).is_ok());
    }

    #[test]
    fn half_a_key_pair_and_a_missing_certificate_are_refused_when_opened() {
        insta::assert_snapshot!(opened("s3://b", &[("aws_access_key_id", "a")]).unwrap_err(), @"options of s3://b: Missing SecretAccessKey");
        insta::assert_snapshot!(opened("az://c", &[]).unwrap_err(), @"options of az://c: Account must be specified");
        insta::assert_snapshot!(opened("s3://b", &[("root_certificate", "/nonexistent.pem")]).unwrap_err(),
            @"open /nonexistent.pem: No such file or directory (os error 2)");
    }
}
