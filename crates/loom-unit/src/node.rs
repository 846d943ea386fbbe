//! The command that runs the node, and its peer lists.
//!
//! Any program counts whose arguments have the word `run` (loom) or `start` (Tendermint, `CometBFT` and what
//! is built on them). Flags are read as these programs read them (Go's pflag): a value is the rest after
//! `=`, else the next word, whatever it is; of one flag the last wins. Changes nothing.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use crate::{CommandLine, Definition, Peer, UnitError};

/// The sub-commands that run a node.
const VERBS: [&str; 2] = ["run", "start"];

/// The flags that take peers.
const FLAGS: [(&str, ListKind); 6] = [
    ("--peers", ListKind::Seeds),
    ("-p", ListKind::Seeds),
    ("--p2p.seeds", ListKind::Seeds),
    ("--persistent-peers", ListKind::Persistent),
    ("--persistent_peers", ListKind::Persistent),
    ("--p2p.persistent_peers", ListKind::Persistent),
];

/// What the node does with a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// Asked for addresses when the node knows none. Loom's `--peers` are these.
    Seeds,
    /// Connected to, always again.
    Persistent,
}

/// A place in a service definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The unit file or drop-in.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// Which text of the [`Definition`] it is in.
    pub text: usize,
    /// The bytes of that text.
    pub span: Range<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)
    }
}

/// A flag with a peer list, in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerFlag {
    /// The flag as it is written, without its value: `--peers`.
    pub flag: String,
    /// What the node does with the list.
    pub kind: ListKind,
    /// The peers that could be read, in their order.
    pub peers: Vec<Peer>,
    /// The word that holds the list: with the flag if they are joined by `=`, and with its quotes.
    pub word: Place,
    /// The list alone, without flag and quotes. `None` if it is not written as it is read: with escapes,
    /// quotes or a continuation inside.
    pub value: Option<Place>,
}

/// Something about the peers of a command that is probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What it is.
    pub kind: ProblemKind,
    /// Where it is.
    pub place: Place,
}

/// What is wrong with the peers of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// An item of a list is no peer; the node leaves it out. The others are read.
    BadPeer(UnitError),
    /// A node id comes twice in a list.
    Duplicate(String),
    /// Peers without a flag: the node ignores them.
    NoEffect(String),
    /// The flag is the last word: the node does not start.
    NoValue(String),
    /// A later flag of the same kind replaces the list of this one.
    Overridden(String),
    /// A variable or a specifier stands where peers may be; what it holds is not known here.
    Variable(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        match &self.kind {
            ProblemKind::BadPeer(error) => write!(f, "{error}"),
            ProblemKind::Duplicate(id) => write!(f, "the node id {id} stands twice in the list"),
            ProblemKind::NoEffect(word) => write!(f, "`{word}` has no effect: no flag stands before it"),
            ProblemKind::NoValue(flag) => write!(f, "`{flag}` has no list after it"),
            ProblemKind::Overridden(flag) => {
                write!(f, "`{flag}` has no effect: a later flag replaces its list")
            }
            ProblemKind::Variable(text) => write!(f, "`{text}` is not known here, and may hold peers"),
        }
    }
}

/// The command that runs the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeCommand {
    /// All of it.
    pub command: CommandLine,
    /// Its sub-command: `run` or `start`.
    pub verb: String,
    /// The flags with peers that are in force, in their order: at most one of each kind.
    pub flags: Vec<PeerFlag>,
    /// What is wrong with its peers.
    pub problems: Vec<Problem>,
}

impl NodeCommand {
    /// The peers of all lists, in their order.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.flags.iter().flat_map(|flag| &flag.peers)
    }
}

impl Definition {
    /// The command that runs the node, with its peers.
    ///
    /// # Errors
    /// [`UnitError::NoNode`] or [`UnitError::ManyNodes`] when it is not exactly one, and as
    /// [`exec_start`](Definition::exec_start).
    pub fn node(&self) -> Result<NodeCommand, UnitError> {
        let mut nodes = self.exec_start()?.into_iter().filter_map(|command| {
            let verb = command.arguments().find(|(_, word)| VERBS.contains(word))?.1.to_owned();
            Some((command, verb))
        });
        let path = || self.path().to_owned();
        let (command, verb) = nodes.next().ok_or_else(|| UnitError::NoNode { path: path() })?;
        if nodes.next().is_some() {
            return Err(UnitError::ManyNodes { path: path() });
        }
        let mut reader =
            Reader { definition: self, command: &command, flags: Vec::new(), problems: Vec::new() };
        reader.read();
        let Reader { flags, mut problems, .. } = reader;
        problems.sort_by_key(|problem| problem.place.span.start);
        Ok(NodeCommand { command, verb, flags, problems })
    }
}

/// Goes through the arguments of a command.
struct Reader<'a> {
    definition: &'a Definition,
    command: &'a CommandLine,
    flags: Vec<PeerFlag>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn read(&mut self) {
        let command = self.command;
        let mut arguments = command.arguments();
        let mut previous = "";
        let mut flags_end = false;
        while let Some((at, word)) = arguments.next() {
            flags_end |= word == "--";
            match peer_flag(word).filter(|_| !flags_end) {
                Some((flag, kind, Some(list))) => self.list(flag, kind, at, list),
                Some((flag, kind, None)) => match arguments.next() {
                    Some((at, list)) => self.list(flag, kind, at, list),
                    None => self.problem(ProblemKind::NoValue(flag.to_owned()), self.word(at)),
                },
                None => {
                    self.other(at, word, previous);
                    previous = word;
                    continue;
                }
            }
            previous = "";
        }
    }

    fn list(&mut self, flag: &str, kind: ListKind, at: usize, list: &str) {
        let word = self.word(at);
        let value = self.part(&word, list);
        let mut peers: Vec<Peer> = Vec::new();
        let mut begin = 0;
        for item in list.split(',') {
            let place = value.as_ref().map_or_else(|| word.clone(), |value| self.item(value, begin, item));
            begin += item.len() + 1;
            match item.parse::<Peer>() {
                _ if item.trim_matches(' ').is_empty() => {}
                Ok(peer) if peers.iter().any(|known| known.id() == peer.id()) => {
                    self.problem(ProblemKind::Duplicate(peer.id().to_owned()), place);
                }
                Ok(peer) => peers.push(peer),
                Err(_) if item.contains(['$', '%']) => {
                    self.problem(ProblemKind::Variable(item.to_owned()), place);
                }
                Err(error) => self.problem(ProblemKind::BadPeer(error), place),
            }
        }
        if let Some(earlier) = self.flags.iter().position(|other| other.kind == kind) {
            let earlier = self.flags.remove(earlier);
            self.problem(ProblemKind::Overridden(earlier.flag), earlier.word);
        }
        self.flags.push(PeerFlag { flag: flag.to_owned(), kind, peers, word, value });
    }

    /// A word that is no flag of ours.
    fn other(&mut self, at: usize, word: &str, previous: &str) {
        // It may be the value of a flag that is not known here.
        let is_value = previous.starts_with('-') && !previous.contains('=') && previous != "--";
        if is_value || word.starts_with('-') {
            return;
        }
        if word.split(',').any(|item| item.parse::<Peer>().is_ok()) {
            self.problem(ProblemKind::NoEffect(word.to_owned()), self.word(at));
        } else if word.starts_with('$') {
            self.problem(ProblemKind::Variable(word.to_owned()), self.word(at));
        }
    }

    fn problem(&mut self, kind: ProblemKind, place: Place) {
        self.problems.push(Problem { kind, place });
    }

    fn word(&self, at: usize) -> Place {
        self.place(self.command.span(at).cloned().unwrap_or_default())
    }

    fn place(&self, span: Range<usize>) -> Place {
        let text = self.command.text;
        let (path, line) = match self.definition.texts().get(text) {
            Some(text) => (text.path.clone(), text.file.line(span.start)),
            None => (PathBuf::new(), 0),
        };
        Place { path, line, text, span }
    }

    /// The place of a list within its word, if it is written there as it is read: at the end, but for a quote.
    fn part(&self, word: &Place, list: &str) -> Option<Place> {
        let source = self.definition.texts().get(word.text)?.file.source(&word.span);
        let before = source.strip_suffix(['"', '\'']).unwrap_or(source).strip_suffix(list)?;
        let start = word.span.start + before.len();
        Some(self.place(start..start + list.len()))
    }

    fn item(&self, list: &Place, begin: usize, item: &str) -> Place {
        let blanks = item.len() - item.trim_start_matches(' ').len();
        let start = list.span.start + begin + blanks;
        self.place(start..start + item.trim_matches(' ').len())
    }
}

/// The flag, its kind, and its value if it is joined to it.
fn peer_flag(word: &str) -> Option<(&str, ListKind, Option<&str>)> {
    FLAGS.iter().find_map(|(flag, kind)| {
        let (name, rest) = word.split_at_checked(flag.len()).filter(|(name, _)| name == flag)?;
        if rest.is_empty() {
            return Some((name, *kind, None));
        }
        if let Some(list) = rest.strip_prefix('=') {
            return Some((name, *kind, Some(list)));
        }
        // pflag also takes `-pLIST`; another single-letter flag that begins with p is none of these.
        let is_joined = *flag == "-p" && rest.split(',').any(|item| item.parse::<Peer>().is_ok());
        is_joined.then_some((name, *kind, Some(rest)))
    })
}
