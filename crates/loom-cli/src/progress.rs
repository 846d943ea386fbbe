//! Showing a run: bars with rate and remaining time on a terminal, one line a step elsewhere, JSON lines on request.

use std::{
    io::{IsTerminal, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use loom_runbook::{Event, Observer, Step};

/// What shows a run, by where standard error goes and whether `--json` was given.
#[must_use]
pub fn progress(json: bool) -> Arc<dyn Observer> {
    if json {
        Arc::new(JsonLines)
    } else if std::io::stderr().is_terminal() {
        Arc::new(Bars::default())
    } else {
        Arc::new(Lines)
    }
}

/// One JSON object a line, for programs. Progress in bytes is left out: it would be most of the lines.
struct JsonLines;

impl Observer for JsonLines {
    fn event(&self, event: Event) {
        if !matches!(event, Event::Progress { .. }) {
            let line = serde_json::to_string(&event).expect("events have only text and numbers in them");
            say(&line);
        }
    }
}

/// One line a step, for logs.
struct Lines;

impl Observer for Lines {
    fn event(&self, event: Event) {
        if let Some(line) = line(&event) {
            say(&line);
        }
    }
}

/// A bar for the steps that move bytes, a spinner for the others, and the lines above them.
#[derive(Default)]
struct Bars {
    bar: Mutex<Option<ProgressBar>>,
}

impl Observer for Bars {
    fn event(&self, event: Event) {
        let mut bar = self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &event {
            Event::Begun { step, bytes } => {
                let new = bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
                new.set_style(style(bytes.is_some()));
                new.set_message(doing(*step));
                new.enable_steady_tick(Duration::from_millis(120));
                *bar = Some(new);
            }
            Event::Progress { bytes } => {
                if let Some(bar) = &*bar {
                    bar.inc(*bytes);
                }
            }
            _ => {
                if let Event::Done { .. } = event
                    && let Some(done) = bar.take()
                {
                    done.finish_and_clear();
                }
                if let Some(line) = line(&event) {
                    match &*bar {
                        Some(bar) => bar.suspend(|| say(&line)),
                        None => say(&line),
                    }
                }
            }
        }
    }
}

fn style(bytes: bool) -> ProgressStyle {
    let template = if bytes {
        "{msg:12} [{wide_bar}] {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {eta} left"
    } else {
        "{msg:12} {spinner} {elapsed}"
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn doing(step: Step) -> &'static str {
    match step {
        Step::Plan => "planning",
        Step::Open => "opening",
        Step::Pause => "pausing",
        Step::Store => "storing",
        Step::Publish => "publishing",
        Step::Watch => "watching",
        Step::Stage => "staging",
        Step::Stop => "stopping",
        Step::Swap => "swapping",
        Step::Start => "starting",
        _ => "working",
    }
}

fn line(event: &Event) -> Option<String> {
    match event {
        Event::Done { step, took, outcome } => {
            Some(format!("{:<11} {outcome} [{}]", name(*step), seconds(*took)))
        }
        Event::Warning { text } => Some(format!("warning: {text}")),
        _ => None,
    }
}

fn name(step: Step) -> &'static str {
    match step {
        Step::Plan => "plan",
        Step::Open => "open",
        Step::Pause => "pause",
        Step::Store => "store",
        Step::Publish => "publish",
        Step::Watch => "watch",
        Step::Stage => "stage",
        Step::Stop => "stop",
        Step::Swap => "swap",
        Step::Start => "start",
        _ => "step",
    }
}

fn seconds(took: Duration) -> String {
    if took < Duration::from_secs(1) {
        format!("{} ms", took.as_millis())
    } else {
        format!("{:.1} s", took.as_secs_f64())
    }
}

/// A log that cannot be written must not end a run.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
