//! Dates and times: one type only if every spelling comes back, and no word of a file read by PostgreSQL.

use crate::theme::Theme;

const DATE: &str = "date";
const TEXT: &str = "text";
const TIMESTAMP: &str = "timestamp without time zone";
const TIMESTAMPTZ: &str = "timestamp with time zone";

#[tokio::test]
async fn well_formed_dates_and_times_without_a_zone() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, d DATE, dt DATETIME, ts TIMESTAMP, iso DATETIME, milli DATETIME, micro DATETIME);
         INSERT INTO t VALUES
             (1, '2024-01-31', '2024-01-31 10:20:30', '2024-02-29 23:59:59', '2024-01-31T10:20:30', '2024-01-31 10:20:30.000', '2024-01-31 10:20:30.123456'),
             (2, '0001-01-01', '1969-12-31 23:59:59', '2000-01-01 00:00:00', '1970-01-01T00:00:00', '2024-01-31 10:20:30.120', '2024-01-31 10:20:30.000000'),
             (3, '9999-12-31', NULL, '1582-10-10 00:00:00', '9999-12-31T23:59:59', '1900-01-01 00:00:00.001', '2024-01-31 10:20:30.100000');",
    );
    let copied = theme.equal().await;
    copied.is("t", "d", DATE);
    for column in ["dt", "ts", "iso", "milli", "micro"] {
        copied.is_one_of("t", column, &[TIMESTAMP, TEXT]);
    }
    copied.is("t", "dt", TIMESTAMP);
    let first = copied
        .query("SELECT to_char(dt, 'YYYY-MM-DD HH24:MI:SS') FROM t WHERE id = 1")
        .await;
    assert_eq!(first, [[Some("2024-01-31 10:20:30".to_owned())]]);
}

#[tokio::test]
async fn one_column_written_by_several_programs() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, ts DATETIME);
         INSERT INTO t (ts) VALUES ('2024-01-31 10:20:30'), ('2024-01-31T10:20:30'), ('2024-01-31 10:20'), ('2024-01-31'), ('2024-01-31 10:20:30.000'),
             ('2024-01-31T10:20:30.5'), ('2024-01-31 00:00:00'), (NULL);",
    );
    let copied = theme.equal().await;
    copied.is_one_of("t", "ts", &[TIMESTAMP, TEXT]);
}

#[tokio::test]
async fn offsets_of_every_form() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, mixed DATETIME, zoned TIMESTAMP, utc DATETIME, z DATETIME);
         INSERT INTO t VALUES
             (1, '2024-01-31 10:20:30', '2024-01-31 10:20:30+02:00', '2024-01-31T10:20:30+00:00', '2024-01-31T10:20:30Z'),
             (2, '2024-01-31T10:20:30Z', '2024-01-31 10:20:30-03:30', '2024-01-31T23:59:59+00:00', '1999-12-31T23:59:59Z'),
             (3, '2024-01-31 10:20:30+02:00', '2024-01-31 10:20:30+00:00', '1970-01-01T00:00:00+00:00', '2024-02-29T00:00:00Z'),
             (4, '2024-01-31 10:20:30-0330', NULL, NULL, NULL), (5, '2024-01-31 10:20:30+00', '2024-01-31 10:20:30+14:00', NULL, NULL);",
    );
    let copied = theme.equal().await;
    copied
        .is("t", "mixed", TEXT)
        .is_one_of("t", "zoned", &[TIMESTAMPTZ, TEXT]);
    copied
        .is_one_of("t", "utc", &[TIMESTAMPTZ, TEXT])
        .is_one_of("t", "z", &[TIMESTAMPTZ, TEXT]);
}

#[tokio::test]
async fn fractions_of_a_second_of_every_length() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, fine DATETIME, upto DATETIME, comma DATETIME);
         INSERT INTO t VALUES
             (1, '2024-01-31 10:20:30.123', '2024-01-31 10:20:30.1', '2024-01-31 10:20:30,123'),
             (2, '2024-01-31 10:20:30.123456', '2024-01-31 10:20:30.10', '2024-01-31 10:20:30,5'),
             (3, '2024-01-31 10:20:30.1234567', '2024-01-31 10:20:30.123456', NULL),
             (4, '2024-01-31 10:20:59.9999999', '2024-01-31 10:20:30.120000', NULL),
             (5, '2024-01-31 10:20:30.123456789', '2024-01-31 10:20:30', NULL),
             (6, '2024-01-31 10:20:30.000000000', '2024-01-31 10:20:30.000', NULL);",
    );
    let copied = theme.equal().await;
    copied
        .is("t", "fine", TEXT)
        .is_one_of("t", "upto", &[TIMESTAMP, TEXT])
        .is("t", "comma", TEXT);
}

#[tokio::test]
async fn seconds_milliseconds_and_days_in_datetime_columns() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, seconds DATETIME, millis TIMESTAMP, micros DATETIME, reals DATETIME, julian DATETIME, mixed DATETIME);
         INSERT INTO t VALUES (1, 1706696430, 1706696430123, 1706696430123456, 1706696430.123, 2460340.93090278, '2024-01-31 10:20:30'),
                              (2, 0, -1, 0, 0.5, 2440587.5, 1706696430), (3, NULL, NULL, NULL, NULL, NULL, 1706696430.5);",
    );
    let copied = theme.equal().await;
    for column in ["seconds", "millis", "micros"] {
        copied.is("t", column, "bigint");
    }
    copied
        .is_one_of("t", "reals", &["double precision", "numeric"])
        .is_one_of("t", "julian", &["double precision", "numeric"]);
    copied.is_mixed("t", "mixed");
}

#[tokio::test]
async fn numbers_in_date_columns() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, packed DATE, serial DATE, year DATE);
         INSERT INTO t VALUES (1, 20240131, 45322, 2024), (2, 19991231, 0, 1999), (3, NULL, 45322, NULL);",
    );
    let copied = theme.equal().await;
    for column in ["packed", "serial", "year"] {
        copied.is("t", column, "bigint");
    }
}

#[tokio::test]
async fn days_and_times_that_there_are_not() {
    let values = [
        "0000-01-01",
        "10000-01-01",
        "99999-01-01",
        "-4713-11-24",
        "2024-01-31 24:00:00",
        "2016-12-31 23:59:60",
        "2024-02-30",
        "2023-02-29",
        "0000-00-00",
        "0000-00-00 00:00:00",
        "2024-13-01",
        "2024-01-31 25:00:00",
        "2024-01-31 10:60:00",
        "2024-1-5",
        "2024-00-10",
    ];
    // A column for each, next to a good one: one bad value among others would hide the rest.
    let columns: Vec<String> = (0..values.len())
        .map(|number| format!("c{number} DATETIME"))
        .collect();
    let good = ", '2024-01-31'".repeat(values.len());
    let bad = values.map(|value| format!(", '{value}'")).concat();
    let all = values.map(|value| format!("('{value}')")).join(", ");
    let theme = Theme::new(format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, {}); INSERT INTO t VALUES (1{good}), (2{bad});
         CREATE TABLE together (d DATE); INSERT INTO together VALUES {all};",
        columns.join(", ")
    ));
    let copied = theme.equal().await;
    for number in 1..values.len() {
        copied.is("t", &format!("c{number}"), TEXT);
    }
    copied.is("together", "d", TEXT);
}

#[tokio::test]
async fn dates_with_times_of_day_and_in_other_orders() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, d DATE, clock TIME, short DATE, slashes DATE, german DATE, month DATE);
         INSERT INTO t VALUES (1, '2024-01-31', '10:20:30', '31/01/24', '01/02/2024', '31.12.1999', '2024-01'),
                              (2, '2024-01-31 10:20:30', '23:59', '24-01-31', '12/31/2024', '01.02.2003', '2024'),
                              (3, '2024-01-31T00:00:00', '10:20:30.5', '1/2/3', '2024/01/31', '', '2024-W05-3');",
    );
    let copied = theme.equal().await;
    copied
        .is_one_of("t", "d", &[TEXT, TIMESTAMP])
        .is_one_of("t", "clock", &[TEXT, "time without time zone"]);
    for column in ["short", "slashes", "german"] {
        copied.is("t", column, TEXT);
    }
    // A year alone is a number in a column of this affinity.
    copied.is_mixed("t", "month");
}

#[tokio::test]
async fn words_that_postgresql_would_take_for_a_time() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, d DATE, ts TIMESTAMP, c TIME);
         INSERT INTO t (d, ts, c) VALUES ('now', 'now', 'now'), ('today', 'today', 'allballs'), ('tomorrow', 'yesterday', '10:00'),
             ('epoch', 'epoch', '10:00'), ('infinity', '-infinity', '10:00'), ('2024-01-31', '2024-01-31 10:20:30', '10:00');
         CREATE TABLE one (d DATE); INSERT INTO one VALUES ('now');
         CREATE TABLE infinite (d DATE); INSERT INTO infinite VALUES ('infinity');",
    );
    let copied = theme.equal().await;
    copied
        .is("t", "d", TEXT)
        .is("t", "ts", TEXT)
        .is("t", "c", TEXT)
        .is("one", "d", TEXT)
        .is("infinite", "d", TEXT);
    copied.behaves(&["SELECT d, ts, c FROM t ORDER BY id"]).await;
}
