//! What a store answered when it failed: its status, its code, its own words; without what `object_store`
//! wraps around them.
//!
//! `object_store` prints each source inside the text of its wrapper and does not let one name its request
//! errors (`client::retry` is private), so the chain is walked down to the innermost link and the one text
//! form that holds the server's answer is read. Only the code and the message of the answer are kept: S3
//! puts the access key and the string it signed into the same body.

use std::error::Error;
use std::fmt;
use std::io;

use object_store::client::{HttpError, HttpErrorKind};

/// How `object_store` 0.14 (`client::retry::RequestError`) begins the text of an answer that is no success.
const STATUS: &str = "Server returned non-2xx status code: ";
const ERROR_BODY: &str = "Server returned error response: ";
const BARE_REDIRECT: &str = "Received redirect without LOCATION";
/// Where `object_store` looks for credentials when it was given none.
const METADATA_HOSTS: [&str; 4] =
    ["169.254.169.254", "169.254.170.2", "metadata.google.internal", "http://metadata/"];
/// A proxy may answer with a page.
const MAX_MESSAGE: usize = 300;

/// The innermost reason of a failure: what the server said, or what the network did.
///
/// The end of a chain of errors. Holds neither keys nor signatures.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    pub(crate) transport: Option<HttpErrorKind>,
    pub(crate) redirect: bool,
    pub(crate) asked_for_credentials: bool,
    text: String,
}

impl Answer {
    /// The HTTP status, if the server answered.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The server's own code, such as `SignatureDoesNotMatch`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// An answer in our own words.
    pub(crate) fn saying(text: impl Into<String>) -> Self {
        Self {
            status: None,
            code: None,
            transport: None,
            redirect: false,
            asked_for_credentials: false,
            text: text.into(),
        }
    }

    pub(crate) fn of(error: &object_store::Error) -> Self {
        let texts: Vec<String> = links(error).map(ToString::to_string).collect();
        let mut answer = Self::saying(texts.last().cloned().unwrap_or_default());
        // `Error performing GET http://169.254.169.254/… `: the outer text names the address.
        answer.asked_for_credentials =
            texts.iter().any(|text| METADATA_HOSTS.iter().any(|host| text.contains(host)));
        answer.redirect = texts.iter().any(|text| text.starts_with(BARE_REDIRECT));
        if let Some(http) = links(error).find_map(|link| link.downcast_ref::<HttpError>()) {
            answer.transport = Some(http.kind());
            // Of the client's errors each prints itself only.
            answer.text = joined(links(http).skip(1));
        } else if let Some(rest) = texts.iter().find_map(|text| text.strip_prefix(STATUS)) {
            let (status, body) = rest.split_once(": ").unwrap_or((rest, ""));
            answer.status = status.get(..3).and_then(|digits| digits.parse().ok());
            answer.read(status, body);
        } else if let Some(body) = texts.iter().find_map(|text| text.strip_prefix(ERROR_BODY)) {
            answer.read("error in a 200 answer", body);
        } else if let Some((_, code)) = answer.text.rsplit_once("(code: ") {
            // One part of Azure's answer to a batch of deletions.
            answer.status = code.strip_suffix(')').and_then(|digits| digits.parse().ok());
        }
        answer
    }

    fn read(&mut self, status: &str, body: &str) {
        let (code, message) = code_and_message(body);
        self.text = match (&code, &message) {
            (Some(code), Some(message)) => format!("{status}, {code}: {message}"),
            (Some(one), None) | (None, Some(one)) => format!("{status}, {one}"),
            (None, None) => status.to_owned(),
        };
        self.code = code;
    }

    pub(crate) fn has_code(&self, codes: &[&str]) -> bool {
        self.code().is_some_and(|code| codes.contains(&code))
    }

    /// Whether a range was asked for that begins behind the object's end.
    pub(crate) fn is_beyond_the_end(&self) -> bool {
        // Without a server it is `object_store::util::InvalidGetRange` (a private type) that says so.
        self.status == Some(416) || self.says("Wanted range starting at")
    }

    pub(crate) fn says(&self, words: &str) -> bool {
        self.text.contains(words)
    }
}

/// The operating system's error at the bottom of `error`, if it came from a local disk.
pub(crate) fn io_error(error: &object_store::Error) -> Option<io::Error> {
    let link = links(error).filter_map(|link| link.downcast_ref::<io::Error>()).last()?;
    // io::Error is not Clone: what can be kept is the number, or the kind and the text.
    Some(match link.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::new(link.kind(), link.to_string()),
    })
}

fn links<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |link: &&'a (dyn Error + 'static)| (*link).source())
}

/// The texts of a chain of errors, each once.
fn joined<'a>(links: impl Iterator<Item = &'a (dyn Error + 'static)>) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in links.map(ToString::to_string) {
        if !texts.iter().any(|before| before.contains(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}

/// Reads `<Code>` and `<Message>` (S3, Google, Azure) or the JSON of Google's API and token services.
fn code_and_message(body: &str) -> (Option<String>, Option<String>) {
    if let Some(message) = element(body, "Message") {
        return (element(body, "Code"), Some(message));
    }
    if body.trim_start().starts_with('{') {
        let message = json_text(body, "message").or_else(|| json_text(body, "error_description"));
        return (json_text(body, "error").or_else(|| json_text(body, "status")), message);
    }
    let page = body.trim_start().starts_with('<');
    (element(body, "Code"), if page { None } else { first_line(body) })
}

fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    first_line(
        &entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character)),
    )
}

/// The text under `name`, at any depth: enough for an error body, which is a few fields.
fn json_text(json: &str, name: &str) -> Option<String> {
    let (_, rest) = json.split_once(&format!("\"{name}\""))?;
    let (text, _) = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?.split_once('"')?;
    first_line(text)
}

/// Azure adds a request id and a time on lines of their own.
fn first_line(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect())
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({:?})", self.text)
    }
}

impl Error for Answer {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_and_the_message_are_read_from_each_clouds_body() {
        for (body, code, message) in [
            (
                "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>The &quot;signature&quot; differs.</Message><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>",
                Some("SignatureDoesNotMatch"),
                Some("The \"signature\" differs."),
            ),
            (
                "\u{feff}<Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate.\nRequestId:1\nTime:2</Message></Error>",
                Some("AuthenticationFailed"),
                Some("Server failed to authenticate."),
            ),
            (
                r#"{"error": "invalid_grant", "error_description": "Invalid JWT"}"#,
                Some("invalid_grant"),
                Some("Invalid JWT"),
            ),
            (r#"{"error": {"code": 403, "message": "no"}}"#, None, Some("no")),
            ("<html><body>502</body></html>", None, None),
            ("upstream is down\n", None, Some("upstream is down")),
            ("", None, None),
        ] {
            let read = code_and_message(body);
            assert_eq!((read.0.as_deref(), read.1.as_deref()), (code, message), "{body}");
        }
    }
}
