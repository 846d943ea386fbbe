//! `LevelDB`'s log format: records in blocks of 32 KiB, each piece with a masked CRC32C. MANIFESTs and
//! journals are in it.
//!
//! Stricter than the engines, which drop what does not fit: here only a tail that a crash can leave behind is
//! dropped. It does not know what the records mean.

use std::io::{self, Read};
use std::ops::Range;

const BLOCK: usize = 32 * 1024;
const HEADER: usize = 7;

/// No engine comes near: a record of this size would list some three million tables.
const MAX_RECORD: usize = 256 << 20;

const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

/// Why the next record could not be had.
#[derive(Debug)]
pub(crate) enum LogError {
    Read(io::Error),
    Corrupt { offset: u64, problem: &'static str },
}

/// The records of one file, from its beginning.
pub(crate) struct Records<R> {
    source: R,
    block: Box<[u8]>,
    /// Bytes of `block` that are the file's: all but in the last block.
    filled: usize,
    /// Where in `block` the next piece begins.
    at: usize,
    /// Where in the file `block` begins.
    base: u64,
    record: Vec<u8>,
    record_offset: u64,
    torn: bool,
}

/// One piece of a record: all of it, or the part of it that lies in one block.
struct Piece {
    kind: u8,
    bytes: Range<usize>,
    offset: u64,
}

impl<R: Read> Records<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            block: vec![0; BLOCK].into_boxed_slice(),
            filled: 0,
            at: 0,
            base: 0,
            record: Vec::new(),
            record_offset: 0,
            torn: false,
        }
    }

    /// Whether the file ended inside a record. To be asked once [`next`](Self::next) has answered `None`.
    pub(crate) fn torn(&self) -> bool {
        self.torn
    }

    /// Where in the file the record that [`next`](Self::next) returned last begins.
    pub(crate) fn record_offset(&self) -> u64 {
        self.record_offset
    }

    /// The next whole record; `None` at the end, torn or not.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, LogError> {
        let mut begun = false;
        self.record.clear();
        loop {
            let Some(piece) = self.piece()? else {
                self.torn |= begun;
                return Ok(None);
            };
            match (piece.kind, begun) {
                // An old LevelDB could leave an empty FIRST at the end of a block and begin again in the next
                // one.
                (FULL | FIRST, true) if !self.record.is_empty() => {
                    return Err(corrupt(piece.offset, "a record begins inside another"));
                }
                (MIDDLE | LAST, false) => {
                    return Err(corrupt(piece.offset, "a record without its beginning"));
                }
                (FULL | FIRST, _) => self.record_offset = piece.offset,
                _ => {}
            }
            if self.record.len() + piece.bytes.len() > MAX_RECORD {
                return Err(corrupt(self.record_offset, "a record of more than 256 MiB"));
            }
            self.record.extend_from_slice(&self.block[piece.bytes]);
            begun = true;
            if matches!(piece.kind, FULL | LAST) {
                return Ok(Some(&self.record));
            }
        }
    }

    fn piece(&mut self) -> Result<Option<Piece>, LogError> {
        // What is left of a block when no header fits into it is padding.
        if BLOCK - self.at < HEADER || self.base == 0 && self.filled == 0 {
            self.read_block()?;
        }
        let offset = self.base + self.at as u64;
        let rest = &self.block[self.at..self.filled];
        let Some((header, data)) = rest.split_first_chunk::<HEADER>() else {
            self.torn = !rest.is_empty();
            return Ok(None);
        };
        let [.., low, high, kind] = *header;
        let length = usize::from(u16::from_le_bytes([low, high]));
        if *header == [0; HEADER] {
            // What a file system leaves when the power fails: the file's new length, but not its bytes.
            if data.iter().all(|&byte| byte == 0) && self.zero_to_the_end()? {
                self.torn = true;
                return Ok(None);
            }
            return Err(corrupt(offset, "zeros inside the file"));
        }
        if length > data.len() {
            if self.filled == BLOCK {
                return Err(corrupt(offset, "a record is longer than its block"));
            }
            if !is_tear(rest) {
                return Err(corrupt(offset, "a record is longer than what is left of the file"));
            }
            self.torn = true;
            return Ok(None);
        }
        if !checks(*header, &rest[HEADER - 1..HEADER + length]) {
            return Err(corrupt(offset, "checksum mismatch"));
        }
        if !(FULL..=LAST).contains(&kind) {
            return Err(corrupt(offset, "unknown kind of record"));
        }
        let begin = self.at + HEADER;
        self.at = begin + length;
        Ok(Some(Piece { kind, bytes: begin..begin + length, offset }))
    }

    fn read_block(&mut self) -> Result<(), LogError> {
        self.base += self.filled as u64;
        self.at = 0;
        self.filled = 0;
        while self.filled < BLOCK {
            match self.source.read(&mut self.block[self.filled..]) {
                Ok(0) => break,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(LogError::Read(error)),
            }
        }
        Ok(())
    }

    /// Whether nothing but zeros follows this block. Consumes the file.
    fn zero_to_the_end(&mut self) -> Result<bool, LogError> {
        loop {
            self.read_block()?;
            if self.filled == 0 {
                return Ok(true);
            }
            if self.block[..self.filled].iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
        }
    }
}

fn corrupt(offset: u64, problem: &'static str) -> LogError {
    LogError::Corrupt { offset, problem }
}

/// Whether `rest`, the end of the file from a header on that promises more than there is, is what an
/// interrupted append leaves. It is not when the record is whole but for its length, or when whole records
/// follow: then the length is damaged, and calling it a tear would drop records that are there.
fn is_tear(rest: &[u8]) -> bool {
    let whole_at = |from: usize| {
        let Some((header, data)) = rest[from..].split_first_chunk::<HEADER>() else { return false };
        let [.., low, high, kind] = *header;
        let length = usize::from(u16::from_le_bytes([low, high]));
        (FULL..=LAST).contains(&kind)
            && length <= data.len()
            && checks(*header, &rest[from + HEADER - 1..from + HEADER + length])
    };
    let (header, _) = rest.split_first_chunk::<HEADER>().expect("the caller has read a header there");
    !checks(*header, &rest[HEADER - 1..]) && !(1..rest.len()).any(whole_at)
}

/// Whether the header's checksum is that of `body`, the kind and the data. It is masked (rotated, and a
/// constant added), since checksums of data that holds checksums are weak.
fn checks(header: [u8; HEADER], body: &[u8]) -> bool {
    let [a, b, c, d, ..] = header;
    u32::from_le_bytes([a, b, c, d]) == mask(crc32c::crc32c(body))
}

fn mask(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
pub(crate) mod write {
    //! The other direction, for tests.

    use super::{BLOCK, FIRST, FULL, HEADER, LAST, MIDDLE, mask};

    /// Appends `record` to the log `file`.
    pub(crate) fn append(file: &mut Vec<u8>, mut record: &[u8]) {
        let mut first = true;
        loop {
            let mut room = BLOCK - file.len() % BLOCK;
            if room < HEADER {
                file.resize(file.len() + room, 0);
                room = BLOCK;
            }
            let (piece, rest) = record.split_at(record.len().min(room - HEADER));
            let kind = match (first, rest.is_empty()) {
                (true, true) => FULL,
                (true, false) => FIRST,
                (false, false) => MIDDLE,
                (false, true) => LAST,
            };
            let body = [&[kind], piece].concat();
            file.extend(mask(crc32c::crc32c(&body)).to_le_bytes());
            file.extend(u16::try_from(piece.len()).expect("a piece fits in a block").to_le_bytes());
            file.extend(body);
            if rest.is_empty() {
                return;
            }
            (first, record) = (false, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(file: &[u8]) -> Result<(Vec<Vec<u8>>, bool), LogError> {
        let mut records = Records::new(file);
        let mut all = Vec::new();
        while let Some(record) = records.next()? {
            all.push(record.to_vec());
        }
        Ok((all, records.torn()))
    }

    fn log(records: &[Vec<u8>]) -> Vec<u8> {
        let mut file = Vec::new();
        for record in records {
            write::append(&mut file, record);
        }
        file
    }

    fn of_lengths(lengths: &[usize]) -> Vec<Vec<u8>> {
        lengths.iter().zip(1..).map(|(&length, byte)| vec![byte; length]).collect()
    }

    #[test]
    fn a_checksum_is_masked_as_leveldb_masks_it() {
        // From LevelDB's util/crc32c_test.cc: the CRC of 32 zeros; the mask by hand from util/crc32c.h.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(mask(0x8a91_36aa), 0x0fd7_fffa);
    }

    #[test]
    fn zeros_after_the_last_record_are_a_torn_tail() {
        let mut file = log(&[b"one".to_vec()]);
        file.resize(3 * BLOCK + 5, 0);
        assert_eq!(read(&file).expect("only zeros follow"), (vec![b"one".to_vec()], true));
        *file.last_mut().expect("it is long") = 1;
        assert!(matches!(read(&file), Err(LogError::Corrupt { problem: "zeros inside the file", .. })));
    }

    #[test]
    fn an_empty_first_piece_at_the_end_of_a_block_is_passed_over() {
        let mut file = log(&[vec![7; BLOCK - 2 * HEADER]]);
        file.extend(mask(crc32c::crc32c(&[FIRST])).to_le_bytes());
        file.extend([0, 0, FIRST]);
        assert_eq!(file.len(), BLOCK);
        write::append(&mut file, b"again");
        let (records, torn) = read(&file).expect("LevelDB reads it too");
        assert_eq!((records.len(), records[1].as_slice(), torn), (2, b"again".as_slice(), false));
    }

    proptest! {
        #[test]
        fn records_of_any_length_are_read_back(
            lengths in prop::collection::vec(
                prop_oneof![0..100_usize, BLOCK - 20..BLOCK + 20, 0..3 * BLOCK], 0..12
            )
        ) {
            let records = of_lengths(&lengths);
            prop_assert_eq!(read(&log(&records)).expect("whole"), (records, false));
        }

        #[test]
        fn a_cut_log_gives_its_first_records_and_says_so(
            lengths in prop::collection::vec(0..2 * BLOCK, 1..4), cut in any::<prop::sample::Index>()
        ) {
            let records = of_lengths(&lengths);
            let file = log(&records);
            let cut = cut.index(file.len());
            let whole = (0..=records.len()).rev().find(|&n| log(&records[..n]).len() <= cut).expect("0 does");
            let (read, torn) = read(&file[..cut]).expect("a cut is a tear");
            prop_assert_eq!(&read, &records[..whole]);
            let boundary = log(&records[..whole]).len();
            // Padding up to the end of a block belongs to no record.
            let padding = BLOCK - boundary % BLOCK < HEADER && cut - boundary <= BLOCK - boundary % BLOCK;
            prop_assert_eq!(torn, cut != boundary && !padding);
        }

        #[test]
        fn any_bytes_end_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2 * BLOCK)) {
            let _ = read(&bytes);
        }
    }
}
