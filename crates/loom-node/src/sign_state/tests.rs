//! Sign states of every age, carried and raised.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use proptest::prelude::*;

use super::*;

/// Tendermint to 0.21: numbers, and a signature that says its type.
const NUMBERS: &str = r#"{"address":"AE47","pub_key":{"type":"AC26791624DE60","value":"vok="},"last_height":12,"last_round":1,"last_step":3,"last_signature":{"type":"6BF5903DA1DB28","value":"c2ln"},"last_signbytes":"7B7D","priv_key":{"type":"954568A3288910","value":"VHo="}}"#;

/// Loom's age, with a field nobody knows and one in an HSM.
const HSM: &str = r#"{
  "address": "AE47",
  "key_id": 3,
  "pub_key": {
    "type": "tendermint/PubKeyEd25519",
    "value": "vok="
  },
  "last_height": "8076973",
  "last_round": "0",
  "last_step": 3,
  "last_signature": "c2ln",
  "last_signbytes": "7F08",
  "unknown": [1, 2]
}"#;

/// `CometBFT`.
const STATE: &str = r#"{
  "height": "500",
  "round": 2,
  "step": 2,
  "signature": "bmV3",
  "signbytes": "AA"
}"#;

const KEY: &str = r#"{
  "address": "AE47",
  "pub_key": {"type": "tendermint/PubKeyEd25519", "value": "vok="},
  "priv_key": {"type": "tendermint/PrivKeyEd25519", "value": "VHo="}
}"#;

fn parse(text: &str) -> SignFile {
    SignFile::parse(text.as_bytes()).unwrap()
}

fn text(file: &SignFile) -> String {
    String::from_utf8(file.to_bytes()).unwrap()
}

#[test]
fn every_age_of_file_is_read_and_printed_back_byte_for_byte() {
    let real = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/loom-home/chaindata/config/priv_validator.json");
    let real = std::fs::read_to_string(real).unwrap();
    for (name, written, state, key) in [
        ("numbers", NUMBERS, Some((12, 1, 3)), true),
        ("hsm", HSM, Some((8_076_973, 0, 3)), true),
        ("state", STATE, Some((500, 2, 2)), false),
        ("key", KEY, None, true),
        ("loom", real.as_str(), Some((1982, 0, 1)), true),
    ] {
        let file = parse(written);
        assert_eq!(text(&file), written, "{name}");
        assert_eq!(file.state().map(|s| (s.height, s.round, s.step)), state, "{name}");
        assert_eq!(file.has_key(), key, "{name}");
    }
    assert_eq!(parse(NUMBERS).address().as_deref(), Some("AE47"));
    assert_eq!(parse(STATE).address(), None);
}

#[test]
fn states_are_ordered_as_a_node_checks_them() {
    let at = |height, round, step| SignState { height, round, step };
    let ascending = [at(0, 0, 0), at(4, 9, 3), at(5, 0, 0), at(5, 0, 3), at(5, 1, 1), at(6, 0, 0)];
    assert!(ascending.is_sorted());
}

#[test]
fn raising_removes_the_signature_and_keeps_the_types_of_its_age() {
    insta::assert_snapshot!(text(&parse(NUMBERS).with_min_height(99).unwrap()), @r#"{"address":"AE47","pub_key":{"type":"AC26791624DE60","value":"vok="},"last_height":99,"last_round":0,"last_step":0,"priv_key":{"type":"954568A3288910","value":"VHo="}}"#);
    insta::assert_snapshot!(text(&parse(HSM).with_min_height(9_000_000).unwrap()), @r#"
    {
      "address": "AE47",
      "key_id": 3,
      "pub_key": {
        "type": "tendermint/PubKeyEd25519",
        "value": "vok="
      },
      "last_height": "9000000",
      "last_round": "0",
      "last_step": 0,
      "unknown": [1, 2]
    }
    "#);
    insta::assert_snapshot!(text(&zeroed_state_file(RoundForm::Number).with_min_height(7).unwrap()), @r#"
    {
      "height": "7",
      "round": 0,
      "step": 0
    }
    "#);
    insta::assert_snapshot!(text(&zeroed_state_file(RoundForm::Text)), @r#"
    {
      "height": "0",
      "round": "0",
      "step": 0
    }
    "#);
}

#[test]
fn a_state_is_never_lowered_by_a_minimum() {
    assert_eq!(text(&parse(STATE).with_min_height(500).unwrap()), STATE);
    assert_eq!(text(&parse(STATE).with_min_height(1).unwrap()), STATE);
    assert_eq!(parse(STATE).with_min_height(501).unwrap().state().unwrap().height, 501);
}

#[test]
fn a_newer_state_is_carried_over_with_its_signature_and_the_key_stays() {
    let newer =
        HSM.replace("8076973", "9000001").replace("c2ln", "bmV3").replace("\"key_id\": 3", "\"key_id\": 4");
    let carried = text(&parse(HSM).with_state_of(&parse(&newer)).unwrap());
    assert_eq!(carried, newer.replace("\"key_id\": 4", "\"key_id\": 3"));
}

#[test]
fn a_state_carried_across_the_split_of_the_files_takes_the_names_of_its_new_file() {
    let unsigned = parse(HSM).with_min_height(9_000_000).unwrap();
    insta::assert_snapshot!(text(&unsigned.with_state_of(&parse(STATE)).unwrap()), @r#"
    {
      "address": "AE47",
      "key_id": 3,
      "pub_key": {
        "type": "tendermint/PubKeyEd25519",
        "value": "vok="
      },
      "last_height": "500",
      "last_round": "2",
      "last_step": 2,
      "last_signature": "bmV3",
      "last_signbytes": "AA",
      "unknown": [1, 2]
    }
    "#);
}

#[test]
fn a_signature_of_another_age_is_dropped_and_the_guard_stays() {
    insta::assert_snapshot!(text(&parse(STATE).with_state_of(&parse(NUMBERS)).unwrap()), @r#"
    {
      "height": "12",
      "round": 1,
      "step": 3
    }
    "#);
}

#[test]
fn a_key_without_a_state_has_none_to_give_or_take() {
    for result in [
        parse(KEY).with_min_height(1),
        parse(KEY).with_state_of(&parse(STATE)),
        parse(STATE).with_state_of(&parse(KEY)),
    ] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(result.unwrap_err(), @"this file holds a validator's key and no sign state");
        }
    }
}

#[test]
fn what_is_no_signing_file_is_refused_without_quoting_it() {
    let refusal = |text: &str| SignFile::parse(text.as_bytes()).unwrap_err().to_string();
    insta::assert_snapshot!(refusal("\"secret\""), @"no valid JSON of a signing file at line 1, column 8");
    insta::assert_snapshot!(refusal(&STATE[..40]), @"no valid JSON of a signing file at line 4, column 5");
    insta::assert_snapshot!(refusal("{}"), @"neither a validator key nor a sign state: no field `pub_key`, `priv_key`, `height` or `last_height`");
    insta::assert_snapshot!(refusal(r#"{"height":"-1"}"#), @"field `height` is not a whole number that is not negative");
    insta::assert_snapshot!(refusal(r#"{"height":1,"round":1.5}"#), @"field `round` is not a whole number that is not negative");
    insta::assert_snapshot!(refusal(r#"{"height":1,"step":256}"#), @"field `step` is not a whole number that is not negative");
    insta::assert_snapshot!(refusal(r#"{"height":"9","Height":"1"}"#), @"field `Height` occurs twice");
    for empty in [r#"{"height":""}"#, r#"{"height":null}"#, r#"{"height":"+1"}"#] {
        assert!(SignFile::parse(empty.as_bytes()).is_err(), "{empty}");
    }
}

#[test]
fn debug_shows_no_key() {
    insta::assert_snapshot!(format!("{:?}", parse(NUMBERS)), @r#"SignFile { address: Some("AE47"), state: Some(SignState { height: 12, round: 1, step: 3 }), has_key: true, .. }"#);
}

proptest! {
    #[test]
    fn a_raised_file_reads_back_as_raised(start in any::<u64>(), min in any::<u64>(), text_round in any::<bool>()) {
        let form = if text_round { RoundForm::Text } else { RoundForm::Number };
        let low = zeroed_state_file(form).with_min_height(start).unwrap();
        let raised = low.with_min_height(min).unwrap();
        let back = SignFile::parse(&raised.to_bytes()).unwrap();
        prop_assert_eq!(back.state().unwrap().height, start.max(min));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(file) = SignFile::parse(&bytes) {
            let _ = (file.state(), file.address(), file.has_key());
        }
    }
}
