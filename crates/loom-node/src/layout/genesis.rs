//! The chain id in a genesis file, without reading more of it than needed: some are gigabytes.

use std::{fmt, fs::File, io::BufReader, path::Path};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

/// `None` if there is no such file or no chain id in it. Not an error: a node that has started once keeps
/// its genesis in `state.db` and never looks at the file again.
pub(super) fn chain_id(genesis: &Path) -> Option<String> {
    let file = File::open(genesis).ok()?;
    let mut found = None;
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(file));
    let read = ChainId(&mut found).deserialize(&mut json);
    if let (Err(error), None) = (read, &found) {
        tracing::warn!(path = %genesis.display(), %error, "no chain id in the genesis file");
    }
    found
}

struct ChainId<'a>(&'a mut Option<String>);

impl<'de> DeserializeSeed<'de> for ChainId<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ChainId<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a genesis document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "chain_id" {
                *self.0 = Some(map.next_value()?);
                // The only way to stop in the middle of a document.
                return Err(A::Error::custom("found"));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}
