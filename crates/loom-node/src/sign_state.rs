//! What a validator last signed, in the files of every age: read, compared, carried from one file to
//! another, raised.
//!
//! A file is edited as text: fields keep their order, and what is not the sign state keeps every byte.
//! Nothing is read from or written to disk here, and no key is ever shown. Which state wins is the
//! caller's rule; the order of [`SignState`] is the one by which a node refuses to sign.
//!
//! The files (Tendermint's `privval`):
//!
//! | file | versions | numbers |
//! |---|---|---|
//! | `priv_validator.json` (key and `last_…` state) | to 0.30, Loom | numbers to 0.21; from 0.22 height and round are strings |
//! | `priv_validator_key.json` (key only) | from 0.31 | |
//! | `priv_validator_state.json` (state only) | from 0.31 | height a string; round a string to 0.33, then a number |

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::value::{RawValue, to_raw_value};

use crate::NodeError;

/// The point up to which a validator has signed. The order is by height, then round, then step: the check
/// a node makes before it signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SignState {
    /// Block height.
    pub height: u64,
    /// Consensus round at that height.
    pub round: u64,
    /// 0 nothing yet, 1 proposal, 2 prevote, 3 precommit.
    pub step: u8,
}

impl fmt::Display for SignState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "height {}, round {}, step {}", self.height, self.round, self.step)
    }
}

/// How a state file of its own writes the round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoundForm {
    /// Tendermint 0.31 to 0.33.
    Text,
    /// Tendermint 0.34 and later, `CometBFT`.
    Number,
}

/// The text of a signing file, of any of the three kinds.
#[derive(Clone)]
pub struct SignFile {
    fields: Vec<(String, Box<RawValue>)>,
    names: Option<&'static Names>,
    state: Option<SignState>,
    pretty: bool,
}

/// What the fields of the sign state are called in one kind of file.
#[derive(Debug, PartialEq, Eq)]
struct Names {
    height: &'static str,
    round: &'static str,
    step: &'static str,
    signature: &'static str,
    signbytes: &'static str,
}

/// In `priv_validator.json`, beside the key.
const BESIDE_KEY: Names = Names {
    height: "last_height",
    round: "last_round",
    step: "last_step",
    signature: "last_signature",
    signbytes: "last_signbytes",
};

/// In `priv_validator_state.json`.
const ALONE: Names =
    Names { height: "height", round: "round", step: "step", signature: "signature", signbytes: "signbytes" };

/// The zeroed state file that a node from 0.31 on wants beside a key: without it, it does not start.
///
/// A validator that has signed before needs [`SignFile::with_min_height`] on it.
#[must_use]
pub fn zeroed_state_file(round: RoundForm) -> SignFile {
    let round = match round {
        RoundForm::Text => raw(&"0"),
        RoundForm::Number => raw(&0),
    };
    SignFile {
        fields: vec![
            ("height".to_owned(), raw(&"0")),
            ("round".to_owned(), round),
            ("step".to_owned(), raw(&0)),
        ],
        names: Some(&ALONE),
        state: Some(SignState::default()),
        pretty: true,
    }
}

impl SignFile {
    /// Parses a signing file of any kind and age.
    ///
    /// # Errors
    /// [`NodeError::KeyJson`]; [`NodeError::DuplicateField`]; [`NodeError::NotASignFile`];
    /// [`NodeError::SignField`] if the state is there and not in numbers.
    pub fn parse(text: &[u8]) -> Result<Self, NodeError> {
        // The parser's own message may quote what it did not expect, which may be the key.
        let Fields(fields) = serde_json::from_slice(text).map_err(|fault| NodeError::KeyJson {
            what: "signing file",
            line: fault.line(),
            column: fault.column(),
        })?;
        // Go matches field names whatever their case, and takes the last.
        for (at, (name, _)) in fields.iter().enumerate() {
            if fields[..at].iter().any(|(earlier, _)| earlier.eq_ignore_ascii_case(name)) {
                return Err(NodeError::DuplicateField { field: name.clone() });
            }
        }
        let has = |wanted: &str| fields.iter().any(|(name, _)| name == wanted);
        let names = if has(BESIDE_KEY.height) {
            Some(&BESIDE_KEY)
        } else if has(ALONE.height) {
            Some(&ALONE)
        } else if has("pub_key") || has("priv_key") {
            None
        } else {
            return Err(NodeError::NotASignFile);
        };
        let state = names.map(|names| read_state(&fields, names)).transpose()?;
        Ok(Self { fields, names, state, pretty: text.trim_ascii().contains(&b'\n') })
    }

    /// What was last signed; `None` in a file that holds a key only.
    #[must_use]
    pub fn state(&self) -> Option<SignState> {
        self.state
    }

    /// The validator's address as the file writes it (upper-case hexadecimal).
    #[must_use]
    pub fn address(&self) -> Option<String> {
        serde_json::from_str(self.get("address")?.get()).ok()
    }

    /// Whether a node with this file can sign: it holds a private key, or names one in an HSM (`key_id`).
    #[must_use]
    pub fn has_key(&self) -> bool {
        ["priv_key", "key_id"].iter().any(|name| self.get(name).is_some_and(|value| value.get() != "null"))
    }

    /// This file with the sign state of `other`: the key and everything else of this one, height, round,
    /// step, signature and signed bytes of the other, in the number types of this one.
    ///
    /// A signature in the form of another age is dropped, as this file's node could not read it; the state
    /// without one still guards, the node then refuses to sign that same step again.
    ///
    /// # Errors
    /// [`NodeError::NoSignState`] if either file holds a key only.
    pub fn with_state_of(&self, other: &Self) -> Result<Self, NodeError> {
        let theirs = other.names.ok_or(NodeError::NoSignState)?;
        let state = other.state.ok_or(NodeError::NoSignState)?;
        let ours = self.names.ok_or(NodeError::NoSignState)?;
        let same_age = self.is_text(ours.height) == other.is_text(theirs.height)
            && match (self.get(ours.signature), other.get(theirs.signature)) {
                (Some(own), Some(new)) => own.get().starts_with('{') == new.get().starts_with('{'),
                _ => true,
            };
        let mut file = self.with_numbers(ours, state);
        // In the order a node writes them: signature, then signed bytes, behind the step.
        let mut behind = ours.step;
        for (own, new) in [(ours.signature, theirs.signature), (ours.signbytes, theirs.signbytes)] {
            match other.get(new).filter(|_| same_age) {
                Some(value) => {
                    file.set(own, value.to_owned(), behind);
                    behind = own;
                }
                None => file.remove(own),
            }
        }
        Ok(file)
    }

    /// This file with a sign state of at least `height`, round 0, step 0, and no signature. A state that is
    /// higher already stays as it is: the guard is never lowered.
    ///
    /// The node may still sign *at* `height`, so it must lie above everything signed before.
    ///
    /// # Errors
    /// [`NodeError::NoSignState`] if the file holds a key only.
    pub fn with_min_height(&self, height: u64) -> Result<Self, NodeError> {
        let names = self.names.ok_or(NodeError::NoSignState)?;
        let wanted = SignState { height, round: 0, step: 0 };
        if self.state >= Some(wanted) {
            return Ok(self.clone());
        }
        let mut file = self.with_numbers(names, wanted);
        file.remove(names.signature);
        file.remove(names.signbytes);
        Ok(file)
    }

    /// The text to write: fields in their order, one a line if the file had more than one line.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (open, between, colon, close) =
            if self.pretty { ("{\n  ", ",\n  ", ": ", "\n}") } else { ("{", ",", ":", "}") };
        let fields: Vec<_> =
            self.fields.iter().map(|(name, value)| format!("{}{colon}{value}", raw(name))).collect();
        format!("{open}{}{close}", fields.join(between)).into_bytes()
    }

    fn with_numbers(&self, names: &'static Names, state: SignState) -> Self {
        let mut file = self.clone();
        let text_height = self.is_text(names.height);
        let text_round = self.get(names.round).map_or(text_height, |value| value.get().starts_with('"'));
        let number = |n: u64, text: bool| if text { raw(&n.to_string()) } else { raw(&n) };
        file.set(names.height, number(state.height, text_height), names.height);
        file.set(names.round, number(state.round, text_round), names.height);
        file.set(names.step, number(u64::from(state.step), self.is_text(names.step)), names.round);
        file.state = Some(state);
        file
    }

    fn is_text(&self, field: &str) -> bool {
        self.get(field).is_some_and(|value| value.get().starts_with('"'))
    }

    fn get(&self, field: &str) -> Option<&RawValue> {
        field_of(&self.fields, field)
    }

    /// Sets a field where it is, or else adds it behind the field `behind`.
    fn set(&mut self, field: &str, value: Box<RawValue>, behind: &str) {
        if let Some((_, old)) = self.fields.iter_mut().find(|(name, _)| name == field) {
            *old = value;
        } else {
            let at = self
                .fields
                .iter()
                .position(|(name, _)| name == behind)
                .map_or(self.fields.len(), |at| at + 1);
            self.fields.insert(at, (field.to_owned(), value));
        }
    }

    fn remove(&mut self, field: &str) {
        self.fields.retain(|(name, _)| name != field);
    }
}

impl fmt::Debug for SignFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignFile")
            .field("address", &self.address())
            .field("state", &self.state())
            .field("has_key", &self.has_key())
            .finish_non_exhaustive()
    }
}

fn field_of<'a>(fields: &'a [(String, Box<RawValue>)], field: &str) -> Option<&'a RawValue> {
    fields.iter().find(|(name, _)| name == field).map(|(_, value)| &**value)
}

fn read_state(fields: &[(String, Box<RawValue>)], names: &Names) -> Result<SignState, NodeError> {
    let number = |field: &'static str| {
        // As Go reads it: what is not there is zero.
        let text = field_of(fields, field).map_or("0", RawValue::get);
        let digits = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        match digits.parse::<u64>() {
            // `u64` takes a leading plus, which a node does not.
            Ok(number) if !digits.starts_with('+') => Ok(number),
            _ => Err(NodeError::SignField { field }),
        }
    };
    let step = number(names.step)?;
    Ok(SignState {
        height: number(names.height)?,
        round: number(names.round)?,
        step: u8::try_from(step).map_err(|_| NodeError::SignField { field: names.step })?,
    })
}

fn raw<T: Serialize + ?Sized>(value: &T) -> Box<RawValue> {
    to_raw_value(value).expect("text and numbers are always JSON")
}

/// A JSON object with its fields in order; a map would sort them and hide doubles.
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests;
