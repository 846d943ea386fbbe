//! A service definition: a unit file with its drop-ins, and the commands that are in force.

use std::path::{Path, PathBuf};

use crate::words::{OpenQuote, commands};
use crate::{CommandLine, UnitError, UnitFile};

/// One text of a service definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionText {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub file: UnitFile,
}

/// A unit file and its drop-ins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    texts: Vec<DefinitionText>,
}

impl Definition {
    /// From the unit file and then its drop-ins in the order in which systemd applies them (by file name,
    /// whatever the directory, as `systemctl show -p DropInPaths` has them).
    #[must_use]
    pub fn new<'a>(
        path: &'a Path,
        unit: &'a str,
        drop_ins: impl IntoIterator<Item = (&'a Path, &'a str)>,
    ) -> Self {
        let texts = std::iter::once((path, unit)).chain(drop_ins);
        let read = |(path, text): (&Path, &str)| DefinitionText {
            path: path.to_owned(),
            file: UnitFile::parse(text),
        };
        Self { texts: texts.map(read).collect() }
    }

    /// The unit file and its drop-ins.
    #[must_use]
    pub fn texts(&self) -> &[DefinitionText] {
        &self.texts
    }

    /// The unit file's own path.
    pub(crate) fn path(&self) -> &Path {
        self.texts.first().map_or(Path::new(""), |text| &text.path)
    }

    /// The commands of `ExecStart=` that are in force, in their order: those after the last empty one.
    ///
    /// # Errors
    /// [`UnitError::OpenQuote`] for a line that systemd would ignore.
    pub fn exec_start(&self) -> Result<Vec<CommandLine>, UnitError> {
        let mut in_force = Vec::new();
        for (text, DefinitionText { path, file }) in self.texts.iter().enumerate() {
            for (assignment, entry) in file.assignments("Service", "ExecStart") {
                let value = &assignment.value;
                if value.as_str().is_empty() {
                    in_force.clear();
                }
                let open_quote =
                    |_: OpenQuote| UnitError::OpenQuote { path: path.clone(), line: file.line(entry.start) };
                for words in commands(value.as_str()).map_err(open_quote)? {
                    let spans = words.iter().map(|word| value.span(&word.part)).collect();
                    in_force.push(CommandLine::new(words, spans, text, entry.clone()));
                }
            }
        }
        Ok(in_force)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CommandPrefix;

    fn programs(unit: &str, drop_ins: &[&str]) -> Result<Vec<String>, UnitError> {
        let path = Path::new("/etc/systemd/system/loom.service");
        let drop_ins = drop_ins.iter().map(|text| (Path::new("d.conf"), *text));
        let commands = Definition::new(path, unit, drop_ins).exec_start()?;
        Ok(commands.into_iter().map(|command| command.program).collect())
    }

    #[test]
    fn an_empty_assignment_resets_what_was_before_it_in_any_file() {
        let unit = "[Service]\nExecStart=/a\nExecStart=/b ; /c\nExecStartPre=/no\n[Unit]\nExecStart=/no\n";
        for (drop_ins, expected) in [
            (vec![], vec!["/a", "/b", "/c"]),
            (vec!["[Service]\nExecStart=/d\n"], vec!["/a", "/b", "/c", "/d"]),
            (vec!["[Service]\nExecStart=\nExecStart=/d\n"], vec!["/d"]),
            (vec!["[Service]\nExecStart=/d\n", "[Service]\nExecStart=\n"], vec![]),
        ] {
            assert_eq!(
                programs(unit, &drop_ins).as_deref(),
                Ok(&expected.iter().map(ToString::to_string).collect::<Vec<_>>()[..])
            );
        }
    }

    #[test]
    fn prefixes_are_no_part_of_the_program() {
        let unit = "[Service]\nExecStart=-@:/usr/bin/loom node run\n";
        let commands = Definition::new(Path::new("u"), unit, []).exec_start();
        let Ok([command]) = commands.as_deref() else { panic!("{commands:?}") };
        assert_eq!(command.program, "/usr/bin/loom");
        assert_eq!(
            command.prefixes,
            [CommandPrefix::Lenient, CommandPrefix::Renamed, CommandPrefix::Literal]
        );
        assert_eq!(command.arguments().collect::<Vec<_>>(), [(2, "run")]);
    }

    #[test]
    fn a_quote_without_its_end_is_named_with_its_line() {
        insta::assert_snapshot!(programs("[Service]\n\nExecStart=/usr/bin/loom 'run\n", &[]).err().map_or_else(String::new, |e| e.to_string()), @"line 3 of /etc/systemd/system/loom.service has a quote without its end");
    }
}
