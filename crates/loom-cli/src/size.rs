//! Sizes as people write and read them.

/// Bytes with a unit of 1024: `1.9 GiB`.
pub(crate) fn human(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{size:.1} {}", UNITS[unit]) }
}

/// `2GiB`, `500 MiB`, `1048576`; units of 1024 and, without the `i`, of 1000.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "kB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return Err(format!("{text:?} is not a size (such as 2GiB or 500MB)")),
    };
    let number: u64 =
        number.parse().map_err(|_| format!("{text:?} is not a size (such as 2GiB or 500MB)"))?;
    number.checked_mul(factor).ok_or_else(|| format!("{text:?} is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_as_people_do() {
        let parsed = ["0", "512", "2GiB", "2 GiB", "500MB", "1TiB"].map(|text| parse(text).ok());
        assert_eq!(parsed, [0, 512, 2 << 30, 2 << 30, 500_000_000, 1 << 40].map(Some));
        for wrong in ["", "GiB", "-1", "1.5GiB", "2 gigs", "99999999999TiB"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!([0, 1023, 1024, 2_000_000_000].map(human), ["0 B", "1023 B", "1.0 KiB", "1.9 GiB"]);
    }
}
