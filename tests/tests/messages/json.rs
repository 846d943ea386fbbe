//! What scripts read: the shapes are promises.

use insta::assert_snapshot;
use loom_tests::{Fixture, Outcome, Place};
use serde_json::Value;

use crate::RUN;

/// The names of a JSON document's fields, with the kinds of their values.
fn shape(value: &Value) -> String {
    let mut lines = Vec::new();
    let kind = kind(value, 0, &mut lines);
    lines.insert(0, kind);
    lines.join("\n").trim_start().to_owned()
}

/// The kind of a value; the fields of an object go into `lines`.
fn kind(value: &Value, indent: usize, lines: &mut Vec<String>) -> String {
    let word = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(values) => {
            let first = values.first().map(|first| kind(first, indent, lines));
            return format!("list {}", first.unwrap_or_default()).trim_end().to_owned();
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let place = lines.len();
                let kind = kind(value, indent + 1, lines);
                let line = format!("{}{name}: {kind}", "  ".repeat(indent));
                lines.insert(place, line.trim_end().to_owned());
            }
            ""
        }
    };
    word.to_owned()
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"))
}

/// What `command --json` prints, without what it says of a backup: that has one shape everywhere.
fn document(place: &Place, command: &str) -> String {
    let mut document = json(&place.run(&format!("{command} --json")));
    let fields = document.as_object_mut().unwrap();
    let one = fields.get_mut("backup").map(Value::take);
    let listed = fields.get_mut("backups").and_then(|backups| backups.get_mut(0)).map(Value::take);
    if let Some(backup) = one.or(listed) {
        // The same for every document.
        insta::allow_duplicates! {
        assert_snapshot!(shape(&backup), @r"
        chain_id: text
        checks: list text
        classes: list text
        clean_stop: null
        created: text
        engine: text
        height: null
        heights:
          app: null
          block_store: null
          rpc: null
          state: null
        id: text
        layout: text
        node: text
        node_id: text
        node_version: null
        pause: null
        proof: text
        quiesce: text
        tool:
          name: text
          version: text
        totals:
          bytes: number
          directories: number
          files: number
          new_bytes: number
          new_packs: number
          stored_bytes: number
          symlinks: number
        warnings: list
        ");
        }
    }
    shape(&document)
}

#[test]
fn every_json_document_keeps_its_shape() {
    let place = Place::with(Fixture::Cometbft);
    let of = |command: &str| document(&place, command);
    assert_snapshot!(of(&format!("{RUN} --dry-run")), @r"
    classes: list text
    entries: list
      class: text
      path: text
      unclassified: bool
    home: text
    layout: text
    node: text
    version: number
    warnings: list
    ");
    assert_snapshot!(of(RUN), @r"
    backup: null
    conditional_put: bool
    duration_seconds: number
    entries: list
      class: text
      path: text
      unclassified: bool
    repository: text
    store_seconds: number
    version: number
    warnings: list
    ");
    assert_snapshot!(of("loom-backup list --to file:///T/repository"), @r"
    backups: list null
    version: number
    ");
    assert_snapshot!(of("loom-backup status --node n1"), @r"
    last:
      bytes: number
      duration_seconds: number
      ended: text
      error: null
      height: null
      last_backup: text
      last_success: text
      pause_seconds: null
      stored_bytes: number
      succeeded: bool
    next: null
    node: text
    running: bool
    version: number
    ");
    assert_snapshot!(of("loom-backup check --max-age 1h --node n1"), @r"
    age_seconds: number
    node: text
    ok: bool
    version: number
    ");
    assert_snapshot!(of(&RUN.replace("run", "check")), @r"
    findings: list
      check: text
      hint: null
      ok: bool
      what: text
    ok: bool
    version: number
    ");
    let from = "--from file:///T/repository --service none";
    assert_snapshot!(of(&format!("loom-restore plan {from} --home /T/new")), @r"
    available_bytes: number
    backup: null
    bytes: number
    classes: list text
    entries: list
      action: text
      class: text
      path: text
    files: number
    home: text
    repository: text
    service: null
    sign_state: null
    version: number
    warnings: list
    ");
    assert_snapshot!(of(&format!("loom-restore run --yes {from} --home /T/new")), @r"
    backup: null
    bytes: number
    downtime_seconds: number
    duration_seconds: number
    entries: list
      action: text
      class: text
      path: text
    files: number
    home: text
    previous: null
    repository: text
    service_started: bool
    sign_state: null
    version: number
    warnings: list
    ");
}

#[test]
fn with_json_progress_is_one_object_a_line_on_standard_error() {
    let place = Place::with(Fixture::Cometbft);
    let outcome = place.run(&format!("{RUN} --json")).with_code(0);
    let names = outcome.stderr.lines().map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        format!("{} {}", event["event"].as_str().unwrap(), event["step"].as_str().unwrap_or_default())
    });
    assert_snapshot!(names.collect::<Vec<_>>().join("\n"), @r"
    begun plan
    done plan
    begun open
    done open
    begun pause
    done pause
    begun store
    done store
    begun publish
    done publish
    ");
}
