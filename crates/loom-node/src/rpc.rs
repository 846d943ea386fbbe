//! Asks a running node over its RPC.
//!
//! Only questions that change nothing at the node. No proxy, no redirect, no retry: the node is near, and
//! silence is an answer. RPC opens only after the replay of blocks, so a silent node is not a dead one.

use std::time::Duration;

use reqwest::{Client, redirect::Policy};
use url::Url;

use crate::{NodeError, Status, status};

/// No answer asked for here comes near this many bytes.
const BODY_LIMIT: usize = 1 << 20;

/// One RPC address of one node.
///
/// Ports are shared by default, so another node may answer: compare [`Status::id`] with the node key.
#[derive(Clone, Debug)]
pub struct Rpc {
    client: Client,
    base: Url,
}

impl Rpc {
    /// Prepares to ask `base`: the address below which `status` lies, such as `http://127.0.0.1:46657/` or
    /// `http://127.0.0.1:46658/rpc/`. `timeout` is for each question as a whole.
    ///
    /// # Errors
    /// [`NodeError::RpcAddress`] if it is not http or https; [`NodeError::RpcClient`].
    pub fn new(mut base: Url, timeout: Duration) -> Result<Self, NodeError> {
        let mut client = Client::builder().no_proxy().redirect(Policy::none()).timeout(timeout);
        match base.scheme() {
            // Without this, a machine with no certificates installed could not ask over plain http either.
            "http" => client = client.tls_certs_only([]),
            "https" => {}
            _ => return Err(NodeError::RpcAddress { url: base }),
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let client = client
            .build()
            .map_err(|source| NodeError::RpcClient { url: base.clone(), source: source.without_url() })?;
        Ok(Self { client, base })
    }

    /// The address asked.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// What the node says of itself.
    ///
    /// # Errors
    /// [`NodeError::RpcSilent`], [`NodeError::RpcTooLarge`], [`NodeError::RpcAnswer`].
    pub async fn status(&self) -> Result<Status, NodeError> {
        self.ask("status", Status::parse).await
    }

    /// The height of the application's last commit; `None` before the first.
    ///
    /// # Errors
    /// As for [`Self::status`].
    pub async fn app_height(&self) -> Result<Option<u64>, NodeError> {
        self.ask("abci_info", status::app_height).await
    }

    /// How many peers the node is connected to.
    ///
    /// # Errors
    /// As for [`Self::status`].
    pub async fn peers(&self) -> Result<u64, NodeError> {
        self.ask("net_info", status::peers).await
    }

    async fn ask<T>(&self, what: &str, parse: fn(&[u8]) -> Result<T, NodeError>) -> Result<T, NodeError> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{what}", self.base.path()));
        let silent =
            |source: reqwest::Error| NodeError::RpcSilent { url: url.clone(), source: source.without_url() };
        let mut response = self.client.get(url.clone()).send().await.map_err(silent)?;
        // Whatever its HTTP status: a node's errors come with 500 and a body that says more.
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(silent)? {
            if body.len() + piece.len() > BODY_LIMIT {
                return Err(NodeError::RpcTooLarge { url, limit: BODY_LIMIT });
            }
            body.extend_from_slice(&piece);
        }
        parse(&body).map_err(|source| NodeError::RpcAnswer { url, source: Box::new(source) })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread::{self, JoinHandle},
    };

    use super::*;

    const STATUS: &[u8] = include_bytes!("../../../fixtures/rpc/tendermint-0.27.3-status.json");
    const ABCI_INFO: &[u8] = include_bytes!("../../../fixtures/rpc/tendermint-0.27.3-abci_info.json");
    const NET_INFO: &[u8] = include_bytes!("../../../fixtures/rpc/tendermint-0.27.3-net_info.json");

    /// Answers one question with `answer`, and gives back the line that asked it.
    fn node(head: &'static str, answer: Vec<u8>) -> (Rpc, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/rpc", listener.local_addr().unwrap()).parse().unwrap();
        let answering = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                request.push(byte[0]);
            }
            // The other side may hang up in the middle of an answer that is too long.
            let _ = stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes());
            let _ = stream.write_all(&answer);
            String::from_utf8(request).unwrap().lines().next().unwrap().to_owned()
        });
        (Rpc::new(base, Duration::from_secs(20)).unwrap(), answering)
    }

    #[tokio::test]
    async fn a_node_is_asked_below_its_base() {
        let (rpc, answering) = node("HTTP/1.1 200 OK", STATUS.to_vec());
        assert_eq!(rpc.status().await.unwrap().height, 1976);
        assert_eq!(answering.join().unwrap(), "GET /rpc/status HTTP/1.1");
        let (rpc, answering) = node("HTTP/1.1 200 OK", ABCI_INFO.to_vec());
        assert_eq!(rpc.app_height().await.unwrap(), Some(1979));
        assert_eq!(answering.join().unwrap(), "GET /rpc/abci_info HTTP/1.1");
        let (rpc, answering) = node("HTTP/1.1 200 OK", NET_INFO.to_vec());
        assert_eq!(rpc.peers().await.unwrap(), 0);
        assert_eq!(answering.join().unwrap(), "GET /rpc/net_info HTTP/1.1");
    }

    #[tokio::test]
    async fn an_error_of_the_node_is_told_in_its_words() {
        let error =
            br#"{"jsonrpc":"2.0","id":"","error":{"code":-32603,"message":"Internal error","data":"no"}}"#;
        let (rpc, _) = node("HTTP/1.1 500 Internal Server Error", error.to_vec());
        let Err(NodeError::RpcAnswer { source, .. }) = rpc.status().await else {
            unreachable!("not an answer")
        };
        insta::assert_snapshot!(source, @"the node answered with error -32603: Internal error: no");
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut_off() {
        let (rpc, _) = node("HTTP/1.1 200 OK", vec![b' '; 2 * BODY_LIMIT]);
        assert!(matches!(rpc.status().await, Err(NodeError::RpcTooLarge { limit: BODY_LIMIT, .. })));
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let (rpc, _) = node("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/", Vec::new());
        assert!(matches!(rpc.status().await, Err(NodeError::RpcAnswer { .. })));
    }

    #[tokio::test]
    async fn a_closed_port_is_silence() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let base = format!("http://127.0.0.1:{port}").parse().unwrap();
        let rpc = Rpc::new(base, Duration::from_secs(20)).unwrap();
        assert!(matches!(rpc.status().await, Err(NodeError::RpcSilent { .. })));
    }

    #[tokio::test]
    async fn a_node_that_takes_the_question_and_never_answers_is_silent_after_the_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let rpc = Rpc::new(base, Duration::from_millis(100)).unwrap();
        let Err(NodeError::RpcSilent { source, .. }) = rpc.status().await else { unreachable!("an answer") };
        assert!(source.is_timeout(), "{source}");
    }

    #[test]
    fn only_http_is_spoken() {
        let refused = Rpc::new("tcp://127.0.0.1:46657".parse().unwrap(), Duration::from_secs(1)).unwrap_err();
        insta::assert_snapshot!(refused, @"tcp://127.0.0.1:46657 is not an http or https address");
    }
}
