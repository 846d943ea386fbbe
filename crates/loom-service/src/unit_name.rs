//! The name of a unit, safe to stand on a command line of `systemctl`.
//!
//! Does not say whether such a unit exists.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ServiceError;

/// The suffixes by which systemd knows the type of a unit (systemd.unit(5)).
const TYPES: [&str; 11] = [
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "slice",
    "scope",
];

/// systemd's `UNIT_NAME_MAX`, bytes with the suffix.
const LONGEST: usize = 255;

/// The full name of one unit, such as `loom.service`.
///
/// Parsing adds `.service` where no unit type is given, as `systemctl` does, and allows only the characters
/// that systemd allows: so no path, no glob pattern (`systemctl stop 'loom*'` stops them all), no option.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitName(Box<str>);

impl UnitName {
    /// The name with its suffix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UnitName {
    type Err = ServiceError;

    fn from_str(text: &str) -> Result<Self, ServiceError> {
        let refuse = |reason| Err(ServiceError::BadUnitName { name: text.to_owned(), reason });
        if text.is_empty() {
            return refuse("it is empty");
        }
        if text.starts_with('-') {
            return refuse("it would be read as an option");
        }
        if text.contains('/') {
            return refuse("a unit is named without its directory");
        }
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c)) {
            return refuse("only ASCII letters, digits and `:-_.\\@` are allowed");
        }
        let name = match text.rsplit_once('.') {
            Some((_, suffix)) if TYPES.contains(&suffix) => text.to_owned(),
            _ => format!("{text}.service"),
        };
        if name.starts_with('.') {
            return refuse("it has a suffix only");
        }
        if name.contains("@.") {
            return refuse("it is a template; name an instance, as in `loom@main.service`");
        }
        if name.len() > LONGEST {
            return refuse("it is longer than 255 bytes");
        }
        Ok(Self(name.into()))
    }
}

impl TryFrom<String> for UnitName {
    type Error = ServiceError;

    fn try_from(text: String) -> Result<Self, ServiceError> {
        text.parse()
    }
}

impl From<UnitName> for String {
    fn from(name: UnitName) -> Self {
        name.0.into()
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn parsed(text: &str) -> String {
        text.parse::<UnitName>().map_or_else(|error| format!("error: {error}"), String::from)
    }

    #[test]
    fn a_name_gets_the_suffix_systemctl_would_give_it() {
        insta::assert_snapshot!(["loom", "loom.service", "loom.target", "loom.v2", "loom@a", r"dev-a\x2db"].map(parsed).join("\n"), @r"
        loom.service
        loom.service
        loom.target
        loom.v2.service
        loom@a.service
        dev-a\x2db.service
        ");
    }

    #[test]
    fn what_could_mean_something_else_to_systemctl_is_refused() {
        insta::assert_snapshot!(["", "-H", "/etc/x.service", "a b", "loom*", "loom@", ".service", "é"].map(parsed).join("\n"), @r"
        error: unit name ``: it is empty
        error: unit name `-H`: it would be read as an option
        error: unit name `/etc/x.service`: a unit is named without its directory
        error: unit name `a b`: only ASCII letters, digits and `:-_.\@` are allowed
        error: unit name `loom*`: only ASCII letters, digits and `:-_.\@` are allowed
        error: unit name `loom@`: it is a template; name an instance, as in `loom@main.service`
        error: unit name `.service`: it has a suffix only
        error: unit name `é`: only ASCII letters, digits and `:-_.\@` are allowed
        ");
    }

    #[test]
    fn a_name_read_from_a_journal_is_checked_too() {
        assert_eq!(serde_json::from_str::<UnitName>("\"loom\"").unwrap().as_str(), "loom.service");
        assert!(serde_json::from_str::<UnitName>("\"--force\"").is_err());
    }
}
