//! One command of `ExecStart=`.
//!
//! Does not know which program is a node: see `node.rs`.

use std::ops::Range;

use crate::words::Word;

/// The special characters before the program (systemd.service(5), "Special executable prefixes").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandPrefix {
    /// `@`: the second word is the program's own name for itself.
    Renamed,
    /// `-`: a failure counts as success.
    Lenient,
    /// `:`: variables are not expanded.
    Literal,
    /// `+`: with full privileges.
    Privileged,
    /// `!`, and `!!`: with its own changes of user.
    Elevated,
}

impl CommandPrefix {
    fn of(c: char) -> Option<Self> {
        Some(match c {
            '@' => Self::Renamed,
            '-' => Self::Lenient,
            ':' => Self::Literal,
            '+' => Self::Privileged,
            '!' => Self::Elevated,
            _ => return None,
        })
    }
}

/// A command that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The special characters before it.
    pub prefixes: Vec<CommandPrefix>,
    /// The program, without the prefixes.
    pub program: String,
    /// All words from the program on.
    pub words: Vec<Word>,
    /// Which text of the [`Definition`](crate::Definition) it stands in.
    pub text: usize,
    /// The bytes of that text with its assignment.
    pub entry: Range<usize>,
    /// For each word, its bytes in that text, quotes included.
    pub(crate) spans: Vec<Range<usize>>,
}

impl CommandLine {
    /// From words, of which there is at least one.
    pub(crate) fn new(words: Vec<Word>, spans: Vec<Range<usize>>, text: usize, entry: Range<usize>) -> Self {
        let first = words.first().map_or("", |word| word.text.as_str());
        let program = first.trim_start_matches(|c| CommandPrefix::of(c).is_some()).to_owned();
        let prefixes = first.chars().map_while(CommandPrefix::of).collect();
        Self { prefixes, program, words, text, entry, spans }
    }

    /// The arguments with their place in the words: without the program and, after `@`, its name.
    pub fn arguments(&self) -> impl Iterator<Item = (usize, &str)> {
        let first = if self.prefixes.contains(&CommandPrefix::Renamed) { 2 } else { 1 };
        self.words.iter().enumerate().skip(first).map(|(at, word)| (at, word.text.as_str()))
    }

    /// The bytes of a word in the text, with its quotes.
    #[must_use]
    pub fn span(&self, word: usize) -> Option<&Range<usize>> {
        self.spans.get(word)
    }
}
