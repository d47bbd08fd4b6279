//! Random values that are likely to meet again, and likely to hurt.

use cutover_domain::json::Json;
use cutover_domain::time::{LegacyZone, Timestamp};
use cutover_ports::PageRequest;

/// A small generator (SplitMix64): the same seed gives the same values for ever.
pub(crate) struct Random(u64);

/// Texts; without NUL, which PostgreSQL refuses.
const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "Z",
    "_",
    "É",
    "e\u{301}",
    "avaliação 😀",
    "ß",
    "\u{feff}bom",
    "%_\\",
    "'; DROP TABLE experiments; --",
    "\"\t\n\r\u{1}\u{7f}",
    "null",
    "0",
    "\u{10ffff}",
    "{}",
    "\\u0000",
];

/// Documents that both databases hold.
const DOCUMENTS: &[&str] = &[
    "{}",
    "[]",
    "null",
    "\"\"",
    "0",
    "-0.0",
    "[1.50, 1e2, -0, 0.1]",
    r#"{"b": 1, "a": {"": [null, true]}}"#,
    r#"{"é": "\u00e9\ud83d\ude00é😀", "q": "\"\\\/"}"#,
    r#"{"dup": 1, "dup": 2}"#,
    "[12345678901234567890123456789.000000000000000000001, 1e-300, 1e300]",
    r#"{"success_rate": 0.5, "fail_rate": 0.25}"#,
    r#"{"success_rate": 1, "fail_rate": 0}"#,
    r#"{"success_rate": 0.50}"#,
    r#"{"success_rate": "0.9"}"#,
    r#"[[[[[[[[[["deep"]]]]]]]]]]"#,
];

const TIMES: &[&str] = &[
    "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999999Z",
    "1970-01-01T00:00:00Z",
    "2026-01-01T12:00:00Z",
    "2026-01-01T12:00:00.000001Z",
    "2026-01-01T12:00:00.999999Z",
    "2026-01-01T12:00:01Z",
    "2026-02-28T23:59:59.999500Z",
    "9999-12-31T23:59:59Z",
];

const INTEGERS: &[i64] = &[0, 1, -1, 2, 7, 500, i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1];
const REALS: &[f64] = &[
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    0.1 + 0.2,
    0.5,
    1e300,
    -1e300,
    5e-324,
    f64::MIN_POSITIVE,
    f64::MAX,
];

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end)).unwrap()
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn one_of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(u32::try_from(items.len()).unwrap()) as usize].clone()
    }

    pub(crate) fn opt<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.once_in(3) { None } else { Some(value(self)) }
    }

    /// Up to `most` values.
    pub(crate) fn some<T>(&mut self, most: u32, mut value: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| value(self)).collect()
    }

    /// A key of this kind: one of a few, so that it is often taken and often missing; now and then anything.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        if self.once_in(25) {
            self.text()
        } else {
            format!("{prefix}{:08x}", self.below(6))
        }
    }

    pub(crate) fn text(&mut self) -> String {
        match self.below(12) {
            0 => self
                .one_of(&["é", "😀", "x"])
                .repeat(self.one_of(&[99, 100, 101, 500, 501, 2001])),
            1 => format!("{}{}", self.one_of(TEXTS), self.one_of(TEXTS)),
            _ => self.one_of(TEXTS).to_owned(),
        }
    }

    pub(crate) fn opt_text(&mut self) -> Option<String> {
        self.opt(Self::text)
    }

    pub(crate) fn json(&mut self) -> Json {
        if self.once_in(4) {
            let rate = f64::from(self.below(1000)) / 1000.0;
            return Json::parse(format!("{{\"success_rate\": {rate}, \"n\": {}}}", self.next())).unwrap();
        }
        Json::parse(self.one_of(DOCUMENTS)).unwrap()
    }

    pub(crate) fn time(&mut self) -> Timestamp {
        if self.once_in(3) {
            let micros = 1_767_268_800_000_000 + i64::from(self.below(4_000_000));
            return Timestamp::from_micros(micros).unwrap();
        }
        Timestamp::parse(self.one_of(TIMES), &LegacyZone::utc()).unwrap()
    }

    pub(crate) fn integer(&mut self) -> i64 {
        self.one_of(INTEGERS)
    }

    pub(crate) fn real(&mut self) -> f64 {
        if self.once_in(2) {
            f64::from(self.below(1_000_000)) / 999_983.0
        } else {
            self.one_of(REALS)
        }
    }

    /// A number whose means both databases can be asked for.
    pub(crate) fn rate(&mut self) -> f64 {
        if self.once_in(4) {
            self.one_of(&[0.0, 1.0, -1.0, 1.5])
        } else {
            f64::from(self.below(100)) / 99.0
        }
    }

    pub(crate) fn page(&mut self) -> PageRequest {
        PageRequest {
            limit: self.one_of(&[0, 1, 2, 3, 50, u32::MAX]),
            offset: self.one_of(&[0, 0, 0, 1, 2, 3, 1000, u64::MAX]),
        }
    }
}
