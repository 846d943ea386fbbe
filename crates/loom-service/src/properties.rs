//! The text that `systemctl show` prints: blocks of `Name=value` lines.
//!
//! Does not know which properties there are.

use std::collections::BTreeMap;

/// The properties of one unit, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Properties(BTreeMap<String, String>);

impl Properties {
    /// Reads blocks, which are separated by empty lines: one for each unit asked for, in that order.
    pub(crate) fn parse_blocks(text: &str) -> Vec<Self> {
        let mut blocks = vec![Self::default()];
        for line in text.lines() {
            if line.is_empty() {
                blocks.push(Self::default());
            } else if let (Some((name, value)), Some(block)) = (line.split_once('='), blocks.last_mut()) {
                block.insert(name, value);
            }
        }
        blocks.retain(|block| !block.0.is_empty());
        blocks
    }

    /// A property that comes more than once (`ExecStart` of a oneshot) keeps all its lines.
    fn insert(&mut self, name: &str, value: &str) {
        let known = self.0.entry(name.to_owned()).or_default();
        if !known.is_empty() {
            known.push('\n');
        }
        known.push_str(value);
    }

    /// The value; empty if systemd did not print it (an older one leaves out what it does not know).
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The value, if it says something.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        Some(self.get(name)).filter(|value| !value.is_empty() && *value != "[not set]").map(str::to_owned)
    }

    /// A number of which 0 means none: process ids and job ids.
    pub(crate) fn id(&self, name: &str) -> Option<u32> {
        self.get(name).parse().ok().filter(|id| *id != 0)
    }

    /// A number; 0 if it is none.
    pub(crate) fn number(&self, name: &str) -> u32 {
        self.get(name).parse().unwrap_or(0)
    }

    /// A list, in which systemd quotes the words that need it as a shell would read them.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut word = None::<String>;
        let mut quoted = false;
        let mut chars = self.get(name).chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => {
                    quoted = !quoted;
                    word.get_or_insert_default();
                }
                '\\' => word.get_or_insert_default().extend(chars.next()),
                c if c.is_whitespace() && !quoted => words.extend(word.take()),
                c => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_the_order_of_the_units() {
        let blocks = Properties::parse_blocks("Id=a.service\nMainPID=7\n\nId=b.service\nMainPID=0\n");
        assert_eq!(blocks.iter().map(|b| b.get("Id")).collect::<Vec<_>>(), ["a.service", "b.service"]);
        assert_eq!(blocks.iter().map(|b| b.id("MainPID")).collect::<Vec<_>>(), [Some(7), None]);
    }

    #[test]
    fn a_value_may_hold_equals_signs_and_come_twice() {
        let blocks = Properties::parse_blocks("ExecStart={ argv[]=a --x=1 ; }\nExecStart={ argv[]=b ; }\n");
        assert_eq!(blocks[0].get("ExecStart"), "{ argv[]=a --x=1 ; }\n{ argv[]=b ; }");
    }

    #[test]
    fn words_that_systemd_quoted_are_one_word() {
        let blocks =
            Properties::parse_blocks("DropInPaths=/etc/a.conf \"/etc/b c.conf\" \"/etc/\\\"d.conf\"\n");
        assert_eq!(blocks[0].list("DropInPaths"), ["/etc/a.conf", "/etc/b c.conf", "/etc/\"d.conf"]);
        assert!(blocks[0].list("Wants").is_empty());
    }
}
