//! How names that are bytes stand in JSON, which holds text only.
//!
//! A name that is UTF-8 stands as `"path"`; any other as `"path_base64"`. There is never both, so each name has one spelling.

use base64::{Engine, engine::general_purpose::STANDARD};

/// A name as text where it is text, as base64 where it is not.
pub(crate) fn spell(bytes: &[u8]) -> (Option<String>, Option<String>) {
    match str::from_utf8(bytes) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(STANDARD.encode(bytes))),
    }
}

/// The bytes of a name from its spelling.
pub(crate) fn read(text: Option<String>, base64: Option<&str>) -> Result<Vec<u8>, &'static str> {
    match (text, base64) {
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(base64)) => STANDARD.decode(base64).map_err(|_| "a name is not in base64"),
        (None, None) => Err("a name is missing"),
        (Some(_), Some(_)) => Err("a name is spelled twice"),
    }
}
