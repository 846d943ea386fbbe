//! Splits a command line into words as systemd does, and remembers where each word stands.
//!
//! Follows `extract_first_word` with `EXTRACT_UNQUOTE | EXTRACT_CUNESCAPE_RELAX`: quotes may begin anywhere
//! in a word, and an escape that systemd does not know stays as it is. Specifiers and variables stay, too.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

/// A word of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word without quotes and escapes.
    pub text: String,
    /// Where it stands in the value, with its quotes.
    pub(crate) part: Range<usize>,
}

/// A quote that is opened and not closed: systemd ignores the whole line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenQuote;

/// The words of a value, cut into commands at each word that is a bare `;`.
pub(crate) fn commands(value: &str) -> Result<Vec<Vec<Word>>, OpenQuote> {
    let mut commands = vec![Vec::new()];
    for word in words(value)? {
        match (&value[word.part.clone()], commands.last_mut()) {
            (";", _) => commands.push(Vec::new()),
            (r"\;", Some(command)) => command.push(Word { text: ";".to_owned(), ..word }),
            (_, Some(command)) => command.push(word),
            (_, None) => {}
        }
    }
    commands.retain(|command| !command.is_empty());
    Ok(commands)
}

fn words(value: &str) -> Result<Vec<Word>, OpenQuote> {
    let mut words = Vec::new();
    let mut chars = value.char_indices().peekable();
    loop {
        while chars.next_if(|(_, c)| is_blank(*c)).is_some() {}
        let Some(&(start, _)) = chars.peek() else { return Ok(words) };
        let text = word(&mut chars)?;
        let end = chars.peek().map_or(value.len(), |&(at, _)| at);
        words.push(Word { text, part: start..end });
    }
}

fn word(chars: &mut Peekable<CharIndices<'_>>) -> Result<String, OpenQuote> {
    let mut text = String::new();
    let mut quote = None;
    while let Some(&(_, c)) = chars.peek() {
        if quote.is_none() && is_blank(c) {
            break;
        }
        chars.next();
        match c {
            '\\' => unescape(chars, &mut text),
            c if quote == Some(c) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(c),
            c => text.push(c),
        }
    }
    if quote.is_some() { Err(OpenQuote) } else { Ok(text) }
}

/// The escapes of systemd.service(5) after their backslash; any other stays with its backslash.
fn unescape(chars: &mut Peekable<CharIndices<'_>>, text: &mut String) {
    let Some(&(_, c)) = chars.peek() else { return text.push('\\') };
    let simple = match c {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        's' => ' ',
        '\\' | '"' | '\'' => c,
        'x' => return numeric(chars, text, 1, 2, 16),
        'u' => return numeric(chars, text, 1, 4, 16),
        'U' => return numeric(chars, text, 1, 8, 16),
        '0'..='7' => return numeric(chars, text, 0, 3, 8),
        _ => return text.push('\\'),
    };
    chars.next();
    text.push(simple);
}

/// `skip` characters and then exactly `digits` of a base.
fn numeric(chars: &mut Peekable<CharIndices<'_>>, text: &mut String, skip: usize, digits: usize, base: u32) {
    let ahead: String = chars.clone().skip(skip).take(digits).map(|(_, c)| c).collect();
    let code = Some(&ahead).filter(|ahead| ahead.len() == digits && ahead.chars().all(|c| c.is_digit(base)));
    let code = code.and_then(|digits| u32::from_str_radix(digits, base).ok());
    // systemd refuses the zero byte; a byte above 127 alone is no text, and no node has it in its command.
    match code.filter(|code| *code != 0 && (*code < 128 || digits > 3)).and_then(char::from_u32) {
        None => text.push('\\'),
        Some(c) => {
            text.push(c);
            for _ in 0..skip + digits {
                chars.next();
            }
        }
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(value: &str) -> Vec<Vec<String>> {
        let texts = |command: Vec<Word>| command.into_iter().map(|word| word.text).collect();
        commands(value).map(|all| all.into_iter().map(texts).collect()).unwrap_or_default()
    }

    #[test]
    fn words_are_split_as_systemd_splits_them() {
        for (value, words) in [
            ("a  b\tc", vec!["a", "b", "c"]),
            (r#""a b" 'c "d"' e"f g"h"#, vec!["a b", "c \"d\"", "ef gh"]),
            (r"a\x20b c\tq \101\u00e9 \q \x0 \", vec!["a b", "c\tq", "Aé", r"\q", r"\x0", r"\"]),
            (r#""" x"#, vec!["", "x"]),
            (r#"'a\'b' "c\"d""#, vec!["a'b", "c\"d"]),
            ("%i $PEERS ${X} $$", vec!["%i", "$PEERS", "${X}", "$$"]),
            (r#"a \; ";" b;c"#, vec!["a", ";", ";", "b;c"]),
        ] {
            assert_eq!(split(value), [words], "{value}");
        }
        assert_eq!(split("a ; b c ;"), [vec!["a"], vec!["b", "c"]]);
        assert!(split("  ").is_empty());
    }

    #[test]
    fn a_quote_without_its_end_is_an_error() {
        for value in ["a 'b", "\"", "a\"b c"] {
            assert_eq!(commands(value), Err(OpenQuote), "{value}");
        }
    }

    proptest! {
        #[test]
        fn words_stand_where_they_say_and_in_order(value in ".*") {
            for command in commands(&value).unwrap_or_default() {
                let mut end = 0;
                for word in command {
                    prop_assert!(word.part.start >= end && !word.part.is_empty());
                    end = word.part.end;
                    let source = &value[word.part];
                    prop_assert!(source.contains(['"', '\'', '\\']) || source == word.text);
                }
            }
        }
    }
}
