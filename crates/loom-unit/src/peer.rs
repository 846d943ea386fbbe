//! Peers and lists of them, as they stand on a node's command line.
//!
//! Follows Tendermint's p2p/netaddress.go: an optional scheme, the node id, the host, the port. Does not
//! resolve names, and does not know whose id it is.

use std::collections::HashSet;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::UnitError;

/// The hex digits of a node id: 20 bytes.
const ID_DIGITS: usize = 40;

/// A node to connect to: `tcp://<node id>@<host>:<port>`; the scheme may be missing when it is parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Peer {
    id: String,
    host: Host,
    port: u16,
}

/// The host of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address; in brackets when it is written.
    V6(Ipv6Addr),
    /// A name, which the node resolves when it starts.
    Name(String),
}

impl Peer {
    /// The node id: 40 lower-case hex digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The P2P port; never 0.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Why a text is no peer.
type Reason = &'static str;

fn parse(text: &str) -> Result<Peer, Reason> {
    let address = match text.split_once("://") {
        None => text,
        Some(("tcp", address)) => address,
        Some(_) => return Err("the scheme is not tcp"),
    };
    let (id, address) = address.split_once('@').ok_or("the node id is missing")?;
    if id.len() != ID_DIGITS || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("the node id is not 40 hex digits");
    }
    let (host, port) = address.rsplit_once(':').ok_or("the port is missing")?;
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let port =
        port.parse().ok().filter(|port| is_number && *port != 0).ok_or("the port is not 1 to 65535")?;
    Ok(Peer { id: id.to_ascii_lowercase(), host: parse_host(host)?, port })
}

fn parse_host(text: &str) -> Result<Host, Reason> {
    if let Some(rest) = text.strip_prefix('[') {
        let address = rest.strip_suffix(']').and_then(|address| address.parse().ok());
        return address.map(Host::V6).ok_or("the brackets hold no IPv6 address");
    }
    if text.contains(':') {
        return Err("an IPv6 address stands in brackets");
    }
    if let Ok(address) = text.parse() {
        return Ok(Host::V4(address));
    }
    // Digits and dots only would be looked up as a name, which cannot be meant.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if is_number || !is_name || text.starts_with(['-', '.']) {
        return Err("the host is no name and no address");
    }
    Ok(Host::Name(text.to_owned()))
}

impl FromStr for Peer {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = text.trim_matches(' ');
        parse(text).map_err(|reason| UnitError::BadPeer { peer: text.to_owned(), reason })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcp://{}@{}:{}", self.id, self.host, self.port)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => write!(f, "{address}"),
            Self::V6(address) => write!(f, "[{address}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl TryFrom<String> for Peer {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl From<Peer> for String {
    fn from(peer: Peer) -> Self {
        peer.to_string()
    }
}

/// Peers in their order, each node id once: `<peer>,<peer>`. As for the node, empty items are nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Peer>", into = "Vec<Peer>")]
pub struct PeerList(Vec<Peer>);

impl PeerList {
    /// A list of some peers.
    ///
    /// # Errors
    /// [`UnitError::DuplicatePeer`] when a node id comes twice.
    pub fn new(peers: Vec<Peer>) -> Result<Self, UnitError> {
        let mut ids = HashSet::new();
        match peers.iter().find(|peer| !ids.insert(peer.id())) {
            Some(twice) => Err(UnitError::DuplicatePeer { id: twice.id.clone() }),
            None => Ok(Self(peers)),
        }
    }

    /// The peers.
    #[must_use]
    pub fn as_slice(&self) -> &[Peer] {
        &self.0
    }
}

impl FromStr for PeerList {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let items = text.split(',').filter(|item| !item.trim_matches(' ').is_empty());
        Self::new(items.map(str::parse).collect::<Result<_, _>>()?)
    }
}

impl fmt::Display for PeerList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, peer) in self.0.iter().enumerate() {
            write!(f, "{}{peer}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl TryFrom<Vec<Peer>> for PeerList {
    type Error = UnitError;

    fn try_from(peers: Vec<Peer>) -> Result<Self, UnitError> {
        Self::new(peers)
    }
}

impl From<PeerList> for Vec<Peer> {
    fn from(list: PeerList) -> Self {
        list.0
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    const ID: &str = "e728bada822af677b95cb8ff126ca72cc4e3dc74";

    fn shown(texts: &[String]) -> String {
        let show =
            |text: &String| text.parse::<Peer>().map_or_else(|e| e.to_string(), |peer| peer.to_string());
        texts.iter().map(show).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_spelling_of_a_peer_is_read() {
        let upper = ID.to_uppercase();
        insta::assert_snapshot!(shown(&[
            format!("tcp://{ID}@10.6.7.8:26656"),
            format!("  {ID}@seed-1.loom.network:46656 "),
            format!("tcp://{upper}@[2001:db8::1]:1"),
        ]), @r"
        tcp://e728bada822af677b95cb8ff126ca72cc4e3dc74@10.6.7.8:26656
        tcp://e728bada822af677b95cb8ff126ca72cc4e3dc74@seed-1.loom.network:46656
        tcp://e728bada822af677b95cb8ff126ca72cc4e3dc74@[2001:db8::1]:1
        ");
    }

    #[test]
    fn what_is_no_peer_is_refused_with_its_reason() {
        let reason = |text: String| match text.parse::<Peer>() {
            Err(UnitError::BadPeer { reason, .. }) => format!("{text}: {reason}").replace(ID, "ID"),
            other => format!("{text}: {other:?}"),
        };
        let texts = [
            "10.0.0.1:46656".to_owned(),
            "tcp://@10.0.0.1:46656".to_owned(),
            format!("tcp://10.0.0.4@{ID}:46656"),
            format!("http://{ID}@10.0.0.1:46656"),
            format!("{ID}@10.0.0.1"),
            format!("{ID}@10.0.0.1:"),
            format!("{ID}@10.0.0.1:0"),
            format!("{ID}@10.0.0.1:+80"),
            format!("{ID}@10.0.0.1:65536"),
            format!("{ID}@2001:db8::1:46656"),
            format!("{ID}@[10.0.0.1]:46656"),
            format!("{ID}@10.0.0.256:46656"),
            format!("{ID}@:46656"),
            format!("{ID}@a b:46656"),
            format!("{ID}@--x:46656"),
        ];
        insta::assert_snapshot!(texts.map(reason).join("\n"), @r"
        10.0.0.1:46656: the node id is missing
        tcp://@10.0.0.1:46656: the node id is not 40 hex digits
        tcp://10.0.0.4@ID:46656: the node id is not 40 hex digits
        http://ID@10.0.0.1:46656: the scheme is not tcp
        ID@10.0.0.1: the port is missing
        ID@10.0.0.1:: the port is not 1 to 65535
        ID@10.0.0.1:0: the port is not 1 to 65535
        ID@10.0.0.1:+80: the port is not 1 to 65535
        ID@10.0.0.1:65536: the port is not 1 to 65535
        ID@2001:db8::1:46656: an IPv6 address stands in brackets
        ID@[10.0.0.1]:46656: the brackets hold no IPv6 address
        ID@10.0.0.256:46656: the host is no name and no address
        ID@:46656: the host is no name and no address
        ID@a b:46656: the host is no name and no address
        ID@--x:46656: the host is no name and no address
        ");
    }

    #[test]
    fn a_list_keeps_its_order_and_refuses_an_id_twice() {
        let other = ID.replace('e', "f");
        let text = format!("tcp://{ID}@b:2, {other}@a:1,,");
        let list: PeerList = text.parse().unwrap();
        assert_eq!(list.to_string(), format!("tcp://{ID}@b:2,tcp://{other}@a:1"));
        assert_eq!("".parse::<PeerList>().unwrap(), PeerList::default());
        insta::assert_snapshot!(format!("{ID}@a:1,{ID}@b:1").parse::<PeerList>().unwrap_err(), @"the node id e728bada822af677b95cb8ff126ca72cc4e3dc74 stands twice in the peer list");
        insta::assert_snapshot!("tcp://a:1".parse::<PeerList>().unwrap_err(), @"`tcp://a:1` is no peer of the form tcp://<40 hex digits>@<host>:<port>: the node id is missing");
    }

    fn hosts() -> impl Strategy<Value = Host> {
        prop_oneof![
            any::<Ipv4Addr>().prop_map(Host::V4),
            any::<Ipv6Addr>().prop_map(Host::V6),
            "[a-z][a-z0-9.-]{0,20}".prop_map(Host::Name),
        ]
    }

    proptest! {
        #[test]
        fn a_peer_reads_back_as_it_was_written(id in "[0-9a-f]{40}", host in hosts(), port in 1..=u16::MAX) {
            let peer = Peer { id, host, port };
            prop_assert_eq!(peer.to_string().parse(), Ok(peer));
        }

        #[test]
        fn no_text_makes_a_second_word_of_a_command_line(text in ".{0,20}") {
            if let Ok(peer) = format!("{ID}@{text}:1").parse::<Peer>() {
                prop_assert!(!peer.to_string().contains(|c: char| c.is_whitespace() || "\"'\\$%;,".contains(c)));
            }
        }
    }
}
