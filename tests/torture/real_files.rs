//! What files of other programs taught: each theme is the smallest file that has what one of them has.

use cutover_tests::rusqlite::Connection;

use crate::compare::unicase;
use crate::program::shortened;
use crate::theme::{Copied, Theme, execute};

/// The definitions of a table's constraints of these types, in order of name.
async fn constraints(copied: &Copied, table: &str, types: &str) -> Vec<String> {
    let sql = format!(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = '\"{table}\"'::regclass AND contype = ANY ('{{{types}}}')
         ORDER BY conname"
    );
    let rows = copied.query(&sql).await;
    rows.into_iter().filter_map(|mut row| row.remove(0)).collect()
}

/// PROJ's database: codes are numbers in one authority and texts in another, in keys and in what refers to them.
#[tokio::test]
async fn keys_of_several_classes_that_others_refer_to() {
    let theme = Theme::new(
        "CREATE TABLE unit (auth TEXT NOT NULL, code INTEGER_OR_TEXT NOT NULL, name TEXT, CONSTRAINT pk_unit PRIMARY KEY (auth, code));
         CREATE TABLE axis (id INTEGER PRIMARY KEY, auth TEXT, code INTEGER_OR_TEXT, old INTEGER_OR_TEXT UNIQUE,
             CONSTRAINT of_unit FOREIGN KEY (auth, code) REFERENCES unit (auth, code) ON DELETE CASCADE);
         INSERT INTO unit VALUES ('EPSG', 9001, 'metre'), ('PROJ', 'km', 'kilometre'), ('X', 'one', 'one'), ('X', 1, 'another');
         INSERT INTO axis VALUES (1, 'EPSG', 9001, 7), (2, 'X', 'one', NULL), (3, NULL, NULL, 'x'), (4, 'X', 1, NULL);",
    );
    let copied = theme.equal().await;
    copied
        .is_mixed("unit", "code")
        .is_mixed("axis", "code")
        .lists_nothing();
    assert_eq!(
        constraints(&copied, "unit", "p").await,
        ["PRIMARY KEY (auth, code, code__class)"]
    );
    assert_eq!(
        constraints(&copied, "axis", "f,u").await,
        [
            "UNIQUE (old, old__class)",
            "FOREIGN KEY (auth, code, code__class) REFERENCES unit(auth, code, code__class) ON DELETE CASCADE",
        ]
    );
    copied
        .behaves(&[
            "DELETE FROM unit WHERE name = 'another'",
            "SELECT id FROM axis ORDER BY id",
        ])
        .await;
    copied.comes_back().await;
}

/// A column of numbers follows the one that it refers to; one that is a rowid does not.
#[tokio::test]
async fn what_refers_to_values_of_several_classes_has_them_too() {
    let theme = Theme::new(
        "CREATE TABLE kinds (code PRIMARY KEY); INSERT INTO kinds VALUES (1), ('x'), (2.5);
         CREATE TABLE things (id INTEGER PRIMARY KEY, kind REFERENCES kinds (code)); INSERT INTO things VALUES (1, 1), (2, 1);
         CREATE TABLE odd (id INTEGER PRIMARY KEY REFERENCES kinds (code), other REFERENCES things (id)); INSERT INTO odd VALUES (1, 'none');",
    );
    let copied = theme.equal().await;
    copied.is_mixed("kinds", "code");
    // 1 and 1.0 are one key in SQLite, and nothing but their affinity would keep them from standing side by side.
    copied.lists(&["kinds", "1 and 1.0"]);
    copied
        .is("odd", "id", "bigint")
        .lists(&["foreign key", "odd", "kinds"]);
}

/// Anki's collections: names are in the order of a collation that only Anki has.
#[tokio::test]
async fn a_collation_of_the_program_that_made_the_file() {
    let make = |path: &std::path::Path| {
        let connection = Connection::open(path).unwrap();
        connection.create_collation("unicase", unicase).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE tags (tag TEXT NOT NULL PRIMARY KEY COLLATE unicase, n INTEGER) WITHOUT ROWID;
                 CREATE TABLE decks (id INTEGER PRIMARY KEY, name TEXT NOT NULL COLLATE unicase, old TEXT UNIQUE COLLATE unicase);
                 CREATE UNIQUE INDEX on_name ON decks (name); CREATE INDEX on_old ON decks (old DESC);
                 INSERT INTO tags VALUES ('b', 1), ('A', 2), ('ä', 3), ('C', 4);
                 INSERT INTO decks VALUES (1, 'b', 'x'), (2, 'A', 'Y'), (3, 'Ä', NULL), (4, 'C', 'z');",
            )
            .unwrap();
    };
    let copied = Theme::made("collection.anki2", make).equal().await;
    copied
        .lists(&["tags", "unicase", "made over bytes"])
        .lists(&["on_name", "unicase", "made over bytes"])
        .lists(&["decks", "name, old", "COLLATE unicase"]);
    assert_eq!(constraints(&copied, "tags", "p").await, ["PRIMARY KEY (tag)"]);
    assert_eq!(constraints(&copied, "decks", "u").await, ["UNIQUE (old)"]);
    let back = copied.brought_back["weakened"].to_string();
    for index in ["sqlite_autoindex_tags_1", "on_name", "on_old", "REINDEX"] {
        assert!(
            back.contains(index),
            "the way back does not tell of {index}: {back}"
        );
    }
}

/// Django: REGEXP is a function of Python, and JSON is text with a check.
#[tokio::test]
async fn a_check_with_a_function_of_the_application() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, slug VARCHAR(50) NOT NULL UNIQUE, n SMALLINT UNSIGNED NOT NULL CHECK (n >= 0));
         INSERT INTO t (slug, n) VALUES ('s1', 1), ('s2', 2);
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = substr(sql, 1, length(sql) - 1) || ', CONSTRAINT rx CHECK (slug REGEXP ''^s''))' WHERE name = 't';",
    );
    let copied = theme.equal().await;
    copied.lists(&["check", "t.rx", "REGEXP"]);
    let back = copied.brought_back["weakened"].to_string();
    assert_eq!(back, "[]");
}

#[tokio::test]
async fn a_check_that_wants_json() {
    let theme = Theme::new(
        r#"CREATE TABLE t (id INTEGER PRIMARY KEY, j text NOT NULL CHECK ((JSON_VALID("j") OR "j" IS NULL)), k TEXT CHECK (k IS NULL OR json_valid(k)),
               empty TEXT DEFAULT '{}' CHECK (json_valid(empty)), used TEXT CHECK (json_valid(used) AND length(used) > 1),
               bad TEXT CHECK (json_valid(bad)), at DATETIME);
           CREATE INDEX unset ON t (id) WHERE at IS NULL;
           INSERT INTO t (id, j, k, used, at) VALUES (1, '{"a":1}', NULL, '{}', '2024-01-31 10:20:30'), (2, '"text"', '[]', '[]', NULL),
               (3, 'null', '{}', '[1]', '2024-01-31 10:20:30.123456');
           PRAGMA ignore_check_constraints = ON; UPDATE t SET bad = 'no json' WHERE id = 2;"#,
    );
    let copied = theme.equal().await;
    copied
        .is("t", "j", "json")
        .is("t", "k", "jsonb")
        .is("t", "empty", "jsonb")
        .is("t", "used", "text")
        .is("t", "bad", "text")
        .is("t", "at", "timestamp without time zone")
        .lists(&["check", "length(used)"])
        .lists(&["check", "json_valid(bad)"]);
    copied
        .behaves(&[
            "INSERT INTO t (id, j, used) VALUES (4, '{}', '{}')",
            "INSERT INTO t (id, j) VALUES (5, 'no json')",
            "INSERT INTO t (id, j) VALUES (6, NULL)",
            "INSERT INTO t (id, j, k) VALUES (7, '[]', '{')",
        ])
        .await;
}

/// Roundcube, Calibre, SQLAlchemy: what a default gives is as much a value of the column as those that are there.
#[tokio::test]
async fn a_default_that_is_no_time() {
    let theme = Theme::new(
        r#"CREATE TABLE t (id INTEGER PRIMARY KEY, created DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00', day DATE DEFAULT '',
               zoned TIMESTAMP NOT NULL DEFAULT "2000-01-01 00:00:00+00:00", none DATETIME NOT NULL DEFAULT '0000-00-00', flag BOOLEAN DEFAULT 't',
               fine DATETIME DEFAULT CURRENT_TIMESTAMP, number INTEGER DEFAULT 7, text TEXT DEFAULT '2024-01-31', odd INTEGER DEFAULT 'x');
           INSERT INTO t (id, created, day, zoned, fine, text, odd) VALUES (1, '2024-01-31 10:20:30', '2024-01-31', '2024-01-31 10:20:30+00:00',
               '2024-01-31 10:20:30.123456', 'x', 1);"#,
    );
    let copied = theme.equal().await;
    copied
        .is("t", "created", "text")
        .is("t", "day", "text")
        .is("t", "zoned", "timestamp with time zone")
        .is("t", "none", "text")
        .is("t", "flag", "text")
        .is("t", "fine", "timestamp without time zone")
        .is("t", "number", "bigint")
        .is("t", "text", "text")
        .is("t", "odd", "bigint");
    let lists = ["not_carried", "weakened"].map(|list| copied.report[list].as_array().unwrap().len());
    assert_eq!(lists, [1, 0], "{}", copied.report);
    copied.lists(&["default", "t.odd"]);
    copied
        .behaves(&[
            "INSERT INTO t (id, fine, odd) VALUES (2, '2024-01-31 10:20:31', 1)",
            "SELECT created, day, none, flag, number, text FROM t WHERE id = 2",
        ])
        .await;
    copied.comes_back().await;
    assert!(
        copied.said.contains("its default is '0000-00-00 00:00:00'")
            || copied.inspection.to_string().contains("its default is"),
        "{}",
        shortened(&copied.said)
    );
}

/// Prefect: the milliseconds of SQLite's clock, filled up to microseconds.
#[tokio::test]
async fn a_default_with_milliseconds_filled_up() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, created DATETIME DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
             text TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')));
         INSERT INTO t VALUES (1, '2024-01-31 10:20:30.123456', 'x');",
    );
    let copied = theme.equal().await;
    copied
        .is("t", "created", "timestamp without time zone")
        .lists_nothing();
    copied.query("INSERT INTO t (id) VALUES (2)").await;
    let (created, text): (String, String) = copied
        .again()
        .await
        .query_row("SELECT created, text FROM t WHERE id = 2", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    for written in [&created, &text] {
        assert!(written.len() == 26 && written.ends_with("000"), "{written}");
    }
}

/// Sequelize and Ruby put a blank before the zone.
#[tokio::test]
async fn a_blank_before_the_zone() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, sequelize DATETIME, ruby DATETIME, both DATETIME);
         INSERT INTO t VALUES (1, '2024-01-31 10:20:30.120 +00:00', '2024-01-31 10:20:30 -0330', '2024-01-31 10:20:30+00:00'),
             (2, '2024-02-29 23:59:59.999 +00:00', '2024-01-31 20:20:30 -0330', '2024-01-31 10:20:30 +00:00');",
    );
    let copied = theme.equal().await;
    copied
        .is("t", "sequelize", "timestamp with time zone")
        .is("t", "ruby", "timestamp with time zone")
        .is("t", "both", "text")
        .lists_nothing();
    let instants =
        "SELECT extract(epoch FROM sequelize)::numeric, extract(epoch FROM ruby)::bigint FROM t WHERE id = 1";
    let expected = ["1706696430.120000", "1706709030"].map(|text| Some(text.to_owned()));
    assert_eq!(copied.query(instants).await, [expected]);
    copied
        .query("UPDATE t SET sequelize = sequelize + interval '1 hour' WHERE id = 1")
        .await;
    let moved: String = copied
        .again()
        .await
        .query_row("SELECT sequelize FROM t WHERE id = 1", [], |row| row.get(0))
        .unwrap();
    assert_eq!(moved, "2024-01-31 11:20:30.120 +00:00");
}

/// Firefox's icons: a blank before the semicolon is part of a table's text, and the pages are large.
#[tokio::test]
async fn a_blank_at_the_end_of_a_table() {
    let make = |path: &std::path::Path| {
        execute(
            path,
            "PRAGMA page_size = 32768; PRAGMA auto_vacuum = INCREMENTAL;
             CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID ; INSERT INTO meta VALUES ('a', 1);
             CREATE TABLE strict (a TEXT NOT NULL ) /* so */ STRICT /* there */ ; INSERT INTO strict VALUES ('x');",
        );
    };
    let copied = Theme::made("icons.db", make).equal().await;
    copied.lists_nothing();
    assert_eq!(copied.brought_back["weakened"].to_string(), "[]");
    let back = copied.again().await;
    let shape = ["page_size", "auto_vacuum"].map(|pragma| {
        back.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0))
            .unwrap()
    });
    assert_eq!(shape, [32_768, 2]);
}

/// Firefox's certificates: ABORT is what happens anyway.
#[tokio::test]
async fn a_resolution_that_is_the_usual_one() {
    let theme = Theme::new(
        "CREATE TABLE t (id PRIMARY KEY UNIQUE ON CONFLICT ABORT, a NOT NULL ON CONFLICT ABORT); INSERT INTO t VALUES (1, 2);",
    );
    theme.equal().await.lists_nothing();
}

/// A schema that was changed under its rows, as old tools do: what the declared types would make other values of comes back as it is.
#[tokio::test]
async fn values_that_their_declared_types_would_change() {
    let make = |path: &std::path::Path| {
        execute(
            path,
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c, d); CREATE TABLE s (id INTEGER PRIMARY KEY, a, b, c, d);
             INSERT INTO t VALUES (1, '5', '7.0', 1.0, -0.0), (2, ' 1e3 ', 8.0, 2, 0.0), (3, 'x', x'31', '3', 1.5);
             INSERT INTO s SELECT * FROM t;
             PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = 'CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b NUMERIC, c TEXT, d REAL)' WHERE name = 't';
             UPDATE sqlite_schema SET sql = 'CREATE TABLE s (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b ANY, c INT, d REAL) STRICT' WHERE name = 's';",
        );
    };
    let copied = Theme::made("changed.db", make).equal().await;
    copied.is_mixed("t", "b").is_mixed("s", "c");
}

/// SQLite knows infinity where PostgreSQL has an overflow, and zero where it has an underflow.
#[tokio::test]
async fn a_generated_column_beyond_all_doubles() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL, square REAL AS (r * r) STORED, n TEXT, upper TEXT AS (upper(n)));
         CREATE TABLE u (id INTEGER PRIMARY KEY, r REAL, small REAL AS (r * r)); CREATE TABLE v (a INTEGER, twice INTEGER AS (a * 2) STORED);
         INSERT INTO t (r, n) VALUES (1.5, 'a'), (1e200, 'b'); INSERT INTO u (r) VALUES (1e-200); INSERT INTO v (a) VALUES (3);",
    );
    let copied = theme.equal().await;
    copied
        .lists(&["t", "square", "overflow"])
        .lists(&["u", "small", "underflow"]);
    let computed = "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE is_generated = 'ALWAYS'";
    assert_eq!(copied.query(computed).await, [[Some("v.twice".to_owned())]]);
}

/// A zero with a sign that a program wrote in PostgreSQL: a column of reals gives it back, although SQLite itself would not store it there.
#[tokio::test]
async fn a_zero_with_a_sign_among_reals() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL); INSERT INTO t VALUES (1, 1.5), (2, 2.5);",
    );
    let copied = theme.equal().await;
    copied.query("UPDATE t SET r = '-0' WHERE id = 1").await;
    let zero: f64 = copied
        .again()
        .await
        .query_row("SELECT r FROM t WHERE id = 1", [], |row| row.get(0))
        .unwrap();
    assert_eq!(zero.to_bits(), (-0.0_f64).to_bits());
}

/// In a column of whole and broken numbers it has no form: an INTEGER has no such zero, and a whole REAL comes back as one.
#[tokio::test]
async fn a_zero_with_a_sign_among_numbers() {
    let theme =
        Theme::new("CREATE TABLE t (id INTEGER PRIMARY KEY, n); INSERT INTO t VALUES (1, 1), (2, 2.5);");
    let copied = theme.equal().await;
    copied.is("t", "n", "double precision");
    copied.query("UPDATE t SET n = '-0' WHERE id = 1").await;
    copied.is_refused_back(&["\"t\"", "\"n\"", "id = 1"]).await;
}

/// More columns than a query of SQLite has room for twice.
#[tokio::test]
async fn a_wide_table_in_utf_16() {
    let names: Vec<String> = (1..=1300).map(|number| format!("c{number}")).collect();
    let sql = format!(
        "PRAGMA encoding = 'UTF-16be'; CREATE TABLE t ({});
         INSERT INTO t (c1, c500, c501, c999, c1000, c1300) VALUES ('é', x'00e9', 1, 1.5, '😀', 'end'), (1, 'a', x'', '', NULL, '😀');",
        names.join(", ")
    );
    let copied = Theme::new(sql).equal().await;
    copied.is_mixed("t", "c1").is("t", "c1300", "text");
}

/// Which of the columns are texts is read for 500 of them at once; here that is of one at a time.
#[tokio::test]
async fn a_lone_column_in_utf_16() {
    for columns in [1, 501] {
        let names: Vec<String> = (1..=columns).map(|number| format!("c{number}")).collect();
        let sql = format!(
            "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t ({});
             INSERT INTO t (c{columns}) VALUES ('é'), (x'e900'), (1), (NULL), ('');",
            names.join(" TEXT, ")
        );
        let copied = Theme::new(sql).equal().await;
        copied.is_mixed("t", &format!("c{columns}"));
    }
}

/// A type that was asked for, in a column that PostgreSQL keeps the name of for itself.
#[tokio::test]
async fn a_chosen_type_under_a_new_name() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, xmin TEXT, b TEXT);
         INSERT INTO t VALUES (1, '2024-01-31T10:20:30.000000+00:00', 'x'), (2, NULL, 'y');",
    );
    let theme = theme.with(&["--type", "t.xmin=timestamptz", "--type", "t.b=varchar(9)"]);
    let copied = theme.equal().await;
    assert_eq!(copied.target_column("t", "xmin"), "xmin_");
    copied.is("t", "b", "character varying(9)").lists_nothing();
}
