//! Object keys that mean the same in every store.
//!
//! Knows nothing of which keys a repository uses.

use std::fmt;
use std::str::FromStr;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::StorageError;

/// The shortest limit of all: S3 takes 1,024 bytes, prefix included.
const MAX_KEY: usize = 900;
/// A file name on local disk (`NAME_MAX`).
const MAX_SEGMENT: usize = 255;

/// The name of an object: segments joined by `/`, relative to the storage's URL.
///
/// A key is refused unless every store takes it as it stands: no leading, trailing or double slash, no
/// `.` or `..`, no control characters, no backslash (Azure makes it a slash), no segment that ends in a dot
/// (Azure drops it) or in `#` and digits (a write in progress on local disk), no segment over 255 bytes, and
/// no more than 900 bytes in all (S3 takes 1,024 with the prefix of the URL).
///
/// ```
/// # use loom_storage::Key;
/// let packs: Key = "node-1/packs".parse()?;
/// assert_eq!(packs.join("ab")?.as_str(), "node-1/packs/ab");
/// assert!("node-1//packs".parse::<Key>().is_err());
/// # Ok::<(), loom_storage::StorageError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

impl Key {
    /// This key with `below` (one or more segments) added at its end.
    ///
    /// # Errors
    /// [`StorageError::InvalidKey`] if the whole is not a key.
    pub fn join(&self, below: &str) -> Result<Self, StorageError> {
        format!("{}/{below}", self.0).parse()
    }

    /// The key as text, as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The key of an object that a listing found, if it is one that this crate could have written.
    pub(crate) fn of_listed(location: &Path, prefix: &Path) -> Option<Self> {
        let below: Path = location.prefix_match(prefix)?.collect();
        below.as_ref().parse().ok()
    }

    /// Where the object is in a store that also has `prefix` in front.
    pub(crate) fn location(&self, prefix: &Path) -> Path {
        // `parse`, not `from`: `from` would percent-encode the name a second time.
        let below = Path::parse(&self.0).expect("a key is a path: both were checked when it was made");
        prefix.parts().chain(below.parts()).collect()
    }
}

impl FromStr for Key {
    type Err = StorageError;

    fn from_str(text: &str) -> Result<Self, StorageError> {
        match fault(text) {
            None => Ok(Self(text.to_owned())),
            Some(reason) => Err(StorageError::InvalidKey { key: text.to_owned(), reason }),
        }
    }
}

/// Why `text` is not a key.
fn fault(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("it is empty");
    }
    if text.len() > MAX_KEY {
        return Some("it is longer than 900 bytes");
    }
    text.split('/').find_map(segment_fault)
}

fn segment_fault(segment: &str) -> Option<&'static str> {
    let unfinished =
        |(_, digits): (&str, &str)| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if segment.is_empty() {
        Some("it has an empty segment (a leading, trailing or double slash)")
    } else if segment == "." || segment == ".." {
        Some("it has a segment `.` or `..`")
    } else if segment.len() > MAX_SEGMENT {
        Some("it has a segment longer than 255 bytes")
    } else if segment.contains(|c: char| c.is_control() || c == '\\') {
        Some("it has a control character or a backslash")
    } else if segment.ends_with('.') {
        Some("it has a segment that ends in a dot")
    } else if segment.split_once('#').is_some_and(unfinished) {
        Some("it has a segment that ends in `#` and digits, like a write in progress on local disk")
    } else {
        None
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Key {
    type Error = StorageError;

    fn try_from(text: String) -> Result<Self, StorageError> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_that_no_store_or_only_some_stores_take_are_refused() {
        for text in [
            "", "/", "/a", "a/", "a//b", ".", "..", "a/./b", "a/../b", "a\nb", "a\0", "a\\b", "a.", "a./b",
            "a#1", "a#22/b",
        ] {
            assert!(text.parse::<Key>().is_err(), "{text:?}");
        }
        assert!("x".repeat(256).parse::<Key>().is_err());
        assert!("x/".repeat(500).trim_end_matches('/').parse::<Key>().is_err());
    }

    #[test]
    fn the_reason_is_in_the_message() {
        insta::assert_snapshot!("a//b".parse::<Key>().unwrap_err(),
            @"`a//b` is not a key: it has an empty segment (a leading, trailing or double slash)");
    }

    #[test]
    fn keys_with_odd_characters_are_taken() {
        for text in
            ["a b", "é", "100%", "a%41", "#", "a#b", "?", "&=", "~", ".hidden", "a..b", "a#1x", "日本"]
        {
            assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn a_key_survives_the_way_to_the_store_and_back(text in "[^/\\\\]{1,40}(/[^/\\\\]{1,40}){0,3}", prefix in "[a-z]{0,5}") {
            if let Ok(key) = text.parse::<Key>() {
                let prefix = Path::from(prefix.as_str());
                prop_assert_eq!(Key::of_listed(&key.location(&prefix), &prefix), Some(key));
            }
        }
    }
}
