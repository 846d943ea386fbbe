//! What kind of thing an entry is, which decides what a restore may do with it.
//!
//! It does not decide: that is the runbook's.

use std::{fmt, path::Path, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::NodeError;

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Blocks, state, the application's stores, the consensus WAL.
    Data,
    /// What a person or `init` wrote: configuration, genesis, plugins. May hold passwords.
    Config,
    /// What makes the node this node among its peers: the node key; account keyrings.
    Identity,
    /// A validator's key and what it last signed: two copies in use sign twice.
    Signing,
}

impl Class {
    /// Every class, in the order of [`Class`].
    pub const ALL: [Self; 4] = [Self::Data, Self::Config, Self::Identity, Self::Signing];

    const fn word(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Config => "config",
            Self::Identity => "identity",
            Self::Signing => "signing",
        }
    }

    /// The class of what nodes and people call by a name that says it, wherever it lies: a key beside the
    /// keys (`priv_validator_key.json.bak`) is a key.
    pub(crate) fn of_name(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        if name.starts_with("priv_validator") {
            Some(Self::Signing)
        } else if name.starts_with("node_key") || name.starts_with("keyring-") {
            Some(Self::Identity)
        } else {
            None
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Class {
    type Err = NodeError;

    fn from_str(word: &str) -> Result<Self, NodeError> {
        Self::ALL.into_iter().find(|class| class.word() == word).ok_or_else(|| NodeError::UnknownWord {
            what: "class",
            word: word.to_owned(),
            expected: "data, config, identity or signing",
        })
    }
}

/// Some of the four classes. As text, a comma list: `data,config`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ClassSet(u8);

impl ClassSet {
    /// All four.
    pub const ALL: Self = Self(0b1111);

    /// None.
    #[must_use]
    pub const fn empty() -> Self {
        Self(0)
    }

    /// Whether `class` is one of them.
    #[must_use]
    pub const fn contains(self, class: Class) -> bool {
        self.0 & class.bit() != 0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds `class`; adding one that is there changes nothing.
    pub const fn insert(&mut self, class: Class) {
        self.0 |= class.bit();
    }

    /// Takes `class` away; taking one that is not there changes nothing.
    pub const fn remove(&mut self, class: Class) {
        self.0 &= !class.bit();
    }

    /// Whether every class of `other` is one of these.
    #[must_use]
    pub const fn is_superset(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The classes in the order of [`Class`].
    pub fn iter(self) -> impl Iterator<Item = Class> {
        Class::ALL.into_iter().filter(move |class| self.contains(*class))
    }
}

impl FromIterator<Class> for ClassSet {
    fn from_iter<I: IntoIterator<Item = Class>>(classes: I) -> Self {
        let mut set = Self::empty();
        for class in classes {
            set.insert(class);
        }
        set
    }
}

impl fmt::Display for ClassSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(Class::word).collect();
        f.pad(&words.join(","))
    }
}

impl fmt::Debug for ClassSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl FromStr for ClassSet {
    type Err = NodeError;

    /// An empty list is refused: a backup or restore of nothing is a mistake.
    fn from_str(list: &str) -> Result<Self, NodeError> {
        list.split(',').map(|word| word.trim().parse::<Class>()).collect()
    }
}

impl Serialize for ClassSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for ClassSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Class>::deserialize(deserializer).map(Self::from_iter)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_list_of_classes_reads_back_as_printed() {
        for bits in 1..=ClassSet::ALL.0 {
            let set = ClassSet(bits);
            assert_eq!(set.to_string().parse::<ClassSet>().unwrap(), set);
            let json = serde_json::to_string(&set).unwrap();
            assert_eq!(serde_json::from_str::<ClassSet>(&json).unwrap(), set);
        }
        assert_eq!(ClassSet::ALL.to_string(), "data,config,identity,signing");
        assert_eq!(
            serde_json::to_string(&ClassSet::ALL).unwrap(),
            r#"["data","config","identity","signing"]"#
        );
        assert_eq!(" signing, data".parse::<ClassSet>().unwrap().to_string(), "data,signing");
    }

    #[test]
    fn an_unknown_or_missing_class_is_refused_with_the_valid_words() {
        insta::assert_snapshot!("data,keys".parse::<ClassSet>().unwrap_err(),
            @"unknown class `keys`: expected data, config, identity or signing");
        insta::assert_snapshot!("".parse::<ClassSet>().unwrap_err(),
            @"unknown class ``: expected data, config, identity or signing");
    }
}
