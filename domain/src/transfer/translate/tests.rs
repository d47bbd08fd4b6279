//! Tables of expressions and what becomes of them. Whether that is true is tested on both databases (`tests/translate.rs`).

use proptest::prelude::*;

use super::*;

fn column(name: &str, kind: PgKind, affinity: Affinity) -> ExprColumn {
    ExprColumn {
        source: name.to_owned(),
        target: name.to_owned(),
        kind,
        affinity,
        collation: None,
        not_null: false,
        null_is_text: false,
        computed: None,
    }
}

fn columns() -> Vec<ExprColumn> {
    vec![
        column("i", PgKind::Int8, Affinity::Integer),
        column("j", PgKind::Int8, Affinity::Integer),
        column("small", PgKind::Int4, Affinity::Integer),
        column("r", PgKind::Float8, Affinity::Real),
        column("n", PgKind::Float8, Affinity::Numeric),
        column("d", PgKind::Numeric(None), Affinity::Numeric),
        column("t", PgKind::Text, Affinity::Text),
        column("u", PgKind::Text, Affinity::Text),
        ExprColumn {
            collation: Some("nocase".to_owned()),
            ..column("nc", PgKind::Text, Affinity::Text)
        },
        ExprColumn {
            not_null: true,
            null_is_text: false,
            ..column("tt", PgKind::Text, Affinity::Text)
        },
        column("when", PgKind::Text, Affinity::Numeric),
        column("f", PgKind::Bool, Affinity::Numeric),
        column("b", PgKind::Bytea, Affinity::Blob),
        column("day", PgKind::Date, Affinity::Numeric),
        column("at", PgKind::Timestamp(6), Affinity::Numeric),
        column("id", PgKind::Uuid, Affinity::Text),
        column("doc", PgKind::Json, Affinity::Text),
        column("mixed", PgKind::Other, Affinity::Text),
        ExprColumn {
            target: "odd \"name".to_owned(),
            ..column("Odd Name", PgKind::Int8, Affinity::Integer)
        },
    ]
}

fn check(table: &[(&str, &str)], translate: impl Fn(&str) -> Result<String, Untranslatable>) {
    let wrong: Vec<String> = table
        .iter()
        .filter_map(|(sql, expected)| {
            let found = match translate(sql) {
                Ok(sql) => sql,
                Err(why) => format!("! {why}"),
            };
            (found != *expected).then(|| format!("{sql}\n  is       {found}\n  expected {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn conditions() {
    let columns = columns();
    check(
        &[
            // Truth.
            ("i", r#""i" <> 0"#),
            ("NOT i", r#"NOT ("i" <> 0)"#),
            ("f", r#""f""#),
            ("NOT f", r#"NOT "f""#),
            ("f = 1", r#""f""#),
            ("f == 0", r#"NOT "f""#),
            ("f <> 1", r#"NOT "f""#),
            ("f IN (0, 1)", r#""f" IN (FALSE, TRUE)"#),
            ("f IN (0, 1, 2)", r#"(NOT "f") OR "f" OR ("f"::integer = 2)"#),
            ("f IS TRUE", r#""f" IS TRUE"#),
            ("f IS NOT 1", r#""f" IS NOT TRUE"#),
            ("1", "TRUE"),
            ("0.0", "FALSE"),
            ("'a'", "! text is used as a condition"),
            ("t", r#"! "t", text, is used as a condition"#),
            // Comparisons.
            ("i > 5", r#""i" > 5"#),
            ("i == '5'", r#""i" = 5"#),
            ("i = ' 5.0 '", r#""i" = 5"#),
            ("i > 'abc'", "! an integer is compared with text"),
            ("t = 5", r#""t" = '5'"#),
            ("t > 'a'", r#""t" > 'a'"#),
            ("'a' > 'b'", "FALSE"),
            ("i != j", r#""i" <> "j""#),
            (
                "i IS NULL AND t NOTNULL",
                r#"("i" IS NULL) AND ("t" IS NOT NULL)"#,
            ),
            ("i NOT NULL", r#""i" IS NOT NULL"#),
            ("i IS NOT j", r#""i" IS DISTINCT FROM "j""#),
            ("i IS 3", r#""i" IS NOT DISTINCT FROM 3"#),
            ("i = NULL", "NULL::boolean"),
            ("r > 0.1", r#""r" > 0.1"#),
            ("i > 0.5", r#""i" > 0.5"#),
            ("r > i", "! a real is compared with an integer"),
            ("r > small", r#""r" > "small""#),
            ("d > 0.5 AND d < 100", r#"("d" > 0.5) AND ("d" < 100)"#),
            ("i BETWEEN 1 AND 5", r#""i" BETWEEN 1 AND 5"#),
            ("i NOT BETWEEN -1 AND +5", r#"NOT ("i" BETWEEN -1 AND 5)"#),
            ("f BETWEEN 0 AND 2", r#"("f" >= FALSE) AND ("f"::integer <= 2)"#),
            ("i IN (1, '2', NULL)", r#""i" IN (1, 2, NULL)"#),
            ("t IN ('a', 'b')", r#""t" IN ('a', 'b')"#),
            ("t NOT IN ()", "NOT FALSE"),
            (
                "t IN ('a' COLLATE nocase)",
                r#"translate("t", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') = 'a'"#,
            ),
            ("nc IN ('a' COLLATE binary)", r#""nc" = 'a'"#),
            (
                "t IN (u COLLATE nocase)",
                "! COLLATE stands inside of a list of one",
            ),
            ("t IN ('a' COLLATE nocase, 'b')", r#""t" IN ('a', 'b')"#),
            ("-r > 0", r#"(0 - "r") > 0"#),
            (
                "octet_length(t) = 1",
                "! octet_length of a text depends on the encoding of the file",
            ),
            (
                "nc = 'ABC'",
                r#"translate("nc", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') = 'abc'"#,
            ),
            ("nc = 'ABC' COLLATE BINARY", r#""nc" = 'ABC'"#),
            ("t = u COLLATE rtrim", r#"rtrim("t", ' ') = rtrim("u", ' ')"#),
            (
                "t = u COLLATE german",
                "! the collation german is the application's own",
            ),
            (
                "(t COLLATE nocase || u) = 'a'",
                "! COLLATE stands inside of what is compared",
            ),
            (r#"t = "t""#, r#""t" = "t""#),
            (r#"t IN ("yes", "no")"#, r#""t" IN ('yes', 'no')"#),
            ("T = `U`", r#""t" = "u""#),
            ("[odd name] > 0x10", r#""odd ""name" > 16"#),
            ("main.tab.i > 0", r#""i" > 0"#),
            (
                "i = -9223372036854775808",
                r#""i" = '-9223372036854775808'::bigint"#,
            ),
            ("i < 9223372036854775807", r#""i" < 9223372036854775807"#),
            ("i < 9223372036854775808", "! an integer is compared with a real"),
            ("r < 1e999", r#""r" < 'Infinity'::double precision"#),
            ("i = TRUE", r#""i" = 1"#),
            (r"t = 'it''s a \'", r#""t" = E'it''s a \\'"#),
            ("b = x'00FF'", r#""b" = decode('00ff', 'hex')"#),
            ("b = 'a'", "! a blob is compared with text"),
            // Text that a numeric affinity would make a number of.
            ("\"when\" > 'a'", r#""when" > 'a'"#),
            ("\"when\" > '2020'", "! text is compared with an integer"),
            (
                "\"when\" > t",
                "! text is compared with a column of numeric affinity, which makes numbers of some texts",
            ),
            // Types that are text in SQLite.
            ("day >= '2020-02-29'", r#""day" >= '2020-02-29'::date"#),
            ("day >= '2021-02-29'", "! a date is compared with text"),
            ("day >= '2020'", "! a date is compared with an integer"),
            ("length(day) = 10", r#"! "day", a date, is used as text"#),
            ("at > '2020-01-01 00:00:00'", "! a time is compared with text"),
            ("at IS NOT NULL", r#""at" IS NOT NULL"#),
            (
                "id <> '00000000-0000-0000-0000-000000000000'",
                r#""id" <> '00000000-0000-0000-0000-000000000000'::uuid"#,
            ),
            ("json_valid(doc)", r#""doc" IS NOT NULL OR NULL"#),
            (
                "json_valid(t)",
                "! json_valid() of text needs a test that PostgreSQL has since version 16 only",
            ),
            (
                "mixed = 1",
                "! a value whose class or spelling its type does not tell is compared with text",
            ),
            // Patterns.
            (
                "t LIKE 'A\\_%'",
                r#"translate("t", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') LIKE E'a\\_%' ESCAPE ''"#,
            ),
            (
                "t NOT LIKE '10!%' ESCAPE '!'",
                r#"NOT (translate("t", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') LIKE '10!%' ESCAPE '!')"#,
            ),
            (
                "t LIKE 'a!' ESCAPE '!'",
                "! a pattern ends with its escape character",
            ),
            ("t GLOB 'a*?%'", r#""t" LIKE 'a%_!%' ESCAPE '!'"#),
            ("t GLOB '[^a-z]*'", r#""t" COLLATE "C" ~ '^[^a-z].*$'"#),
            ("t GLOB '[]x-]\\'", r#""t" COLLATE "C" ~ E'^[\\]x\\-]\\\\$'"#),
            (
                "t GLOB '[a'",
                "! a GLOB pattern opens a set that it does not close",
            ),
            (
                "t REGEXP 'a'",
                "! REGEXP means what the application that wrote it defines",
            ),
            // Functions.
            ("length(t) <= 3", r#"length("t") <= 3"#),
            ("length(b) = 16", r#"length("b") = 16"#),
            (
                "lower(t) = t",
                r#"translate("t", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') = "t""#,
            ),
            ("instr(t, '@') > 1", r#"strpos("t", '@') > 1"#),
            (
                "typeof(i) = 'integer'",
                r#"CASE WHEN "i" IS NULL THEN 'null' ELSE 'integer' END = 'integer'"#,
            ),
            ("typeof(tt) IN ('text')", "TRUE"),
            (
                "typeof(n) = 'real'",
                "! typeof() is given a number, which may be of several classes in SQLite",
            ),
            (
                "max(i, j) < 5",
                r#"CASE WHEN NOT ("i" IS NULL OR "j" IS NULL) THEN greatest("i", "j") END < 5"#,
            ),
            ("max(i) < 5", "! max() is an aggregate function"),
            ("count(*) < 5", "! count() is an aggregate function"),
            ("i / j = 2", r#"("i" / nullif("j", 0)) = 2"#),
            ("i % 2 = 0", r#"("i" % 2) = 0"#),
            ("small + small > 0", r#"("small"::bigint + "small") > 0"#),
            ("r * r > 0", r#"nullif("r" * "r", 'NaN') > 0"#),
            (
                "n / 2 > 0",
                "! it calculates with a column that holds integers and reals",
            ),
            ("i & 4", r#"("i" & 4) <> 0"#),
            (
                "CASE t WHEN 'a' THEN i > 0 ELSE 1 END",
                r#"CASE WHEN "t" = 'a' THEN ("i" > 0)::integer ELSE 1 END <> 0"#,
            ),
            ("iif(f, i, j) > 0", r#"CASE WHEN "f" THEN "i" ELSE "j" END > 0"#),
            ("coalesce(t, u, '') <> ''", r#"coalesce("t", "u", '') <> ''"#),
            (
                "frobnicate(i)",
                "! frobnicate() with one argument has no equal in PostgreSQL",
            ),
            // Never.
            ("i IN (SELECT 1)", "! it has a subquery"),
            ("EXISTS (SELECT 1)", "! it has a subquery"),
            ("i > ?1", "! it has a parameter"),
            ("RAISE(ABORT, 'x')", "! RAISE belongs to triggers"),
            (
                "CURRENT_DATE > '2020'",
                "! CURRENT_DATE is not the same each time",
            ),
            ("random() > 0", "! random() is not the same each time"),
            ("(i, j) = (1, 2)", "! it compares rows of values"),
            (
                "doc ->> '$.a' = 1",
                "! ->> has no equal for SQLite's typed JSON values",
            ),
            ("i +", "! it ends in the middle"),
            ("i j", "! it has j where it was not expected"),
            ("", "! it ends in the middle"),
            ("missing = 1", "! missing is no column that is carried"),
            ("rowid > 0", "! PostgreSQL has no rowid"),
        ],
        |sql| condition(sql, &columns),
    );
}

#[test]
fn generated_values_and_index_parts() {
    let columns = columns();
    let into = |kind, affinity| column("g", kind, affinity);
    let cases = [
        ("i * j", into(PgKind::Int8, Affinity::Integer), r#""i" * "j""#),
        (
            "i * r",
            into(PgKind::Float8, Affinity::Real),
            r#"nullif("i"::double precision * "r", 'NaN') + 0"#,
        ),
        (
            "i + 1",
            into(PgKind::Float8, Affinity::Real),
            r#"("i" + 1)::double precision"#,
        ),
        (
            "coalesce(r, 0)",
            into(PgKind::Float8, Affinity::Blob),
            "! it is a number, which a column of doubles does not hold as SQLite stores it",
        ),
        ("i + 1", into(PgKind::Text, Affinity::Text), r#"("i" + 1)::text"#),
        (
            "t || ' ' || u",
            into(PgKind::Text, Affinity::Text),
            r#"("t" || ' ') || "u""#,
        ),
        (
            "t || u",
            into(PgKind::Text, Affinity::Numeric),
            "! it is text, which a column of text does not hold as SQLite stores it",
        ),
        ("i > 0", into(PgKind::Bool, Affinity::Numeric), r#""i" > 0"#),
        (
            "i > 0",
            into(PgKind::Int8, Affinity::Integer),
            r#"("i" > 0)::integer"#,
        ),
        (
            "substr(t, 1, 3)",
            into(PgKind::Text, Affinity::Text),
            r#"substr("t", 1, 3)"#,
        ),
        (
            "substr(t, -3)",
            into(PgKind::Text, Affinity::Text),
            r#"right("t", 3)"#,
        ),
        (
            "substr(t, instr(t, '@') + 1)",
            into(PgKind::Text, Affinity::Text),
            r#"substr("t", (strpos("t", '@')::bigint + 1)::integer)"#,
        ),
        (
            "substr(t, 0, 2)",
            into(PgKind::Text, Affinity::Text),
            "! substr() is given a place or a length that PostgreSQL would take otherwise",
        ),
        (
            "round(r, 2)",
            into(PgKind::Float8, Affinity::Real),
            "! PostgreSQL does not round a double to decimal places as SQLite does",
        ),
        (
            "date(day)",
            into(PgKind::Date, Affinity::Numeric),
            "! date() reads times in more forms than PostgreSQL",
        ),
        (
            "hex(b)",
            into(PgKind::Text, Affinity::Text),
            r#"coalesce(translate(encode("b", 'hex'), 'abcdef', 'ABCDEF'), '')"#,
        ),
        ("NULL", into(PgKind::Text, Affinity::Text), "NULL"),
    ];
    for (sql, into, expected) in cases {
        check(&[(sql, expected)], |sql| value(sql, &columns, &into));
    }
    check(
        &[
            (
                "lower(t)",
                r#"(translate("t", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'))"#,
            ),
            ("i + 1", r#"("i" + 1)"#),
            ("doc", "! PostgreSQL does not order JSON as SQLite does"),
            (
                "date('now')",
                "! date() reads times in more forms than PostgreSQL",
            ),
        ],
        |sql| Ok(index_part(sql, None, &columns)?.sql),
    );
    // The collation is the index's, whatever stands in the expression.
    for (collation, sql, expected) in [
        (None, "+nc", r#"("nc")"#),
        (
            Some("nocase"),
            "t || ''",
            r#"(translate("t" || '', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'))"#,
        ),
        (Some("RTRIM"), "nc || ''", r#"(rtrim("nc" || '', ' '))"#),
    ] {
        check(&[(sql, expected)], |sql| {
            Ok(index_part(sql, collation, &columns)?.sql)
        });
    }
}

#[test]
fn defaults() {
    let blob = "substr(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 1, 16)";
    let text = column("x", PgKind::Text, Affinity::Text);
    check(
        &[
            ("'it''s'", "'it''s'"),
            ("\"dq\"", "'dq'"),
            ("bare", "'bare'"),
            ("'now'", "'now'"),
            ("5", "'5'"),
            ("-1.5", "'-1.5'"),
            ("1e3", "'1000.0'"),
            ("1e20", "! SQLite has a spelling of its own for the real 1e20"),
            ("TRUE", "'1'"),
            ("NULL", "NULL"),
            ("'a' || 'b'", "'ab'"),
            (
                "CURRENT_TIMESTAMP",
                "to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')",
            ),
            (
                "current_date",
                "to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
            ),
            (
                "strftime('%Y-%m-%dT%H:%M:%fZ','now')",
                r#"to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"#,
            ),
            (
                "strftime('%s','now')",
                "floor(extract(epoch FROM statement_timestamp()))::bigint::text",
            ),
            (
                "datetime('now', 'localtime')",
                "! the modifier 'localtime' has no equal in PostgreSQL",
            ),
            (
                "date('now', '+7 days')",
                "to_char((statement_timestamp() AT TIME ZONE 'UTC') + interval '+7 day', 'YYYY-MM-DD')",
            ),
            (
                "hex(randomblob(16))",
                &format!("translate(encode({blob}, 'hex'), 'abcdef', 'ABCDEF')"),
            ),
            (
                "x'00ff'",
                "! it is a blob, which a column of text does not hold as SQLite stores it",
            ),
            (
                "datetime('2020-01-01')",
                "! it takes the date of something other than now",
            ),
        ],
        |sql| default(sql, &text),
    );
    let cases = [
        ("'5'", PgKind::Int8, Affinity::Integer, "5"),
        (
            "'oops'",
            PgKind::Int8,
            Affinity::Integer,
            "! it is text, which a column of integers does not hold as SQLite stores it",
        ),
        ("+1", PgKind::Int8, Affinity::Integer, "1"),
        ("1+1", PgKind::Int8, Affinity::Integer, "(1::bigint + 1)"),
        ("1e3", PgKind::Int8, Affinity::Integer, "1000"),
        (
            "99999",
            PgKind::Int2,
            Affinity::Integer,
            "! it is an integer, which a column of integers does not hold as SQLite stores it",
        ),
        (
            "unixepoch()",
            PgKind::Int8,
            Affinity::Integer,
            "floor(extract(epoch FROM statement_timestamp()))::bigint",
        ),
        (
            "strftime('%s','now')",
            PgKind::Int8,
            Affinity::Integer,
            "floor(extract(epoch FROM statement_timestamp()))::bigint",
        ),
        (
            "CAST(strftime('%s','now') AS INTEGER) * 1000",
            PgKind::Int8,
            Affinity::Integer,
            "(floor(extract(epoch FROM statement_timestamp()))::bigint * 1000)",
        ),
        (
            "CURRENT_TIMESTAMP",
            PgKind::Int8,
            Affinity::Integer,
            "! it is text, which a column of integers does not hold as SQLite stores it",
        ),
        ("1", PgKind::Float8, Affinity::Real, "'1.0'::double precision"),
        ("0.1", PgKind::Numeric(None), Affinity::Numeric, "0.1"),
        ("0", PgKind::Bool, Affinity::Numeric, "FALSE"),
        ("true", PgKind::Bool, Affinity::Numeric, "TRUE"),
        (
            "2",
            PgKind::Bool,
            Affinity::Numeric,
            "! it is an integer, which a column of boolean does not hold as SQLite stores it",
        ),
        ("x'00ff'", PgKind::Bytea, Affinity::Blob, "decode('00ff', 'hex')"),
        (
            "CURRENT_TIMESTAMP",
            PgKind::Text,
            Affinity::Numeric,
            "to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')",
        ),
        (
            "CURRENT_TIMESTAMP",
            PgKind::Timestamptz(6),
            Affinity::Numeric,
            "date_trunc('second', statement_timestamp())",
        ),
        (
            "datetime('now')",
            PgKind::Timestamp(6),
            Affinity::Numeric,
            "date_trunc('second', statement_timestamp() AT TIME ZONE 'UTC')",
        ),
        (
            "strftime('%Y-%m-%dT%H:%M:%fZ','now')",
            PgKind::Timestamptz(6),
            Affinity::Text,
            "date_trunc('milliseconds', statement_timestamp())",
        ),
        (
            "strftime('%Y-%m-%dT%H:%M:%fZ','now')",
            PgKind::Timestamp(6),
            Affinity::Text,
            "! the time of now is not in the form that its column has",
        ),
        (
            "date('now')",
            PgKind::Date,
            Affinity::Numeric,
            "(statement_timestamp() AT TIME ZONE 'UTC')::date",
        ),
        (
            "'now'",
            PgKind::Timestamp(6),
            Affinity::Numeric,
            "! its text is not of the form that a column of timestamps has",
        ),
        (
            "'2020-01-01 00:00:00'",
            PgKind::Timestamp(6),
            Affinity::Numeric,
            "'2020-01-01 00:00:00'::timestamp",
        ),
        (
            "'2020-01-01'",
            PgKind::Date,
            Affinity::Numeric,
            "'2020-01-01'::date",
        ),
        (
            "'0000-00-00'",
            PgKind::Date,
            Affinity::Numeric,
            "! its text is not of the form that a column of dates has",
        ),
        ("'{}'", PgKind::Json, Affinity::Text, "'{}'::json"),
        (
            "'{'",
            PgKind::Json,
            Affinity::Text,
            "! its text is not of the form that a column of JSON has",
        ),
    ];
    for (sql, kind, affinity, expected) in cases {
        check(&[(sql, expected)], |sql| {
            default(sql, &column("x", kind, affinity))
        });
    }
    let uuid = "lower(hex(randomblob(4))) || '-' || lower(hex(randomblob(2))) || '-4' || substr(lower(hex(randomblob(2))),2) \
                || '-' || substr('89ab', abs(random()) % 4 + 1, 1) || substr(lower(hex(randomblob(2))),2) || '-' \
                || lower(hex(randomblob(6)))";
    let into = column("x", PgKind::Uuid, Affinity::Text);
    assert!(default(uuid, &into).unwrap().ends_with(")::uuid"));
    assert!(default(uuid, &text).is_ok());
    assert!(
        default("lower(hex(randomblob(16)))", &into).is_err(),
        "it has no dashes"
    );
    assert!(
        default(&uuid.replace("% 4", "% 5"), &into).is_err(),
        "the digit may be missing"
    );
}

#[test]
fn names_are_those_of_columns() {
    let sql =
        r#"lower(name) = 'x' AND "Other" > [a b] OR Name IS NULL AND CASE WHEN a.c THEN 1 ELSE x'00' END"#;
    assert_eq!(names(sql), ["name", "Other", "a b", "Name", "a", "c", "END"]);
}

#[test]
fn what_is_only_asked_is_not_worked_on() {
    let worked_on = |sql| names_worked_on(sql).join(" ");
    assert_eq!(worked_on("json_valid(a) OR \"A\" IS NULL"), "");
    assert_eq!(worked_on("a IS NOT NULL AND (b ISNULL OR NOT c NOTNULL)"), "");
    assert_eq!(
        worked_on("CASE WHEN a IS NULL THEN b ELSE c IS NULL END"),
        "b END"
    );
    // What is asked for here is a whole of which the column is a part.
    assert_eq!(worked_on("a || b IS NULL"), "a b");
    assert_eq!(worked_on("a IS NULL AND length(a) > 1"), "a");
    assert_eq!(worked_on("json_valid(a || '')"), "a");
    assert_eq!(worked_on("a IS NULLIF"), "a NULLIF");
    assert!(wants_json("(JSON_VALID(\"j\") OR \"j\" IS NULL)", "J"));
    assert!(!wants_json("j IS NULL", "j"));
    assert!(!wants_json("json_valid(j) AND length(j) < 9", "j"));
    assert!(!wants_json("json_valid(j, 6)", "j"));
}

#[test]
fn a_default_that_is_a_string_is_known() {
    let example = |sql| (default_example(sql).unwrap_or_default(), is_string(sql));
    assert_eq!(example("'a'"), ("a".to_owned(), true));
    assert_eq!(example("\"a b\""), ("a b".to_owned(), true));
    assert_eq!(example("now"), ("now".to_owned(), true));
    assert!(!example("CURRENT_TIMESTAMP").1 && example("CURRENT_TIMESTAMP").0.len() == 19);
    for none in ["7", "TRUE", "NULL", "x'00'", "random()"] {
        assert_eq!(example(none), (String::new(), false), "{none}");
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let columns = columns();
    let deep = format!("{}i{}", "(".repeat(10_000), ")".repeat(10_000));
    let cases = [
        deep,
        "NOT ".repeat(10_000) + "i",
        "-".repeat(3) + &"- ".repeat(10_000) + "i",
        "i + ".repeat(10_000) + "i",
        "t || ".repeat(10_000) + "t",
        "i COLLATE nocase ".to_owned() + &"COLLATE nocase ".repeat(10_000),
        "max(i, ".repeat(60) + "i" + &")".repeat(60),
        "CASE WHEN ".repeat(5_000),
    ];
    for sql in &cases {
        assert!(condition(sql, &columns).is_err(), "{}", &sql[..20]);
    }
    // A long chain is not deep.
    let long = "i = 1 OR ".repeat(10_000) + "i = 2";
    assert!(condition(&long, &columns).is_ok());
    let many = vec!["1"; 10_000].join(", ");
    assert!(condition(&format!("i IN ({many})"), &columns).is_ok());
    // What is allowed fits the stack that threads have, even where nothing is optimised.
    let allowed = format!("{}i{}", "abs(".repeat(45), ")".repeat(45));
    let thread = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || condition(&allowed, &columns));
    assert!(thread.unwrap().join().unwrap().is_ok());
}

proptest! {
    #[test]
    fn no_text_panics(sql in r#"(NOT |AND|OR|IN|LIKE|GLOB|CASE|WHEN|THEN|END|CAST|AS|BETWEEN|IS|NULL|i|t|f|b|[0-9.]+|abs\(|substr\(|strftime\(|[ '"`\[\](),*/%<>=|&.~xé\\-]){0,30}"#) {
        let columns = columns();
        drop(condition(&sql, &columns));
        drop(index_part(&sql, None, &columns));
        drop(names_worked_on(&sql));
        drop((default_example(&sql), is_string(&sql), wants_json(&sql, "t")));
        for column in &columns {
            drop(default(&sql, column));
            drop(value(&sql, &columns, column));
        }
    }

    #[test]
    fn a_string_stays_one(text in "[^\0]*") {
        let sql = format!("t = '{}'", text.replace('\'', "''"));
        let made = condition(&sql, &columns()).unwrap();
        let inner = made.strip_prefix("\"t\" = ").unwrap();
        let plain = inner.strip_prefix('\'').and_then(|s| s.strip_suffix('\''));
        let read = match plain {
            Some(plain) => { prop_assert!(!plain.contains('\\')); plain.replace("''", "'") }
            None => inner[2..inner.len() - 1].replace("''", "'").replace("\\\\", "\\"),
        };
        prop_assert_eq!(read, text);
    }
}

#[test]
fn the_seconds_of_now_are_known_where_they_are_an_integer() {
    for (sql, affinities) in [
        ("unixepoch()", "BIN"),
        ("unixepoch('now')", "BIN"),
        ("strftime('%s', 'now')", "IN"),
        ("strftime('%s')", "IN"),
        ("CAST(strftime('%s', 'now') AS INTEGER)", "BIN"),
        ("CAST(unixepoch() AS TEXT)", ""),
        ("CAST(unixepoch() AS BLOB)", ""),
        ("unixepoch('now', '+1 day')", ""),
        ("unixepoch('subsec')", ""),
        ("unixepoch() * 1000", ""),
        ("strftime('%s', 'now', '+1 day')", ""),
        ("strftime('%Y', 'now')", ""),
        ("CURRENT_TIMESTAMP", ""),
        ("0", ""),
    ] {
        for (letter, affinity) in [
            ("B", Affinity::Blob),
            ("I", Affinity::Integer),
            ("N", Affinity::Numeric),
            ("R", Affinity::Real),
            ("T", Affinity::Text),
        ] {
            let expected = affinities.contains(letter);
            assert_eq!(is_epoch_of_now(sql, affinity), expected, "{sql} {letter}");
        }
    }
}

#[test]
fn nothing_is_said_of_a_column_where_null_is_a_text() {
    let plain = column("d", PgKind::Date, Affinity::Text);
    let told = ExprColumn {
        null_is_text: true,
        ..plain.clone()
    };
    for sql in [
        "d IS NULL",
        "d > '2024-01-31'",
        "coalesce(d, '') <> ''",
        "\"d\" = 'x'",
        "json_valid(d)",
    ] {
        let refused = condition(sql, std::slice::from_ref(&told)).unwrap_err();
        assert!(
            refused.0.contains("NULL stands for a text in"),
            "{sql}: {refused}"
        );
    }
    assert!(condition("d IS NULL", &[plain]).is_ok());
}

#[test]
fn a_default_that_is_a_constant_is_what_the_column_stores() {
    let integer = |n| Some(Constant::Integer(n));
    let text = |text: &str| Some(Constant::Text(text.to_owned()));
    for (sql, affinity, expected) in [
        ("0", Affinity::Integer, integer(0)),
        ("(-1)", Affinity::Integer, integer(-1)),
        ("'5'", Affinity::Integer, integer(5)),
        ("5", Affinity::Text, text("5")),
        ("'Y'", Affinity::Text, text("Y")),
        ("\"Y\"", Affinity::Text, text("Y")),
        ("Y", Affinity::Text, text("Y")),
        ("TRUE", Affinity::Integer, integer(1)),
        ("1.5", Affinity::Numeric, Some(Constant::Real(1.5))),
        ("NULL", Affinity::Integer, None),
        ("x'31'", Affinity::Blob, None),
        ("unixepoch()", Affinity::Integer, None),
        ("1 + 1", Affinity::Integer, None),
        ("(", Affinity::Integer, None),
    ] {
        assert_eq!(default_constant(sql, affinity), expected, "{sql}");
    }
}
