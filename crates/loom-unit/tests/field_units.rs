//! Service definitions as they are found in the field (`fixtures/units`): what is found in them, and that
//! they are printed as they were read.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use loom_unit::{Definition, ListKind, NodeCommand, UnitFile};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/units")
}

fn read(name: &str) -> String {
    fs::read_to_string(fixtures().join(name)).unwrap()
}

fn definition(name: &str, drop_ins: &[&str]) -> Definition {
    let texts: Vec<_> = drop_ins.iter().map(|name| (Path::new(*name), read(name))).collect();
    Definition::new(Path::new(name), &read(name), texts.iter().map(|(path, text)| (*path, text.as_str())))
}

/// What is found, with the source of each list as it stands in the file.
fn found(name: &str, drop_ins: &[&str]) -> String {
    let definition = definition(name, drop_ins);
    match definition.node() {
        Err(error) => format!("error: {error}"),
        Ok(node) => shown(&definition, &node),
    }
}

fn shown(definition: &Definition, node: &NodeCommand) -> String {
    let mut text = format!("{} {}", node.command.program, node.verb);
    for flag in &node.flags {
        let kind = match flag.kind {
            ListKind::Seeds => "seeds",
            ListKind::Persistent => "persistent peers",
        };
        write!(text, "\n{}: {} ({kind})", flag.word, flag.flag).unwrap();
        for peer in &flag.peers {
            write!(text, "\n  {peer}").unwrap();
        }
        let file = &definition.texts()[flag.word.text].file;
        match &flag.value {
            None => write!(text, "\n  not written as it is read: {}", file.source(&flag.word.span)).unwrap(),
            Some(value) => {
                // The list alone reads the same again: it can be replaced in its place.
                let list = file.source(&value.span);
                let peers = list.split(',').filter_map(|item| item.parse().ok());
                assert!(
                    flag.peers.iter().all(|peer| peers.clone().any(|read: loom_unit::Peer| read == *peer))
                );
            }
        }
    }
    for problem in &node.problems {
        write!(text, "\nproblem: {problem}").unwrap();
    }
    text
}

#[test]
fn every_unit_of_the_field_is_printed_as_it_was_read() {
    let mut count = 0;
    for entry in fs::read_dir(fixtures()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(UnitFile::parse(&text).to_string(), text, "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 12, "the fixtures are missing");
}

#[test]
fn a_node_without_peers_has_none() {
    insta::assert_snapshot!(found("single-node.service", &[]), @"/home/ubuntu/loom run");
}

#[test]
fn the_documented_units_are_read() {
    insta::assert_snapshot!(found("multi-node.service", &[]), @r"
    /home/ubuntu/loom run
    multi-node.service:9: --persistent-peers (persistent peers)
      tcp://e728bada822af677b95cb8ff126ca72cc4e3dc74@10.6.7.8:26656
      tcp://4953e5726664985cc1cc92ae2edcfc6e089ba50d@10.3.2.1:26656
      tcp://02c90b57d241c3c014755ecb07e0c0d232e07fff@10.7.6.5:26656
    ");
    insta::assert_snapshot!(found("readme-peers.service", &[]), @r"
    /usr/bin/loom run
    readme-peers.service:9: --peers (seeds)
      tcp://e728bada822af677b95cb8ff126ca72cc4e3dc74@10.0.0.1:46656
      tcp://4953e5726664985cc1cc92ae2edcfc6e089ba50d@10.0.0.2:46656
      tcp://02c90b57d241c3c014755ecb07e0c0d232e07fff@10.0.0.3:46656
    ");
    insta::assert_snapshot!(found("jump-start.service", &[]), @r"
    /home/ubuntu/basechain run
    jump-start.service:9: --persistent-peers (persistent peers)
      tcp://cceb3236351c33442925cf1d2814e5550ea2645d@5.161.200.134:46656
    ");
    insta::assert_snapshot!(found("playbooks.service", &[]), @r"
    /usr/bin/loom run
    playbooks.service:14: --persistent-peers (persistent peers)
      tcp://e728bada822af677b95cb8ff126ca72cc4e3dc74@172.31.0.1:46656
      tcp://4953e5726664985cc1cc92ae2edcfc6e089ba50d@172.31.0.2:46656
    ");
}

#[test]
fn peers_without_a_flag_are_said_to_have_no_effect() {
    insta::assert_snapshot!(found("positional.service", &[]), @r"
    /usr/bin/loom run
    problem: positional.service:9: `tcp://e728bada822af677b95cb8ff126ca72cc4e3dc74@10.0.0.1:46656,tcp://4953e5726664985cc1cc92ae2edcfc6e089ba50d@10.0.0.2:46656` has no effect: no flag stands before it
    ");
}

#[test]
fn windows_line_ends_belong_to_no_peer() {
    insta::assert_snapshot!(found("crlf.service", &[]), @r"
    /usr/bin/loom run
    crlf.service:9: --peers (seeds)
      tcp://e728bada822af677b95cb8ff126ca72cc4e3dc74@10.0.0.1:46656
    ");
}

#[test]
fn quotes_continued_lines_and_both_flags_are_read() {
    insta::assert_snapshot!(found("both-flags.service", &[]), @r"
    /usr/bin/loom run
    both-flags.service:15: --peers (seeds)
      tcp://e728bada822af677b95cb8ff126ca72cc4e3dc74@seed-1.loom.network:46656
      tcp://4953e5726664985cc1cc92ae2edcfc6e089ba50d@seed-2.loom.network:46656
    both-flags.service:17: --persistent-peers (persistent peers)
      tcp://02c90b57d241c3c014755ecb07e0c0d232e07fff@[2001:db8::5]:26656
    problem: both-flags.service:18: `$EXTRA` is not known here, and may hold peers
    ");
}

#[test]
fn short_flags_later_flags_and_bad_peers_are_told_apart() {
    insta::assert_snapshot!(found("short-flags.service", &[]), @r"
    /srv/loom/loom run
    short-flags.service:3: --persistent-peers (persistent peers)
      tcp://4953e5726664985cc1cc92ae2edcfc6e089ba50d@10.0.0.2:46656
    short-flags.service:3: -p (seeds)
      tcp://02c90b57d241c3c014755ecb07e0c0d232e07fff@10.0.0.5:46656
    problem: short-flags.service:3: `-p` has no effect: a later flag replaces its list
    problem: short-flags.service:3: `10.0.0.3:46656` is no peer of the form tcp://<40 hex digits>@<host>:<port>: the node id is missing
    problem: short-flags.service:3: the node id 4953e5726664985cc1cc92ae2edcfc6e089ba50d stands twice in the list
    ");
}

#[test]
fn the_flags_of_tendermint_and_cometbft_are_read() {
    insta::assert_snapshot!(found("cometbft.service", &[]), @r"
    /usr/local/bin/cosmovisor run
    cometbft.service:7: --p2p.persistent_peers (persistent peers)
      tcp://e728bada822af677b95cb8ff126ca72cc4e3dc74@10.0.0.1:26656
      tcp://4953e5726664985cc1cc92ae2edcfc6e089ba50d@[::1]:26656
    cometbft.service:7: --p2p.seeds (seeds)
      tcp://02c90b57d241c3c014755ecb07e0c0d232e07fff@seeds.example.org:26656
    ");
    insta::assert_snapshot!(found("tendermint-underscore.service", &[]), @r"
    /usr/bin/tendermint start
    tendermint-underscore.service:2: --persistent_peers (persistent peers)
    problem: tendermint-underscore.service:2: `${PEERS}` is not known here, and may hold peers
    ");
}

#[test]
fn a_drop_in_replaces_the_command() {
    let drop_ins = ["multi-node.service.d/10-limits.conf", "multi-node.service.d/20-peers.conf"];
    insta::assert_snapshot!(found("multi-node.service", &drop_ins), @r"
    /home/ubuntu/loom run
    multi-node.service.d/20-peers.conf:3: --persistent-peers (persistent peers)
      tcp://e728bada822af677b95cb8ff126ca72cc4e3dc74@10.0.0.1:26656
    ");
    insta::assert_snapshot!(found("multi-node.service", &["single-node.service"]), @"error: more than one ExecStart of multi-node.service runs a node");
}

#[test]
fn a_node_inside_a_shell_is_not_guessed_at() {
    insta::assert_snapshot!(found("in-a-shell.service", &[]), @"error: no ExecStart of in-a-shell.service runs a node with `run` or `start`");
}

#[test]
fn a_list_can_be_replaced_in_its_place() {
    let definition = definition("both-flags.service", &[]);
    let node = definition.node().unwrap();
    let mut text = definition.texts()[0].file.to_string();
    let before = text.clone();
    for flag in node.flags.iter().rev() {
        text.replace_range(flag.value.as_ref().unwrap().span.clone(), "");
    }
    let removed: Vec<_> =
        before.lines().zip(text.lines()).filter(|(a, b)| a != b).map(|(_, after)| after).collect();
    assert_eq!(removed, ["    --peers=\"\" \\", "    --persistent-peers '' \\"]);
}

#[test]
fn peers_are_found_however_the_flag_is_written() {
    let id = "e728bada822af677b95cb8ff126ca72cc4e3dc74";
    for (arguments, count, problems) in [
        (format!("run -p{id}@a:1"), 1, 0),
        (format!("run --peers={id}@a:1,{id}@b:1"), 1, 1),
        (format!("run --peers \"{id}@a\\x3a1\""), 1, 0),
        ("run --peers".to_owned(), 0, 1),
        ("run --peers=".to_owned(), 0, 0),
        (format!("run --peers-file {id}@a:1"), 0, 0),
        (format!("run -- --peers {id}@a:1"), 0, 0),
        (format!("run -- {id}@a:1"), 0, 1),
        (format!("run --proxy {id}@a:1"), 0, 0),
        (format!("run --trace=1 {id}@a:1"), 0, 1),
        (format!("--peers {id}@a:1 start"), 1, 0),
        (format!("run --peers --persistent-peers {id}@a:1"), 0, 2),
        ("run --peers %i".to_owned(), 0, 1),
        ("run $LOOM_ARGS".to_owned(), 0, 1),
    ] {
        let unit = format!("[Service]\nExecStart=/usr/bin/loom {arguments}\n");
        let node = Definition::new(Path::new("u"), &unit, []).node().unwrap();
        assert_eq!((node.peers().count(), node.problems.len()), (count, problems), "{arguments}: {node:?}");
    }
}
