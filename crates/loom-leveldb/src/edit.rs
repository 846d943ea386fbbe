//! One record of a MANIFEST, a version edit: what it adds to and takes from the live set. Keys are passed
//! over.

/// A version edit, without the parts that are of no use here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct VersionEdit {
    pub(crate) comparator: Option<String>,
    pub(crate) log_number: Option<u64>,
    pub(crate) prev_log_number: Option<u64>,
    pub(crate) next_file_number: Option<u64>,
    pub(crate) last_sequence: Option<u64>,
    /// Level and number.
    pub(crate) deleted: Vec<(u32, u64)>,
    pub(crate) added: Vec<AddedTable>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AddedTable {
    pub(crate) level: u32,
    pub(crate) number: u64,
    pub(crate) size: u64,
}

impl VersionEdit {
    /// Decodes the bytes of one record; the error says what does not fit.
    pub(crate) fn decode(record: &[u8]) -> Result<Self, &'static str> {
        let mut rest = Fields(record);
        let mut edit = Self::default();
        while !rest.0.is_empty() {
            // The tags are those of LevelDB's db/version_edit.cc; 8 was in use for a while and is in no
            // released format.
            match rest.varint()? {
                1 => {
                    let name =
                        str::from_utf8(rest.bytes()?).map_err(|_| "the comparator's name is not text")?;
                    edit.comparator = Some(name.to_owned());
                }
                2 => edit.log_number = Some(rest.number()?),
                3 => edit.next_file_number = Some(rest.number()?),
                4 => edit.last_sequence = Some(rest.varint()?),
                5 => {
                    rest.level()?;
                    rest.bytes()?;
                }
                6 => edit.deleted.push((rest.level()?, rest.number()?)),
                7 => {
                    edit.added.push(AddedTable {
                        level: rest.level()?,
                        number: rest.number()?,
                        size: rest.number()?,
                    });
                    rest.bytes()?;
                    rest.bytes()?;
                }
                9 => edit.prev_log_number = Some(rest.number()?),
                _ => return Err("a version edit with an unknown tag"),
            }
        }
        Ok(edit)
    }
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Result<u64, &'static str> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or("a version edit ends inside a number")?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number of more than 64 bits in a version edit")
    }

    /// A file number or size: goleveldb keeps both in an `int64`.
    fn number(&mut self) -> Result<u64, &'static str> {
        let value = self.varint()?;
        if i64::try_from(value).is_ok() { Ok(value) } else { Err("a negative number in a version edit") }
    }

    fn level(&mut self) -> Result<u32, &'static str> {
        u32::try_from(self.varint()?).map_err(|_| "a level of more than 32 bits in a version edit")
    }

    fn bytes(&mut self) -> Result<&'a [u8], &'static str> {
        let length = usize::try_from(self.varint()?).map_err(|_| "a key longer than its version edit")?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or("a key longer than its version edit")?;
        self.0 = rest;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_edit_that_does_not_fit_is_refused() {
        let check = |record: &[u8], problem| assert_eq!(VersionEdit::decode(record), Err(problem));
        check(&[1, 2, 0xff, 0xfe], "the comparator's name is not text");
        check(&[2], "a version edit ends inside a number");
        check(&[2, 0x80], "a version edit ends inside a number");
        check(
            &[4, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2],
            "a number of more than 64 bits in a version edit",
        );
        check(
            &[2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            "a negative number in a version edit",
        );
        check(&[6, 0xff, 0xff, 0xff, 0xff, 0x7f, 1], "a level of more than 32 bits in a version edit");
        check(&[7, 0, 5, 10, 3, b'a', b'b'], "a key longer than its version edit");
        check(&[8], "a version edit with an unknown tag");
        // RocksDB's kNewFile2.
        check(&[100, 0], "a version edit with an unknown tag");
    }

    proptest! {
        #[test]
        fn any_bytes_end_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = VersionEdit::decode(&bytes);
        }
    }
}
