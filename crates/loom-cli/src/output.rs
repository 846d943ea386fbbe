//! Writing to standard output, where a closed pipe is no failure.

use std::io::{self, Write};

use serde::Serialize;

/// Where results go: text for people, or one JSON document.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Whether `--json` was given.
    pub json: bool,
}

impl Output {
    /// Prints a result: the document with `--json`, else the text.
    ///
    /// # Errors
    /// What the terminal, file or pipe says; a pipe that nobody reads any more is no error.
    pub fn print(&self, document: &impl Serialize, text: impl FnOnce() -> String) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let written = if self.json {
            serde_json::to_writer_pretty(&mut out, document)
                .map_err(io::Error::from)
                .and_then(|()| out.write_all(b"\n"))
        } else {
            out.write_all(text().as_bytes())
        };
        match written.and_then(|()| out.flush()) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }
}
