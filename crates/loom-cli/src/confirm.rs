//! Asking a person.

use std::io::{self, BufRead, IsTerminal, Write};

/// Asks for a `yes` in full on a terminal. Without a terminal there is nobody to ask, and the answer is no.
///
/// # Errors
/// What the terminal says.
pub fn confirm(question: &str) -> io::Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(false);
    }
    let mut terminal = io::stderr().lock();
    write!(terminal, "{question} Type yes to go on: ")?;
    terminal.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
