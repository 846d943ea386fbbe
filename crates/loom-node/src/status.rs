//! What a node says of itself, in the words of every version of Tendermint and `CometBFT`.
//!
//! Only parses. Whether the node is well is for the caller to judge, from more than one answer: a stuck
//! node answers too, and says `catching_up: false`.

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

use crate::{NodeError, NodeId};

/// The answer to `/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The node's id; versions before 0.16 do not say it.
    pub id: Option<NodeId>,
    /// The chain id.
    pub network: String,
    /// The version of Tendermint or `CometBFT`, not of the application.
    pub version: String,
    /// The operator's name for the node.
    pub moniker: String,
    /// Height of the latest block; 0 before the first.
    pub height: u64,
    /// Time of the latest block as RFC 3339; `None` before the first block, and from versions up to 0.18,
    /// which give a count of nanoseconds.
    pub latest_block_time: Option<String>,
    /// Whether the node is catching up by fast sync. Not a measure of health.
    pub catching_up: bool,
    /// More than 0 marks a validator of the current set, and every sentry of a remote signer.
    pub voting_power: u64,
    /// Address of the node's own validator key (upper-case hexadecimal), in the set or not.
    pub validator_address: Option<String>,
}

impl Status {
    /// Parses the answer to `/status` of any version.
    ///
    /// # Errors
    /// [`NodeError::Refused`] if it is an error, [`NodeError::Answer`] if it is no such answer.
    pub fn parse(answer: &[u8]) -> Result<Self, NodeError> {
        let WireStatus { node_info, sync_info, flat, validator_info } = result(answer)?;
        // Up to 0.18 the fields of `sync_info` lie in `result` itself.
        let sync = sync_info.unwrap_or(flat);
        let height = sync.latest_block_height.ok_or_else(|| NodeError::Answer {
            source: serde::de::Error::missing_field("latest_block_height"),
        })?;
        let validator = validator_info.unwrap_or_default();
        Ok(Self {
            id: node_info.id,
            network: node_info.network,
            version: node_info.version,
            moniker: node_info.moniker,
            height: height.0,
            latest_block_time: match sync.latest_block_time {
                // Go's zero time, or the zero of Unix: there is no block yet.
                Some(Time::Text(t)) if !t.starts_with("0001-") && !t.starts_with("1970-") => Some(t),
                _ => None,
            },
            catching_up: sync.catching_up,
            voting_power: validator.voting_power.map_or(0, |power| power.0),
            validator_address: validator.address.filter(|address| !address.is_empty()),
        })
    }
}

/// The application's height in an answer to `/abci_info`; `None` where it is left out, which is how nodes
/// write 0.
pub(crate) fn app_height(answer: &[u8]) -> Result<Option<u64>, NodeError> {
    #[derive(Deserialize)]
    struct Wire {
        response: Response,
    }
    #[derive(Deserialize)]
    struct Response {
        last_block_height: Option<Number>,
    }
    let wire: Wire = result(answer)?;
    Ok(wire.response.last_block_height.map(|height| height.0))
}

/// How many peers an answer to `/net_info` counts.
pub(crate) fn peers(answer: &[u8]) -> Result<u64, NodeError> {
    #[derive(Deserialize)]
    struct Wire {
        n_peers: Option<Number>,
        #[serde(default, deserialize_with = "null_is_default")]
        peers: Vec<serde::de::IgnoredAny>,
    }
    let wire: Wire = result(answer)?;
    Ok(wire.n_peers.map_or(wire.peers.len() as u64, |count| count.0))
}

#[derive(Deserialize)]
struct WireStatus {
    node_info: NodeInfo,
    sync_info: Option<SyncInfo>,
    #[serde(flatten)]
    flat: SyncInfo,
    validator_info: Option<ValidatorInfo>,
}

#[derive(Deserialize)]
struct NodeInfo {
    id: Option<NodeId>,
    #[serde(default)]
    network: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    moniker: String,
}

#[derive(Deserialize)]
struct SyncInfo {
    latest_block_height: Option<Number>,
    latest_block_time: Option<Time>,
    /// `syncing` up to 0.21.
    #[serde(default, alias = "syncing")]
    catching_up: bool,
}

#[derive(Default, Deserialize)]
struct ValidatorInfo {
    address: Option<String>,
    voting_power: Option<Number>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Time {
    Text(String),
    Nanoseconds(#[expect(dead_code, reason = "only told apart from text")] i64),
}

/// A whole number, written as one or (from 0.22 on) as a string.
#[derive(Deserialize)]
#[serde(try_from = "NumberOrText")]
struct Number(u64);

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(u64),
    Text(String),
}

impl TryFrom<NumberOrText> for Number {
    type Error = std::num::ParseIntError;

    fn try_from(wire: NumberOrText) -> Result<Self, Self::Error> {
        match wire {
            NumberOrText::Number(number) => Ok(Self(number)),
            NumberOrText::Text(text) => text.parse().map(Self),
        }
    }
}

fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(wire: D) -> Result<T, D::Error> {
    Option::deserialize(wire).map(Option::unwrap_or_default)
}

/// Opens the JSON-RPC envelope.
fn result<T: DeserializeOwned>(answer: &[u8]) -> Result<T, NodeError> {
    #[derive(Deserialize)]
    struct Envelope {
        result: Option<serde_json::Value>,
        error: Option<Fault>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Fault {
        Told { code: i64, message: String, data: Option<serde_json::Value> },
        // Up to 0.17 the error is a mere text, and empty where there is none.
        Text(String),
    }
    let envelope: Envelope = serde_json::from_slice(answer).map_err(|source| NodeError::Answer { source })?;
    match envelope.error {
        Some(Fault::Told { code, message, data }) => {
            let message = match data {
                Some(serde_json::Value::String(data)) if !data.is_empty() => format!("{message}: {data}"),
                _ => message,
            };
            return Err(NodeError::Refused { code, message });
        }
        Some(Fault::Text(message)) if !message.is_empty() => {
            return Err(NodeError::Refused { code: 0, message });
        }
        _ => {}
    }
    let result = envelope
        .result
        .ok_or_else(|| NodeError::Answer { source: serde::de::Error::missing_field("result") })?;
    serde_json::from_value(result).map_err(|source| NodeError::Answer { source })
}

#[cfg(test)]
mod tests;
