//! The P2P key file of a node and the node id that follows from it.
//!
//! Only reads: a key is never made, changed or printed here (`loom nodekey` makes one as a side effect).

use std::{fmt, fs, path::Path, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use ripemd::Ripemd160;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::NodeError;

/// The id of a node among its peers: 20 bytes, as 40 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId(String);

impl NodeId {
    /// The id of an Ed25519 public key. A validator's address is the same bytes, in upper case.
    #[must_use]
    pub fn of_public_key(key: &[u8; 32], scheme: IdScheme) -> Self {
        Self(match scheme {
            IdScheme::Sha256 => hex::encode(&Sha256::digest(key)[..20]),
            // The amino encoding of the key: go-crypto's prefix of PubKeyEd25519, then the length.
            IdScheme::Ripemd160 => {
                let mut hasher = Ripemd160::new();
                hasher.update([0x16, 0x24, 0xDE, 0x62, 0x20]);
                hasher.update(key);
                hex::encode(hasher.finalize())
            }
        })
    }

    /// The 40 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for NodeId {
    type Err = NodeError;

    /// Upper case is refused: nodes compare ids as text, so such a peer would never be accepted.
    fn from_str(text: &str) -> Result<Self, NodeError> {
        if text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NodeError::NodeId { text: text.to_owned() })
        }
    }
}

impl TryFrom<String> for NodeId {
    type Error = NodeError;

    fn try_from(text: String) -> Result<Self, NodeError> {
        text.parse()
    }
}

impl From<NodeId> for String {
    fn from(id: NodeId) -> Self {
        id.0
    }
}

/// How an id follows from a key. A chain upgraded across 0.22 changed all ids with unchanged keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdScheme {
    /// Tendermint 0.22.0 and later: the first 20 bytes of SHA-256 of the public key.
    Sha256,
    /// Tendermint up to 0.21: RIPEMD-160 of the amino-encoded public key.
    Ripemd160,
}

/// The P2P key of a node (`node_key.json`).
pub struct NodeKey {
    key: SigningKey,
    scheme: IdScheme,
}

#[derive(Deserialize)]
struct KeyFile {
    priv_key: TypedKey,
}

#[derive(Deserialize)]
struct TypedKey {
    #[serde(rename = "type")]
    type_name: String,
    value: String,
}

impl NodeKey {
    /// Reads a key file.
    ///
    /// # Errors
    /// [`NodeError::Read`]; [`NodeError::KeyFile`] if it is not a node key.
    pub fn read(path: &Path) -> Result<Self, NodeError> {
        let text =
            fs::read_to_string(path).map_err(|source| NodeError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
            .map_err(|source| NodeError::KeyFile { path: path.to_owned(), source: Box::new(source) })
    }

    /// Parses the text of a key file: `{"priv_key":{"type":…,"value":…}}`, where the value is the base64
    /// of a 32-byte seed and the 32-byte public key.
    ///
    /// # Errors
    /// [`NodeError::KeyJson`], [`NodeError::KeyType`], [`NodeError::KeyLength`], and
    /// [`NodeError::KeyHalves`] if the public key is not the seed's.
    pub fn parse(text: &str) -> Result<Self, NodeError> {
        // The parser's own message may quote the value it did not expect, which is the key.
        let file: KeyFile = serde_json::from_str(text).map_err(|fault| NodeError::KeyJson {
            what: "node key",
            line: fault.line(),
            column: fault.column(),
        })?;
        let scheme = match file.priv_key.type_name.as_str() {
            "tendermint/PrivKeyEd25519" => IdScheme::Sha256,
            // The amino prefix of go-crypto's PrivKeyEd25519, which had no name before 0.22.
            "954568A3288910" => IdScheme::Ripemd160,
            _ => return Err(NodeError::KeyType { type_name: file.priv_key.type_name }),
        };
        let bytes: [u8; 64] = STANDARD
            .decode(file.priv_key.value)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(NodeError::KeyLength)?;
        let key = SigningKey::from_keypair_bytes(&bytes).map_err(|_| NodeError::KeyHalves)?;
        Ok(Self { key, scheme })
    }

    /// The id under `scheme`.
    #[must_use]
    pub fn id(&self, scheme: IdScheme) -> NodeId {
        NodeId::of_public_key(self.key.verifying_key().as_bytes(), scheme)
    }

    /// The id under the scheme of the version that wrote the file. A node upgraded across 0.22 keeps the
    /// old file and has the new id: where the node can be asked, its answer decides.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.id(self.scheme)
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeKey").field("id", &self.node_id()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// RFC 8032, test 1.
    const RFC_8032: &str = r#"{"priv_key":{"type":"tendermint/PrivKeyEd25519","value":"nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg=="}}"#;

    /// The public key of `test/p2p/data/mach1` in tendermint/tendermint, which v0.19.0 and v0.22.8 hold each
    /// with the address its version gave it.
    const MACH1: &str = "vokz3/FgDAJuNHGPF4Wkzeq5DDVpizlOOLaUeukd4RY=";

    fn key(type_name: &str, value: &str) -> String {
        format!(r#"{{"priv_key":{{"type":"{type_name}","value":"{value}"}}}}"#)
    }

    #[test]
    fn the_id_is_the_one_nodes_of_its_time_gave_it() {
        let id = |text: &str| NodeKey::parse(text).unwrap().node_id().to_string();
        assert_eq!(id(RFC_8032), "21fe31dfa154a261626bf854046fd2271b7bed4b");
        let mach1 = STANDARD.decode(MACH1).unwrap().try_into().unwrap();
        let id = |scheme| NodeId::of_public_key(&mach1, scheme).to_string();
        assert_eq!(id(IdScheme::Sha256), "ae47bbd4b3acd80bfe17f6e0c66c5b8492a81ae4");
        assert_eq!(id(IdScheme::Ripemd160), "7e9d1fb08edbafcf116638d4c8fafaee2abe1aaa");
    }

    #[test]
    fn the_name_of_the_key_type_tells_the_scheme() {
        let old = NodeKey::parse(&RFC_8032.replace("tendermint/PrivKeyEd25519", "954568A3288910")).unwrap();
        assert_eq!(old.node_id(), old.id(IdScheme::Ripemd160));
        assert_eq!(old.id(IdScheme::Sha256), NodeKey::parse(RFC_8032).unwrap().node_id());
        assert_ne!(old.node_id(), old.id(IdScheme::Sha256));
    }

    #[test]
    fn the_key_of_the_fixture_node_gives_the_id_it_answered_with() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
        let status = fs::read(root.join("rpc/tendermint-0.27.3-status.json")).unwrap();
        let key = NodeKey::read(&root.join("loom-home/chaindata/config/node_key.json")).unwrap();
        assert_eq!(Some(key.node_id()), crate::Status::parse(&status).unwrap().id);
    }

    #[test]
    fn debug_shows_the_id_and_not_the_key() {
        insta::assert_snapshot!(format!("{:?}", NodeKey::parse(RFC_8032).unwrap()),
            @r#"NodeKey { id: NodeId("21fe31dfa154a261626bf854046fd2271b7bed4b"), .. }"#);
    }

    #[test]
    fn what_is_no_node_key_is_refused_without_quoting_it() {
        let refusal = |text: &str| NodeKey::parse(text).unwrap_err().to_string();
        insta::assert_snapshot!(refusal(r#"{"priv_key":"c2VjcmV0"}"#), @"no valid JSON of a node key at line 1, column 22");
        insta::assert_snapshot!(refusal(""), @"no valid JSON of a node key at line 1, column 0");
        insta::assert_snapshot!(refusal(&key("tendermint/PrivKeySecp256k1", "c2VjcmV0")),
            @"node key of unknown type `tendermint/PrivKeySecp256k1`");
        insta::assert_snapshot!(refusal(&key("tendermint/PrivKeyEd25519", "c2VjcmV0")),
            @"the node key is not 64 bytes in base64");
        let swapped = RFC_8032.replace("nWGx", "nWGy");
        insta::assert_snapshot!(refusal(&swapped), @"the two halves of the node key do not belong together");
    }

    #[test]
    fn a_node_id_is_40_lower_case_hexadecimal_digits() {
        let id = "21fe31dfa154a261626bf854046fd2271b7bed4b";
        assert_eq!(id.parse::<NodeId>().unwrap().to_string(), id);
        assert_eq!(serde_json::to_string(&id.parse::<NodeId>().unwrap()).unwrap(), format!("\"{id}\""));
        for bad in ["", &id[1..], &id.to_uppercase(), &format!("{id}0"), &id.replace('2', "g")] {
            assert!(bad.parse::<NodeId>().is_err(), "{bad}");
            assert!(serde_json::from_str::<NodeId>(&format!("\"{bad}\"")).is_err(), "{bad}");
        }
    }
}
