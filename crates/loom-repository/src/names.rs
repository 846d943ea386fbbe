//! Names of nodes and of backups.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A text that is no name of a node or of a backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct ParseNameError {
    text: String,
    expected: &'static str,
}

macro_rules! serde_as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

/// A node's name in a repository: 1 to 64 letters, digits, `.`, `_` and `-`, the first a letter or a digit.
///
/// The first segment of the keys of all that is the node's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(String);

impl NodeName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for NodeName {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, ParseNameError> {
        let letter = |b: u8| b.is_ascii_alphanumeric();
        let good = text.len() <= 64
            && text.bytes().next().is_some_and(letter)
            && text.bytes().all(|b| letter(b) || b"._-".contains(&b));
        if good {
            Ok(Self(text.to_owned()))
        } else {
            let expected = "a node's name (1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or digit)";
            Err(ParseNameError { text: text.to_owned(), expected })
        }
    }
}

serde_as_text!(NodeName);

/// A backup's name: `<UTC>-h<height>-<hash>`, as in `20261122T221355Z-h1979-0123456789abcdef0123456789abcdef`.
///
/// The hash is that of the manifest's stored bytes, so the name says what content is meant. Names sort by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupId {
    /// When the backup was published, in whole seconds.
    pub created: Timestamp,
    /// The node's height, where it could be learned; `hx` in the name where not.
    pub height: Option<u64>,
    /// The first 16 bytes of the BLAKE3 of the manifest's stored bytes, as 32 hex digits.
    pub hash: String,
}

const TIME: &str = "%Y%m%dT%H%M%SZ";

impl BackupId {
    /// The name of the manifest with these stored bytes.
    #[must_use]
    pub fn of(created: Timestamp, height: Option<u64>, stored: &[u8]) -> Self {
        Self { created, height, hash: blake3::hash(stored).to_hex()[..32].to_owned() }
    }

    /// Whether these are the bytes that the name promises.
    #[must_use]
    pub fn names(&self, stored: &[u8]) -> bool {
        blake3::hash(stored).to_hex()[..32] == self.hash
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-h", self.created.strftime(TIME))?;
        match self.height {
            Some(height) => write!(f, "{height}")?,
            None => f.write_str("x")?,
        }
        write!(f, "-{}", self.hash)
    }
}

impl FromStr for BackupId {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, ParseNameError> {
        let parse = || {
            let mut parts = text.split('-');
            let (time, height, hash) = (parts.next()?, parts.next()?.strip_prefix('h')?, parts.next()?);
            let civil = jiff::civil::DateTime::strptime(TIME, time).ok()?;
            let created = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
            let height = if height == "x" { None } else { Some(height.parse().ok()?) };
            let hex = hash.len() == 32 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            let id = Self { created, height, hash: hash.to_owned() };
            // The spelling must be the only one: `h007` or a fourth part is not ours.
            (hex && id.to_string() == text).then_some(id)
        };
        let expected = "a backup's id (such as 20261122T221355Z-h1979- and 32 hex digits)";
        parse().ok_or_else(|| ParseNameError { text: text.to_owned(), expected })
    }
}

serde_as_text!(BackupId);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_backup_id_has_one_spelling_and_sorts_by_time() {
        let id = "20261122T221355Z-h1979-0123456789abcdef0123456789abcdef";
        let parsed: BackupId = id.parse().unwrap();
        assert_eq!((parsed.to_string().as_str(), parsed.height), (id, Some(1979)));
        assert_eq!(id.replace("h1979", "hx").parse::<BackupId>().unwrap().height, None);
        for wrong in [
            "",
            "latest",
            "20261122T221355Z-h01979-0123456789abcdef0123456789abcdef",
            "20261122T221355Z-h1979-0123456789ABCDEF0123456789abcdef",
            "20261132T221355Z-h1979-0123456789abcdef0123456789abcdef",
            "20261122T221355Z-h1979-0123456789abcdef0123456789abcdef-x",
            "20261122T221355Z-h-1-0123456789abcdef0123456789abcdef",
        ] {
            assert!(wrong.parse::<BackupId>().is_err(), "{wrong}");
        }
        let later: BackupId = id.replace("2026", "2027").replace("h1979", "h5").parse().unwrap();
        assert!(later > parsed);
    }

    #[test]
    fn a_nodes_name_cannot_leave_its_place_among_the_keys() {
        for good in ["n1", "validator-3.example.com", "A_b"] {
            assert_eq!(good.parse::<NodeName>().unwrap().as_str(), good);
        }
        for wrong in ["", ".", "..", "a/b", "-n", "a b", "\u{e9}", &"a".repeat(65)] {
            assert!(wrong.parse::<NodeName>().is_err(), "{wrong:?}");
        }
    }
}
