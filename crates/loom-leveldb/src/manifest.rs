//! A whole MANIFEST: its version edits added up. It does not look at any other file.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use crate::edit::VersionEdit;
use crate::error::LevelDbError;
use crate::log::{LogError, Records};

/// What all version edits of a MANIFEST come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) comparator: String,
    /// (level, number) -> size.
    pub(crate) tables: BTreeMap<(u32, u64), u64>,
    pub(crate) log_number: u64,
    pub(crate) prev_log_number: u64,
    pub(crate) next_file_number: u64,
    pub(crate) last_sequence: u64,
    pub(crate) torn_tail: bool,
}

impl Manifest {
    /// Reads a MANIFEST to its end. `path` is for errors only.
    pub(crate) fn read(source: impl Read, path: &Path) -> Result<Self, LevelDbError> {
        let mut records = Records::new(source);
        let mut sum = Sum::default();
        let corrupt = |offset, problem| LevelDbError::Corrupt { path: path.to_owned(), offset, problem };
        loop {
            let edit = match records.next() {
                Ok(Some(record)) => VersionEdit::decode(record),
                Ok(None) => return sum.finish(records.torn(), path),
                Err(LogError::Corrupt { offset, problem }) => return Err(corrupt(offset, problem)),
                Err(LogError::Read(source)) => {
                    return Err(LevelDbError::Read { path: path.to_owned(), source });
                }
            };
            sum.add(edit.map_err(|problem| corrupt(records.record_offset(), problem))?);
        }
    }
}

#[derive(Default)]
struct Sum {
    scalars: VersionEdit,
    tables: BTreeMap<(u32, u64), u64>,
}

impl Sum {
    fn add(&mut self, edit: VersionEdit) {
        let scalars = &mut self.scalars;
        scalars.comparator = edit.comparator.or(scalars.comparator.take());
        scalars.log_number = edit.log_number.or(scalars.log_number);
        scalars.prev_log_number = edit.prev_log_number.or(scalars.prev_log_number);
        scalars.next_file_number = edit.next_file_number.or(scalars.next_file_number);
        scalars.last_sequence = edit.last_sequence.or(scalars.last_sequence);
        // Deletions first, as the engines do: an edit that moves a table deletes and adds one number.
        for table in &edit.deleted {
            self.tables.remove(table);
        }
        for table in &edit.added {
            self.tables.insert((table.level, table.number), table.size);
        }
    }

    fn finish(self, torn_tail: bool, path: &Path) -> Result<Manifest, LevelDbError> {
        let missing = |field| LevelDbError::Incomplete { path: path.to_owned(), field };
        let mut numbers: Vec<u64> = self.tables.keys().map(|&(_, number)| number).collect();
        numbers.sort_unstable();
        if let Some(twice) = numbers.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(LevelDbError::ListedTwice { path: path.to_owned(), number: twice[0] });
        }
        // The fields without which goleveldb does not open a database either.
        Ok(Manifest {
            comparator: self.scalars.comparator.ok_or_else(|| missing("comparator"))?,
            tables: self.tables,
            log_number: self.scalars.log_number.ok_or_else(|| missing("log number"))?,
            prev_log_number: self.scalars.prev_log_number.unwrap_or(0),
            next_file_number: self.scalars.next_file_number.ok_or_else(|| missing("next file number"))?,
            last_sequence: self.scalars.last_sequence.ok_or_else(|| missing("last sequence number"))?,
            torn_tail,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Edit, manifest};

    fn read(file: &[u8]) -> Result<Manifest, LevelDbError> {
        Manifest::read(file, Path::new("MANIFEST-000004"))
    }

    /// A database's life: created, three flushes, a compaction, a move.
    fn life() -> Vec<Vec<u8>> {
        vec![
            Edit::first().encode(),
            Edit::new().log(6).next(7).sequence(100).add(0, 5, 4_000).encode(),
            Edit::new().log(8).next(9).sequence(220).add(0, 7, 300_000).encode(),
            Edit::new().log(10).prev_log(8).next(11).sequence(500).add(0, 9, 70).encode(),
            Edit::new().next(13).compacted(0, b"key").delete(0, 5).delete(0, 7).add(1, 12, 290_000).encode(),
            Edit::new().delete(1, 12).add(2, 12, 290_000).encode(),
        ]
    }

    #[test]
    fn the_live_set_is_what_was_added_and_not_deleted() {
        insta::assert_debug_snapshot!(read(&manifest(&life())).expect("it is whole"), @r#"
        Manifest {
            comparator: "leveldb.BytewiseComparator",
            tables: {
                (
                    0,
                    9,
                ): 70,
                (
                    2,
                    12,
                ): 290000,
            },
            log_number: 10,
            prev_log_number: 8,
            next_file_number: 13,
            last_sequence: 500,
            torn_tail: false,
        }
        "#);
    }

    #[test]
    fn a_manifest_cut_anywhere_is_refused_or_gives_an_earlier_state_and_says_so() {
        let life = life();
        let whole = manifest(&life);
        for cut in 0..whole.len() {
            let edits = (0..=life.len())
                .rev()
                .find(|&n| manifest(&life[..n]).len() <= cut)
                .expect("none always fits");
            let boundary = manifest(&life[..edits]);
            match (read(&whole[..cut]), read(&boundary)) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(found.torn_tail, cut != boundary.len(), "cut at {cut}");
                    assert_eq!(Manifest { torn_tail: false, ..found }, expected, "cut at {cut}");
                }
                (Err(LevelDbError::Incomplete { .. }), Err(LevelDbError::Incomplete { .. })) => {}
                (found, _) => panic!("cut at {cut}: {found:?}"),
            }
        }
    }

    #[test]
    fn no_flipped_bit_changes_the_live_set() {
        let whole = manifest(&life());
        for (byte, bit) in (0..whole.len()).flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
            let mut flipped = whole.clone();
            flipped[byte] ^= 1 << bit;
            let found = read(&flipped);
            assert!(
                matches!(found, Err(LevelDbError::Corrupt { .. })),
                "bit {bit} of byte {byte}: {found:?}"
            );
        }
    }

    #[test]
    fn a_flip_in_a_record_of_many_blocks_is_found_or_is_in_the_padding() {
        let snapshot = (10..6_000).fold(Edit::first(), |edit, number| edit.add(1, number, number * 1_000));
        let whole = manifest(&[snapshot.encode(), life()[1].clone()]);
        assert!(whole.len() > 3 * 32 * 1024);
        let expected = read(&whole).expect("it is whole");
        for byte in (0..whole.len()).step_by(997) {
            let mut flipped = whole.clone();
            flipped[byte] ^= 0x10;
            match read(&flipped) {
                Ok(found) => assert_eq!(found, expected, "byte {byte}"),
                Err(error) => {
                    assert!(matches!(error, LevelDbError::Corrupt { .. }), "byte {byte}: {error:?}");
                }
            }
        }
    }

    #[test]
    fn what_an_engine_would_not_open_is_refused() {
        let refusal = |edits: &[Edit]| {
            let edits: Vec<_> = edits.iter().map(|edit| edit.clone().encode()).collect();
            read(&manifest(&edits)).expect_err("it is not whole").to_string()
        };
        insta::assert_snapshot!(refusal(&[]), @"MANIFEST-000004 holds no comparator");
        let nothing_but_a_name = Edit::new().comparator("leveldb.BytewiseComparator");
        insta::assert_snapshot!(refusal(&[nothing_but_a_name]), @"MANIFEST-000004 holds no log number");
        let twice = Edit::new().add(1, 5, 9).add(2, 5, 9);
        insta::assert_snapshot!(
            refusal(&[Edit::first(), twice]),
            @"MANIFEST-000004 lists table 5 at two levels"
        );
        let of_rocksdb = Edit::raw(&[100, 1]);
        insta::assert_snapshot!(
            refusal(&[Edit::first(), of_rocksdb]),
            @"MANIFEST-000004 is damaged at byte 41: a version edit with an unknown tag"
        );
    }

    proptest! {
        #[test]
        fn the_live_set_agrees_with_a_plain_model(
            steps in prop::collection::vec(
                prop::collection::vec((any::<bool>(), 0..4_u32, 0..30_u64, 0..1_u64 << 40), 0..8), 0..20
            )
        ) {
            let mut model = BTreeMap::new();
            let mut edits = vec![Edit::first().encode()];
            for step in steps {
                let mut edit = Edit::new();
                // One number lives at one level.
                for &(_, level, number, _) in step.iter().filter(|step| !step.0) {
                    edit = edit.delete(level, number * 4 + u64::from(level));
                    model.remove(&(level, number * 4 + u64::from(level)));
                }
                for &(_, level, number, size) in step.iter().filter(|step| step.0) {
                    edit = edit.add(level, number * 4 + u64::from(level), size);
                    model.insert((level, number * 4 + u64::from(level)), size);
                }
                edits.push(edit.encode());
            }
            prop_assert_eq!(read(&manifest(&edits)).expect("it is whole").tables, model);
        }

        #[test]
        fn any_bytes_end_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let _ = read(&bytes);
            let _ = read(&manifest(&[bytes]));
        }
    }
}
