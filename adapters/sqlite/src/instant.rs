//! What lists order by: the instant of a time that is stored as text, in several spellings.
//!
//! Indexes hold these expressions, and the original program, with another version of SQLite, keeps them up to date. So they are made
//! of what every version computes alike: `datetime()` differs for days that do not exist, and a fraction read as REAL in its last bit.

/// Of a column's time the whole seconds since 1970, in SQL. NULL, as for no time, for what only some versions of SQLite can read.
macro_rules! seconds {
    ($column:literal) => {
        concat!(
            "CASE WHEN ",
            $column,
            " GLOB '????-*' AND substr(",
            $column,
            ", 12, 2) < '24' THEN CAST(strftime('%s', CASE WHEN substr(",
            $column,
            ", 20, 1) = '.' THEN substr(",
            $column,
            ", 1, 19) || CASE WHEN substr(",
            $column,
            ", -6, 1) IN ('+', '-') THEN substr(",
            $column,
            ", -6) ELSE '' END ELSE ",
            $column,
            " END) AS INTEGER) END"
        )
    };
}

/// Of a column's time the fraction of the second, in SQL: a point and digits, whose order as text is that of their numbers.
macro_rules! fraction {
    ($column:literal) => {
        concat!(
            "CASE WHEN substr(",
            $column,
            ", 20, 1) = '.' THEN rtrim(substr(",
            $column,
            ", 20, length(",
            $column,
            ") - CASE WHEN substr(",
            $column,
            ", -6, 1) IN ('+', '-') THEN 25 ELSE 19 END), 'Zz0.') ELSE '' END"
        )
    };
}

/// The terms of an ORDER BY that puts a column's earliest time first.
macro_rules! oldest_first {
    ($column:literal) => {
        concat!(
            $crate::instant::seconds!($column),
            ", ",
            $crate::instant::fraction!($column)
        )
    };
}

/// The terms of an ORDER BY that puts a column's latest time first.
macro_rules! newest_first {
    ($column:literal) => {
        concat!(
            $crate::instant::seconds!($column),
            " DESC, ",
            $crate::instant::fraction!($column),
            " DESC"
        )
    };
}

pub(crate) use {fraction, newest_first, oldest_first, seconds};

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    /// What SQLite 3.40, 3.51 and 3.54 make of these texts.
    #[test]
    fn every_spelling_of_an_instant_comes_to_the_same() {
        let connection = Connection::open_in_memory().unwrap();
        let sql = concat!(
            "SELECT ",
            seconds!("t"),
            ", ",
            fraction!("t"),
            " FROM (SELECT ?1 AS t)"
        );
        let noon = 1_767_268_800;
        for (text, seconds, fraction) in [
            ("2026-01-01T12:00:00.002877+00:00", Some(noon), ".002877"),
            ("2026-01-01 12:00:00.002877", Some(noon), ".002877"),
            ("2026-01-01T09:00:00.9996-03:00", Some(noon), ".9996"),
            ("2026-01-01T12:00:00.500Z", Some(noon), ".5"),
            ("2026-01-01T12:00:00.000000+00:00", Some(noon), ""),
            ("2026-01-01T12:00:00Z", Some(noon), ""),
            ("2026-01-01T12:00:00+00:00", Some(noon), ""),
            ("2026-01-01T12:00+00:00", Some(noon), ""),
            ("2026-01-01", Some(noon - 43_200), ""),
            ("1969-12-31T23:59:59.5", Some(-1), ".5"),
            (
                "9999-12-31T23:59:59.999999+00:00",
                Some(253_402_300_799),
                ".999999",
            ),
            ("0001-01-01T00:00:00", Some(-62_135_596_800), ""),
            // A day that does not exist is one of the next month, in every version.
            ("2026-02-30T12:00:00.5", Some(1_772_452_800), ".5"),
            ("2026-01-01T24:00:00", None, ""),
            ("2026-01-01T24:30:00", None, ""),
            ("12:00", None, ""),
            ("2459945.5", None, ""),
            ("now", None, ""),
            ("", None, ""),
        ] {
            let found: (Option<i64>, String) = connection
                .query_row(sql, [text], |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap();
            assert_eq!(found, (seconds, fraction.to_owned()), "{text}");
        }
    }
}
