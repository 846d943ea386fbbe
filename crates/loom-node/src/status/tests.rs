//! Answers of every age; the ones of 0.27.3 are a real node's.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

const STATUS: &[u8] = include_bytes!("../../../../fixtures/rpc/tendermint-0.27.3-status.json");
const ABCI_INFO: &[u8] = include_bytes!("../../../../fixtures/rpc/tendermint-0.27.3-abci_info.json");
const NET_INFO: &[u8] = include_bytes!("../../../../fixtures/rpc/tendermint-0.27.3-net_info.json");

const NODE_INFO_0_18: &str = r#""node_info":{"id":"7e9d1fb08edbafcf116638d4c8fafaee2abe1aaa","listen_addr":"10.0.0.1:46656","network":"c","version":"0.18.0","channels":"40","moniker":"m","other":["amino_version=0.9.9"]}"#;

fn check(answer: &str) -> String {
    match Status::parse(answer.as_bytes()) {
        Ok(status) => serde_json::to_string(&status).unwrap(),
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(" <- {cause}")).unwrap_or_default();
            format!("{error}{cause}")
        }
    }
}

#[test]
fn the_status_of_a_real_node_is_read() {
    insta::assert_debug_snapshot!(Status::parse(STATUS).unwrap(), @r#"
    Status {
        id: Some(
            NodeId(
                "bb396103c9060e51c20af8165ec7e5188e6979cf",
            ),
        ),
        network: "test-chain-ThdAYD",
        version: "0.27.3",
        moniker: "vm",
        height: 1976,
        latest_block_time: Some(
            "2026-11-22T22:00:33.995864191Z",
        ),
        catching_up: false,
        voting_power: 10,
        validator_address: Some(
            "E15D65F314724FB807F0A13A511A4251F21BD0A6",
        ),
    }
    "#);
    assert_eq!(app_height(ABCI_INFO).unwrap(), Some(1979));
    assert_eq!(peers(NET_INFO).unwrap(), 0);
}

#[test]
fn the_answers_of_a_real_cometbft_node_are_read() {
    let status = Status::parse(include_bytes!("../../../../fixtures/rpc/cometbft-0.38-status.json")).unwrap();
    assert!(status.id.is_some() && status.latest_block_time.is_some());
    assert!(status.version.starts_with("0.38."), "{}", status.version);
    assert!(status.height > 0 && status.voting_power > 0);
    let app = app_height(include_bytes!("../../../../fixtures/rpc/cometbft-0.38-abci_info.json")).unwrap();
    assert!(app.is_some_and(|app| app.abs_diff(status.height) < 10), "{app:?}");
    assert_eq!(peers(include_bytes!("../../../../fixtures/rpc/cometbft-0.38-net_info.json")).unwrap(), 0);
}

#[test]
fn a_status_of_any_version_is_read() {
    // 0.18: flat, numbers, `syncing`.
    insta::assert_snapshot!(check(&format!(r#"{{"jsonrpc":"2.0","id":"","result":{{{NODE_INFO_0_18},"pub_key":{{"type":"AC26791624DE60","value":"x"}},"latest_block_hash":"AA","latest_app_hash":"","latest_block_height":5,"latest_block_time":1524154000000000000,"syncing":true}}}}"#)), @r#"{"id":"7e9d1fb08edbafcf116638d4c8fafaee2abe1aaa","network":"c","version":"0.18.0","moniker":"m","height":5,"latest_block_time":null,"catching_up":true,"voting_power":0,"validator_address":null}"#);
    // 0.20: `sync_info`, numbers, `syncing`.
    insta::assert_snapshot!(check(&format!(r#"{{"jsonrpc":"2.0","id":"","result":{{{NODE_INFO_0_18},"sync_info":{{"latest_block_height":6,"latest_block_time":"2018-06-01T00:00:00Z","syncing":true}},"validator_info":{{"address":"AB","pub_key":{{}},"voting_power":10}}}}}}"#)), @r#"{"id":"7e9d1fb08edbafcf116638d4c8fafaee2abe1aaa","network":"c","version":"0.18.0","moniker":"m","height":6,"latest_block_time":"2018-06-01T00:00:00Z","catching_up":true,"voting_power":10,"validator_address":"AB"}"#);
    // 0.22: strings, `catching_up`; a node before its first block.
    insta::assert_snapshot!(check(&format!(r#"{{"jsonrpc":"2.0","id":"","result":{{{NODE_INFO_0_18},"sync_info":{{"latest_block_height":"0","latest_block_time":"1970-01-01T00:00:00Z","catching_up":true}},"validator_info":{{"address":"","pub_key":null,"voting_power":"0"}}}}}}"#)), @r#"{"id":"7e9d1fb08edbafcf116638d4c8fafaee2abe1aaa","network":"c","version":"0.18.0","moniker":"m","height":0,"latest_block_time":null,"catching_up":true,"voting_power":0,"validator_address":null}"#);
    // CometBFT 0.38: compact, earliest block, id -1.
    insta::assert_snapshot!(check(r#"{"jsonrpc":"2.0","id":-1,"result":{"node_info":{"protocol_version":{"p2p":"8","block":"11","app":"1"},"id":"21fe31dfa154a261626bf854046fd2271b7bed4b","network":"c","version":"0.38.12","moniker":"m","other":{"tx_index":"on"}},"sync_info":{"latest_block_height":"77","latest_block_time":"2024-01-01T00:00:00Z","earliest_block_height":"1","catching_up":false},"validator_info":{"address":"AB","pub_key":{},"voting_power":"0"}}}"#), @r#"{"id":"21fe31dfa154a261626bf854046fd2271b7bed4b","network":"c","version":"0.38.12","moniker":"m","height":77,"latest_block_time":"2024-01-01T00:00:00Z","catching_up":false,"voting_power":0,"validator_address":"AB"}"#);
}

#[test]
fn an_answer_that_is_no_status_says_why() {
    insta::assert_snapshot!(check(r#"{"jsonrpc":"2.0","id":"","error":{"code":-32603,"message":"Internal error","data":"height must be less"}}"#), @"the node answered with error -32603: Internal error: height must be less");
    insta::assert_snapshot!(check(r#"{"jsonrpc":"2.0","id":"","error":"no such method"}"#), @"the node answered with error 0: no such method");
    insta::assert_snapshot!(check(r#"{"jsonrpc":"2.0","id":""}"#), @"not the answer of a Tendermint node <- missing field `result`");
    insta::assert_snapshot!(check(&format!(r#"{{"result":{{{NODE_INFO_0_18}}}}}"#)), @"not the answer of a Tendermint node <- missing field `latest_block_height`");
    insta::assert_snapshot!(check(&format!(r#"{{"result":{{{NODE_INFO_0_18},"latest_block_height":"-5"}}}}"#)), @"not the answer of a Tendermint node <- invalid digit found in string");
    insta::assert_snapshot!(check("<html>502 Bad Gateway</html>"), @"not the answer of a Tendermint node <- expected value at line 1 column 1");
}

#[test]
fn an_application_without_a_block_has_no_height() {
    assert_eq!(app_height(br#"{"result":{"response":{"data":"x"}}}"#).unwrap(), None);
    assert_eq!(app_height(br#"{"result":{"response":{"last_block_height":3}}}"#).unwrap(), Some(3));
    assert!(app_height(br#"{"result":{}}"#).is_err());
}

#[test]
fn peers_are_counted_in_every_form() {
    assert_eq!(peers(br#"{"result":{"listening":true,"n_peers":"3","peers":[]}}"#).unwrap(), 3);
    assert_eq!(peers(br#"{"result":{"listening":true,"n_peers":2}}"#).unwrap(), 2);
    assert_eq!(peers(br#"{"result":{"listening":true,"peers":[{"a":1}]}}"#).unwrap(), 1);
    assert_eq!(peers(br#"{"result":{"listening":true,"peers":null}}"#).unwrap(), 0);
}

proptest! {
    #[test]
    fn a_status_cut_anywhere_is_refused(cut in 0..STATUS.trim_ascii().len()) {
        prop_assert!(Status::parse(&STATUS[..cut]).is_err());
    }
}
