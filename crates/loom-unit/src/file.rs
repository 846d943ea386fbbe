//! One unit file: its lines as systemd sees them, and every byte of it.
//!
//! Follows systemd's `config_parse` (conf-parser.c): a line whose backslashes at the end are odd in number
//! goes on in the next one, comments in between are skipped, and what cannot be read is ignored, so no text
//! is refused here. Does not know what the settings mean.

use std::fmt;
use std::ops::Range;

/// What systemd strips around names and values.
const BLANK: [char; 4] = [' ', '\t', '\n', '\r'];

/// A unit file, or a drop-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitFile {
    text: String,
    entries: Vec<Entry>,
}

/// One or, with continuations, several whole lines of a unit file, with their line ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is said.
    pub kind: EntryKind,
    /// The bytes of the file; the entries follow each other without gaps.
    pub span: Range<usize>,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// Nothing.
    Blank,
    /// A line that begins with `#` or `;`, not within a continued one.
    Comment,
    /// `[Name]`
    Section(String),
    /// `Key=value`
    Assignment(Assignment),
    /// What systemd ignores: no `=`, a section without its `]`, a setting outside of a section.
    Ignored,
}

/// `Key=value` in a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The name of the section.
    pub section: String,
    /// The name of the setting.
    pub key: String,
    /// Its value, without the blanks around it.
    pub value: Logical,
}

/// A text that is put together from continued lines, and where each byte of it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logical {
    text: String,
    /// For each byte of `text`, its offset in the file.
    origin: Vec<usize>,
}

impl Logical {
    /// The text. Each continuation is one space, as systemd has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The bytes of the file that a part of the text comes from; what is skipped between two continued lines
    /// is included. An empty part has its place, too.
    #[must_use]
    pub fn span(&self, part: &Range<usize>) -> Range<usize> {
        let last = part.end.checked_sub(1).and_then(|last| self.origin.get(last)).copied();
        let first = self.origin.get(part.start).copied();
        match (first, last) {
            (Some(first), Some(last)) if !part.is_empty() => first..last + 1,
            (Some(first), _) => first..first,
            (None, Some(last)) => last + 1..last + 1,
            (None, None) => 0..0,
        }
    }

    fn push(&mut self, text: &str, offset: usize) {
        self.text.push_str(text);
        self.origin.extend(offset..offset + text.len());
    }

    fn part(&self, part: Range<usize>) -> Self {
        Self { text: self.text[part.clone()].to_owned(), origin: self.origin[part].to_vec() }
    }

    /// Takes the continuation's backslash away.
    fn bend(&mut self) {
        self.text.pop();
        self.text.push(' ');
    }

    fn trimmed(&self) -> Self {
        let start = self.text.len() - self.text.trim_start_matches(BLANK).len();
        let end = self.text.trim_end_matches(BLANK).len().max(start);
        self.part(start..end)
    }
}

impl UnitFile {
    /// Reads a unit file. No text is refused: what systemd ignores is [`EntryKind::Ignored`].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        let mut section = None;
        let mut pending: Option<(Logical, usize)> = None;
        for line in lines(text) {
            let is_comment = text[line.clone()].trim_start_matches(BLANK).starts_with(['#', ';']);
            if is_comment {
                // Within a continued line it belongs to that.
                if pending.is_none() {
                    entries.push(Entry { kind: EntryKind::Comment, span: line });
                }
                continue;
            }
            let (mut logical, start) = pending.take().unwrap_or((Logical::default(), line.start));
            let content = content(text, &line);
            logical.push(&text[content.clone()], content.start);
            if goes_on(logical.as_str()) {
                logical.bend();
                pending = Some((logical, start));
            } else {
                entries.push(Entry { kind: kind(&logical, &mut section), span: start..line.end });
            }
        }
        if let Some((logical, start)) = pending {
            entries.push(Entry { kind: kind(&logical, &mut section), span: start..text.len() });
        }
        Self { text: text.to_owned(), entries }
    }

    /// All of it, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The assignments of a setting, in order, each with its entry's bytes. Names are case-sensitive.
    pub fn assignments(
        &self,
        section: &str,
        key: &str,
    ) -> impl Iterator<Item = (&Assignment, &Range<usize>)> {
        self.entries.iter().filter_map(move |entry| match &entry.kind {
            EntryKind::Assignment(it) if it.section == section && it.key == key => Some((it, &entry.span)),
            _ => None,
        })
    }

    /// The bytes of the file at a place.
    #[must_use]
    pub fn source(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// The line on which an offset of the file is, from 1.
    #[must_use]
    pub fn line(&self, offset: usize) -> usize {
        lines(&self.text).take_while(|line| line.start <= offset).count().max(1)
    }
}

impl fmt::Display for UnitFile {
    /// The text as it was read, byte for byte.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.iter().try_for_each(|entry| f.write_str(self.source(&entry.span)))
    }
}

/// The lines with their ends. As in systemd's `read_line`, two different line ends in a row are one.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let end = match rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            None => bytes.len(),
            Some(at) => match (rest[at], rest.get(at + 1)) {
                (b'\n', Some(b'\r')) | (b'\r', Some(b'\n')) => start + at + 2,
                _ => start + at + 1,
            },
        };
        let line = start..end;
        start = end;
        Some(line)
    })
}

/// A line without its end, and the first line without its byte order mark.
fn content(text: &str, line: &Range<usize>) -> Range<usize> {
    let end = line.start + text[line.clone()].trim_end_matches(['\n', '\r']).len();
    let mark = if line.start == 0 && text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    line.start + mark..end.max(line.start + mark)
}

fn goes_on(text: &str) -> bool {
    text.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

fn kind(line: &Logical, section: &mut Option<String>) -> EntryKind {
    let line = line.trimmed();
    let text = line.as_str();
    if text.is_empty() {
        return EntryKind::Blank;
    }
    if let Some(rest) = text.strip_prefix('[') {
        let Some(name) = rest.strip_suffix(']') else { return EntryKind::Ignored };
        *section = Some(name.to_owned());
        return EntryKind::Section(name.to_owned());
    }
    match (section, text.find('=')) {
        (Some(section), Some(equals)) => EntryKind::Assignment(Assignment {
            section: section.clone(),
            key: text[..equals].trim_matches(BLANK).to_owned(),
            value: value(&line, equals),
        }),
        _ => EntryKind::Ignored,
    }
}

fn value(line: &Logical, equals: usize) -> Logical {
    line.part(equals + 1..line.as_str().len()).trimmed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        let file = UnitFile::parse(text);
        assert_eq!(file.to_string(), text);
        let show = |entry: &Entry| {
            let line = file.line(entry.span.start);
            match &entry.kind {
                EntryKind::Assignment(it) => {
                    format!("{line} {}.{} = {:?}", it.section, it.key, it.value.as_str())
                }
                other => format!("{line} {other:?}"),
            }
        };
        file.entries().iter().map(show).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn lines_are_read_as_systemd_reads_them() {
        insta::assert_snapshot!(shown("\
A=0
[Service]
# comment \\
; another
 Key =  value with = and # inside
Exec=a \\
  # a comment in between
  b\\\\

no equals sign
[Broken
B=1 \\

[Install]
Last=x\\"), @r#"
        1 Ignored
        2 Section("Service")
        3 Comment
        4 Comment
        5 Service.Key = "value with = and # inside"
        6 Service.Exec = "a    b\\\\"
        9 Blank
        10 Ignored
        11 Ignored
        12 Service.B = "1"
        14 Section("Install")
        15 Install.Last = "x"
        "#);
    }

    #[test]
    fn every_kind_of_line_end_is_one() {
        insta::assert_snapshot!(shown("\u{feff}[A]\r\nB=1 \\\r\n2\rC=3\n\rD=4\n\nE=5\r"), @r#"
        1 Section("A")
        2 A.B = "1  2"
        4 A.C = "3"
        5 A.D = "4"
        6 Blank
        7 A.E = "5"
        "#);
    }

    #[test]
    fn a_part_of_a_value_knows_its_place_in_the_file() {
        let file = UnitFile::parse("[S]\nK= a \\\n# no\n bc \n");
        let mut values = file.assignments("S", "K").map(|(it, _)| &it.value);
        let value = values.next().expect("it is there");
        assert_eq!(value.as_str(), "a   bc");
        assert_eq!(file.source(&value.span(&(4..6))), "bc");
        assert_eq!(file.source(&value.span(&(0..6))), "a \\\n# no\n bc");
        assert_eq!(values.next(), None);
    }

    proptest! {
        #[test]
        fn every_text_is_printed_as_it_was(text in r"(?s).*") {
            prop_assert_eq!(UnitFile::parse(&text).to_string(), text);
        }

        #[test]
        fn every_text_that_looks_like_a_unit_is_printed_as_it_was(
            lines in prop::collection::vec("[ \t]?(\u{feff}|#|;|\\[[A-Z]\\]?|[A-Z]+=)?[a-z\"' =\u{e9}]*\\\\{0,3}(\r\n|\n|\r|\n\r|)", 0..12)
        ) {
            let text = lines.concat();
            let file = UnitFile::parse(&text);
            prop_assert_eq!(file.to_string(), text.as_str());
            for entry in file.entries() {
                if let EntryKind::Assignment(it) = &entry.kind {
                    for (at, byte) in it.value.as_str().bytes().enumerate() {
                        let source = text.as_bytes()[it.value.origin[at]];
                        prop_assert!(byte == source || (byte, source) == (b' ', b'\\'));
                    }
                }
            }
        }
    }
}
