//! Schema objects: what can be proven equal is carried, the rest listed with its SQL; behaviour tells which is which.

use cutover_tests::rusqlite::Connection;

use crate::theme::{Theme, execute};

#[tokio::test]
async fn generated_columns() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, price REAL, quantity INTEGER, first TEXT, last TEXT,
                         total REAL GENERATED ALWAYS AS (price * quantity) STORED, twice INTEGER AS (quantity * 2) VIRTUAL,
                         name TEXT AS (first || ' ' || last) STORED, loud TEXT AS (upper(first)), typed TEXT AS (typeof(price)),
                         hexed AS (hex(first)) STORED, day TEXT AS (date(last)));
         INSERT INTO t (price, quantity, first, last) VALUES (1.5, 2, 'ada', 'l'), (NULL, 3, 'é', NULL), (0.1, 3, '', '2024-01-31'), (2, NULL, 'x', 'y');
         CREATE INDEX by_total ON t (total);",
    );
    let copied = theme.equal().await;
    let totals = copied
        .query("SELECT total, twice, name FROM t ORDER BY id LIMIT 1")
        .await;
    assert_eq!(
        totals.concat(),
        ["3", "4", "ada l"].map(|value| Some(value.to_owned()))
    );
    // A column that is generated there too goes on being right.
    let generated = copied
        .query("SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attgenerated <> ''")
        .await;
    if generated != [[Some("0".to_owned())]] {
        copied
            .behaves(&["INSERT INTO t (price, quantity, first, last) VALUES (2.5, 4, 'b', 'c')"])
            .await;
    }
}

/// SQLite computes a whole REAL as an integer that it calls real, and takes an integer out of a sorter.
#[tokio::test]
async fn a_generated_real_of_a_table_in_the_order_of_its_key() {
    let theme = Theme::new(
        "CREATE TABLE price (sku TEXT, cents INT, extra REAL, eur REAL AS (cents / 100), PRIMARY KEY (sku COLLATE NOCASE)) WITHOUT ROWID;
         CREATE TABLE mixed (a INT, b INT, half REAL AS (a / 2.0), kept REAL AS (b) STORED, PRIMARY KEY (a DESC, b)) WITHOUT ROWID;
         CREATE INDEX by_eur ON price (eur); CREATE UNIQUE INDEX by_half ON mixed (half, b);
         INSERT INTO price VALUES ('a', 100, 5), ('B', 250, 6.5), ('c', 1000, NULL);
         INSERT INTO mixed VALUES (1, 3), (2, 2), (2, 1), (4, 0);",
    );
    let copied = theme.equal().await;
    for (table, column) in [
        ("price", "extra"),
        ("price", "eur"),
        ("mixed", "half"),
        ("mixed", "kept"),
    ] {
        copied.is(table, column, "double precision");
    }
}

#[tokio::test]
async fn generated_columns_keep_their_not_null() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, k INT NOT NULL AS (a + 1), l INT NOT NULL AS (a * 2) STORED, m AS (a));
         INSERT INTO t (a) VALUES (1), (2);",
    );
    let copied = theme.equal().await;
    copied
        .behaves(&[
            "INSERT INTO t (a) VALUES (3)",
            "INSERT INTO t (a) VALUES (NULL)",
            "UPDATE t SET a = NULL WHERE id = 1",
        ])
        .await;
}

#[tokio::test]
async fn null_where_a_rule_forbids_it_is_met_by_what_is_computed() {
    let theme = Theme::made("null.db", |path| {
        execute(
            path,
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, g AS (max(a, 1)), CHECK (typeof(a) <> 'text'));
             INSERT INTO t (a) VALUES (0), (NULL), (5);
             PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = replace(sql, 'a INT', 'a INT NOT NULL') WHERE name = 't';",
        );
    });
    let copied = theme.equal().await;
    copied.lists(&["a"]);
}

#[tokio::test]
async fn zeros_without_a_sign() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL DEFAULT -0.0, minus AS (-r), product REAL AS (r * -1.0) STORED, virtual REAL AS (r * -1.0));
         INSERT INTO t (r) VALUES (0.0), (1.5), (-2.0), (NULL);",
    );
    let copied = theme.equal().await;
    copied.behaves(&["INSERT INTO t DEFAULT VALUES"]).await;
    copied.comes_back().await;
}

#[tokio::test]
async fn a_column_of_another_type_by_now() {
    for (change, of) in [
        ("ALTER TABLE t ALTER j TYPE jsonb", "t.j"),
        ("ALTER TABLE t ALTER a TYPE double precision", "t.a"),
        ("ALTER TABLE t ALTER a TYPE numeric", "t.a"),
        ("ALTER TABLE t ALTER r TYPE bigint", "t.r"),
        ("ALTER TABLE t ALTER a TYPE money USING a::numeric::money", "t.a"),
        ("ALTER TABLE t ALTER d TYPE timestamptz", "t.d"),
    ] {
        let theme = Theme::new(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, j JSON, r REAL, d DATETIME, s TEXT);
             INSERT INTO t VALUES (1, 5, '{\"a\":1}', 1.5, '2024-01-01 10:00:00', 'x');",
        );
        let copied = theme.equal().await;
        copied
            .client()
            .batch_execute(&format!("ALTER TABLE t ALTER s TYPE varchar(9); {change}"))
            .await
            .unwrap();
        copied.is_refused_back_at_once(of).await;
    }
}

#[tokio::test]
async fn strict_tables() {
    let theme = Theme::new(
        "CREATE TABLE s (id INTEGER PRIMARY KEY, i INT NOT NULL, r REAL, t TEXT, b BLOB, a ANY) STRICT;
         INSERT INTO s VALUES (1, 1, 1.5, 'x', x'00', 1), (2, 2, 2, '', x'', '1'), (3, 3, NULL, NULL, NULL, x'31'), (4, 4, 0.1, 'y', x'ff', 1.0), (5, 5, 5, 'z', NULL, NULL);
         CREATE TABLE w (k ANY PRIMARY KEY, v TEXT) STRICT, WITHOUT ROWID; INSERT INTO w VALUES (1, 'a'), ('1', 'b'), (1.5, 'c');",
    );
    let copied = theme.equal().await;
    copied
        .is("s", "i", "bigint")
        .is("s", "r", "double precision")
        .is("s", "t", "text")
        .is("s", "b", "bytea")
        .is_mixed("s", "a");
    copied.is_mixed("w", "k");
}

#[tokio::test]
async fn views_of_every_kind() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER, at TEXT); INSERT INTO t VALUES (1, 'a', 5, '2024-01-31'), (2, 'b', 7, NULL), (3, 'B', NULL, 'x');
         CREATE VIEW plain AS SELECT id, name FROM t WHERE n > 5;
         CREATE VIEW aliased (x, y) AS SELECT id, n * 2 FROM t;
         CREATE VIEW on_view AS SELECT x FROM aliased WHERE y IS NOT NULL;
         CREATE VIEW own AS SELECT strftime('%Y', at) AS year, group_concat(name, '|') AS names FROM t GROUP BY 1;
         CREATE VIEW loose AS SELECT name, count(*), at FROM t GROUP BY n;
         CREATE VIEW likes AS SELECT name FROM t WHERE name LIKE 'B';
         CREATE VIEW globs AS SELECT name FROM t WHERE name GLOB '[a-c]*';
         CREATE TABLE gone (x); CREATE VIEW broken AS SELECT x FROM gone; DROP TABLE gone;",
    );
    let copied = theme.equal().await;
    copied.lists(&["broken", "gone"]);
    // Whichever of these was made answers the same.
    for (view, sql) in [
        ("plain", "SELECT id, name FROM plain ORDER BY 1"),
        ("aliased", "SELECT x, y FROM aliased ORDER BY 1"),
        ("on_view", "SELECT x FROM on_view ORDER BY 1"),
        ("own", "SELECT year, names FROM own ORDER BY 2"),
        ("likes", "SELECT name FROM likes ORDER BY name"),
        ("globs", "SELECT name FROM globs ORDER BY name"),
    ] {
        if !copied.is_listed(&[view]) {
            copied.behaves(&[sql]).await;
        }
    }
}

#[tokio::test]
async fn triggers_of_every_kind() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER, changed TEXT); CREATE TABLE audit (id INTEGER PRIMARY KEY, what TEXT);
         CREATE VIEW vw AS SELECT id, v FROM t;
         CREATE TRIGGER stamp AFTER UPDATE OF v ON t BEGIN UPDATE t SET changed = datetime('now') WHERE id = NEW.id; END;
         CREATE TRIGGER guard BEFORE INSERT ON t WHEN NEW.v < 0 BEGIN SELECT RAISE(ABORT, 'negative'); END;
         CREATE TRIGGER instead INSTEAD OF INSERT ON vw BEGIN INSERT INTO t (v) VALUES (NEW.v); END;
         CREATE TRIGGER note AFTER INSERT ON t BEGIN INSERT INTO audit (what) VALUES ('inserted ' || NEW.id); END;
         INSERT INTO t (v) VALUES (1), (2);",
    );
    let copied = theme.equal().await;
    // Never fired by the load: SQLite has noted two rows, and so it stays.
    let noted = copied.query("SELECT count(*) FROM audit").await;
    assert_eq!(noted, [[Some("2".to_owned())]]);
    for (trigger, statements) in [
        (
            "guard",
            [
                "INSERT INTO t (v) VALUES (-1)",
                "INSERT INTO t (v) VALUES (3) RETURNING id",
            ],
        ),
        (
            "note",
            ["INSERT INTO t (v) VALUES (8)", "SELECT count(*) FROM audit"],
        ),
    ] {
        if !copied.is_listed(&[trigger]) && !copied.is_listed(&["note"]) {
            copied.behaves(&statements).await;
        }
    }
}

#[tokio::test]
async fn indexes_of_every_kind() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER, c REAL, deleted INTEGER NOT NULL DEFAULT 0, email TEXT);
         CREATE INDEX plain ON t (a); CREATE INDEX several ON t (b DESC, a, c DESC); CREATE INDEX partial ON t (b) WHERE deleted = 0;
         CREATE UNIQUE INDEX live_emails ON t (email) WHERE deleted = 0; CREATE UNIQUE INDEX whole ON t (a, b);
         CREATE INDEX expression ON t (lower(a)); CREATE UNIQUE INDEX expressed ON t (b + 1) WHERE c IS NOT NULL; CREATE INDEX blind ON t (a COLLATE NOCASE DESC);
         CREATE INDEX trimmed ON t (a COLLATE RTRIM); CREATE INDEX odd ON t (instr(a, 'x'), abs(b)); CREATE INDEX twice ON t (a); CREATE INDEX twice_again ON t (a);
         INSERT INTO t VALUES (1, 'A', 1, NULL, 0, 'x@y'), (2, 'a', 1, NULL, 1, 'x@y'), (3, 'a', 2, NULL, 1, 'x@y'), (4, NULL, 2, 0.5, 0, NULL), (5, NULL, 3, 0.5, 0, NULL);",
    );
    let copied = theme.equal().await;
    for index in ["plain", "several", "partial", "live_emails", "whole"] {
        assert!(
            !copied.is_listed(&[index]),
            "{index} can be carried: {}",
            copied.report
        );
    }
    copied
        .behaves(&[
            "INSERT INTO t (a, b, email) VALUES ('z', 9, 'x@y')",
            "INSERT INTO t (a, b, email, deleted) VALUES ('z', 9, 'x@y', 1) RETURNING id",
            "INSERT INTO t (a, b) VALUES ('a', 2)",
            "INSERT INTO t (a, b, c) VALUES ('q', 3, 1.5)",
            "INSERT INTO t (a, b) VALUES ('q', 3) RETURNING id",
        ])
        .await;
}

#[tokio::test]
async fn collations_of_expressions() {
    let theme = Theme::new(
        "CREATE TABLE folded (a TEXT); CREATE UNIQUE INDEX u1 ON folded ((a || '') COLLATE nocase); INSERT INTO folded VALUES ('q');
         CREATE TABLE trimmed (a TEXT); CREATE UNIQUE INDEX u2 ON trimmed (lower(a) COLLATE rtrim); INSERT INTO trimmed VALUES ('q');
         CREATE TABLE lists (x TEXT CHECK (x IN ('a' COLLATE nocase)), y TEXT CHECK (y NOT IN ('q' COLLATE nocase)),
                             z TEXT COLLATE nocase CHECK (z IN ('a' COLLATE binary)), v TEXT CHECK (v IN ('a' COLLATE nocase, 'b')));
         INSERT INTO lists VALUES ('A', 'r', 'a', 'a');",
    );
    let copied = theme.equal().await;
    copied
        .behaves(&[
            "INSERT INTO folded VALUES ('Q')",
            "INSERT INTO folded VALUES ('q ')",
            "INSERT INTO trimmed VALUES ('Q  ')",
            "INSERT INTO trimmed VALUES (' q')",
            "INSERT INTO lists (x) VALUES ('a')",
            "INSERT INTO lists (x) VALUES ('b')",
            "INSERT INTO lists (y) VALUES ('Q')",
            "INSERT INTO lists (z) VALUES ('A')",
            "INSERT INTO lists (v) VALUES ('A')",
        ])
        .await;
    copied.comes_back().await;
}

#[tokio::test]
async fn rules_over_columns_whose_type_was_asked_for() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL CHECK (r / 2 = 1.5), s REAL CHECK (typeof(s) = 'real'));
         INSERT INTO t VALUES (1, 3.0, 3.0);
         CREATE TABLE q (r REAL); CREATE UNIQUE INDEX half ON q (r / 2); INSERT INTO q VALUES (2.0), (3.0);",
    )
    .asking(&["t.r=bigint", "t.s=bigint", "q.r=integer"]);
    let copied = theme.equal().await;
    copied.lists(&["half"]).lists(&["t_check"]);
}

#[tokio::test]
async fn defaults_of_every_kind() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT DEFAULT 'now', b TEXT DEFAULT 'it''s', c TEXT DEFAULT \"double\", d BOOLEAN DEFAULT TRUE, e BLOB DEFAULT x'00ff',
                         f INTEGER DEFAULT (1+1), g INTEGER DEFAULT -1, h REAL DEFAULT 1.5e3, i TEXT DEFAULT '', j TEXT DEFAULT NULL, k INTEGER DEFAULT +5,
                         l TEXT DEFAULT 'null', m TEXT DEFAULT (lower('ABC')), n INTEGER DEFAULT 0x10, o TEXT DEFAULT 'back\\slash %s $1', p INTEGER DEFAULT '7',
                         q TEXT DEFAULT 7, r TEXT DEFAULT word, s REAL DEFAULT 1, u NUMERIC DEFAULT 9223372036854775807, w TEXT DEFAULT ('a' || 'b'));
         INSERT INTO t (id, d, e, f, g, h) VALUES (1, 0, x'', 0, 0, 0), (2, 1, x'01', 5, 5, 0.5);
         INSERT INTO t (id) VALUES (3);",
    );
    let copied = theme.equal().await;
    assert!(!copied.is_listed(&["t", "default"]), "{}", copied.report);
    copied
        .behaves(&[
            "INSERT INTO t (j) VALUES (NULL) RETURNING id",
            "SELECT a, b, c, CAST(d AS integer), e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, u, w FROM t WHERE id = 4",
        ])
        .await;
}

#[tokio::test]
async fn defaults_that_are_the_time_or_chance() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT DEFAULT CURRENT_TIMESTAMP, b TEXT DEFAULT CURRENT_DATE, c TEXT DEFAULT CURRENT_TIME,
                         d DATETIME DEFAULT (datetime('now')), e TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), f INTEGER DEFAULT (random()),
                         g INTEGER DEFAULT (strftime('%s', 'now')), h TEXT DEFAULT (hex(randomblob(16))), i DATETIME DEFAULT CURRENT_TIMESTAMP, j DATE DEFAULT (date('now')));
         INSERT INTO t (id) VALUES (1), (2); UPDATE t SET a = '2024-01-31 10:20:30', i = '2024-01-31 10:20:30', d = '2024-01-31 10:20:30', j = '2024-01-31' WHERE id = 1;",
    );
    let copied = theme.equal().await;
    copied
        .client()
        .batch_execute("INSERT INTO t (id) VALUES (9)")
        .await
        .unwrap();
    // What they give comes back in the form in which SQLite gives it, and in UTC, whatever the zone of the session is.
    let sql = "SET timezone = 'Pacific/Kiritimati'; INSERT INTO t (id) VALUES (10)";
    copied.client().batch_execute(sql).await.unwrap();
    let back = copied.again().await;
    for (column, form) in [
        ("a", "YYYY-MM-DD hh:mm:ss"),
        ("b", "YYYY-MM-DD"),
        ("c", "hh:mm:ss"),
        ("d", "YYYY-MM-DD hh:mm:ss"),
        ("e", "YYYY-MM-DDThh:mm:ss.fffZ"),
        ("i", "YYYY-MM-DD hh:mm:ss"),
        ("j", "YYYY-MM-DD"),
    ] {
        if copied.is_listed(&[&format!("t.{column}")]) {
            continue;
        }
        let digits = form.replace(['Y', 'M', 'D', 'h', 'm', 's', 'f'], "[0-9]");
        let near = if column == "c" {
            "1"
        } else {
            "abs(julianday({column}) - julianday('now')) < 1.01"
        };
        let exact = if form.contains("DD hh") || form.contains("DDT") {
            near.replace("1.01", "0.001")
        } else {
            near.to_owned()
        };
        let sql = format!(
            "SELECT count(*) FROM t WHERE id >= 9 AND typeof({column}) = 'text' AND {column} GLOB '{digits}' AND {}",
            exact.replace("{column}", column)
        );
        let count: i64 = back.query_row(&sql, [], |row| row.get(0)).unwrap();
        let shown = copied
            .query(&format!("SELECT {column} FROM t WHERE id >= 9"))
            .await;
        assert_eq!(count, 2, "{column}: {shown:?}");
    }
}

#[tokio::test]
async fn defaults_that_only_look_like_times() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a DATETIME DEFAULT 'now', b DATETIME DEFAULT 'current_timestamp', c DATETIME DEFAULT 0, d DATETIME DEFAULT '',
                         e DATE DEFAULT '0000-00-00', f DATETIME DEFAULT 'CURRENT_TIMESTAMP', g DATE DEFAULT 'today');
         INSERT INTO t (id) VALUES (1);",
    );
    let copied = theme.equal().await;
    copied
        .behaves(&[
            "INSERT INTO t (id) VALUES (2)",
            "SELECT a, b, c, d, e, f, g FROM t WHERE id = 2",
        ])
        .await;
}

#[tokio::test]
async fn a_string_default_beside_good_times_stays_a_string() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME DEFAULT 'now', day DATE DEFAULT '');
         INSERT INTO t VALUES (1, '2024-01-31 10:20:30', '2024-01-31');",
    );
    let copied = theme.equal().await;
    if !copied.is_listed(&["t", "at"]) {
        copied
            .behaves(&[
                "INSERT INTO t (id, day) VALUES (2, NULL)",
                "SELECT at FROM t WHERE id = 2",
            ])
            .await;
    }
    let frozen = copied
        .query("SELECT count(*) FROM pg_attrdef WHERE pg_get_expr(adbin, adrelid) ~ '20\\d\\d-'")
        .await;
    assert_eq!(
        frozen,
        [[Some("0".to_owned())]],
        "no time of the copy became a default"
    );
}

#[tokio::test]
async fn checks_of_every_kind() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, doc TEXT CHECK (json_valid(doc)), n INTEGER CHECK (typeof(n) = 'integer' OR n IS NULL), code TEXT CHECK (code GLOB '[A-Z]*'),
                         mail TEXT CHECK (mail LIKE '%@%'), word TEXT CHECK (word LIKE 'abc%'), eq INTEGER CHECK (eq == 1 OR eq <> 5), part TEXT CHECK (instr(part, 'x') = 0),
                         lo INTEGER, hi INTEGER, kind TEXT CHECK (kind IN ('a', 'b')), flag INTEGER CHECK (flag IN (0, 1)), lone TEXT CHECK (lone IS NOT 'no'),
                         sized TEXT CHECK (length(sized) <= 3), dq TEXT CHECK (dq <> \"literal\"),
                         CHECK (max(lo, hi) < 100), CONSTRAINT ordered CHECK (lo < hi), CHECK (coalesce(lo, 0) >= 0));
         INSERT INTO t VALUES (1, '{}', 1, 'Ab', 'x@y', 'ABCd', 1, 'a', 1, 2, 'a', 0, 'yes', 'abc', 'x');",
    );
    let copied = theme.equal().await;
    let mut statements = Vec::new();
    for (column, good, bad) in [
        ("eq", "2", "5"),
        ("kind", "'b'", "'c'"),
        ("flag", "1", "2"),
        ("sized", "'äöü'", "'four'"),
    ] {
        statements.push(format!("INSERT INTO t ({column}) VALUES ({bad})"));
        statements.push(format!("INSERT INTO t ({column}) VALUES ({good}) RETURNING id"));
    }
    statements.push("INSERT INTO t (lo, hi) VALUES (5, 4)".to_owned());
    statements.push("INSERT INTO t (lo, hi) VALUES (NULL, 4) RETURNING id".to_owned());
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    // These need no translation at all.
    copied.behaves(&statements).await;
    // The others are as good, or listed; never stricter, whatever became of them.
    for (phrase, accepted, refused) in [
        (
            "json_valid",
            "INSERT INTO t (doc) VALUES ('[1]')",
            "INSERT INTO t (doc) VALUES ('{')",
        ),
        (
            "GLOB",
            "INSERT INTO t (code) VALUES ('Zx')",
            "INSERT INTO t (code) VALUES ('a')",
        ),
        (
            "LIKE",
            "INSERT INTO t (word) VALUES ('AbCx')",
            "INSERT INTO t (word) VALUES ('xabc')",
        ),
        (
            "instr",
            "INSERT INTO t (part) VALUES ('abc')",
            "INSERT INTO t (part) VALUES ('axc')",
        ),
        (
            "IS NOT",
            "INSERT INTO t (lone) VALUES (NULL)",
            "INSERT INTO t (lone) VALUES ('no')",
        ),
        (
            "max(",
            "INSERT INTO t (lo, hi) VALUES (1, 99)",
            "INSERT INTO t (lo, hi) VALUES (1, 100)",
        ),
        (
            "literal",
            "INSERT INTO t (dq) VALUES ('y')",
            "INSERT INTO t (dq) VALUES ('literal')",
        ),
        (
            "typeof",
            "INSERT INTO t (n) VALUES (5)",
            "INSERT INTO t (kind) VALUES ('zz')",
        ),
    ] {
        copied.behaves(&[accepted]).await;
        if !copied.is_listed(&[phrase]) {
            copied.behaves(&[refused]).await;
        }
    }
}

#[tokio::test]
async fn rows_that_break_a_check() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER CONSTRAINT positive CHECK (n > 0), s TEXT);
         INSERT INTO t VALUES (1, 1, 'a'); PRAGMA ignore_check_constraints = ON; INSERT INTO t VALUES (2, -1, 'b'), (3, 0, 'c'), (4, NULL, 'd');",
    );
    let copied = theme.equal().await;
    copied.lists(&["t", "positive"]);
    let entry = copied.report["weakened"].to_string();
    assert!(
        entry.contains('2') && entry.contains('3'),
        "the rows are told: {entry}"
    );
    copied
        .behaves(&[
            "INSERT INTO t (n) VALUES (-2)",
            "INSERT INTO t (n) VALUES (2) RETURNING id",
        ])
        .await;
}

/// SQLite goes on in REAL, or has infinity, where PostgreSQL has an overflow: in one of these already while the rows that break it are
/// looked for.
#[tokio::test]
async fn checks_that_overflow() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL CONSTRAINT square CHECK (r * r >= 0), i INTEGER CONSTRAINT sum CHECK (i + 9223372036854775807 > 0),
                         b REAL CONSTRAINT both CHECK (b * b > 1));
         PRAGMA ignore_check_constraints = ON; INSERT INTO t VALUES (1, 1e200, 1, 0.5), (2, 1, 0, 1e200), (3, 2, -1, 2);",
    );
    theme
        .command("copy", &["--dry-run".to_owned()])
        .await
        .with(0, "copy --dry-run");
    theme.untouched().await;
    let copied = theme.equal().await;
    for check in ["square", "sum", "both"] {
        copied.lists(&["t", check, "NOT VALID", "out of range"]);
    }
    copied
        .behaves(&[
            "INSERT INTO t (b) VALUES (0.5)",
            "INSERT INTO t (r, i, b) VALUES (2, -2, 3) RETURNING id",
        ])
        .await;
}

#[tokio::test]
async fn a_schema_that_was_altered_often() {
    let make = |path: &std::path::Path| {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE t (id INTEGER PRIMARY KEY, old TEXT, gone TEXT, n INTEGER); INSERT INTO t VALUES (1, 'a', 'b', 1), (2, 'c', 'd', 2);
                 CREATE INDEX by_old ON t (old); CREATE VIEW v AS SELECT old FROM t;
                 ALTER TABLE t RENAME COLUMN old TO fresh; ALTER TABLE t DROP COLUMN gone; ALTER TABLE t ADD COLUMN late TEXT NOT NULL DEFAULT 'it''s late';
                 ALTER TABLE t ADD COLUMN flag BOOLEAN DEFAULT 1; ALTER TABLE t RENAME TO renamed; INSERT INTO renamed VALUES (3, 'e', 3, 'x', 0);",
            )
            .unwrap();
    };
    let copied = Theme::made("altered.db", make).equal().await;
    copied
        .behaves(&[
            "SELECT late FROM renamed ORDER BY id",
            "INSERT INTO renamed (fresh) VALUES ('z') RETURNING id, late",
        ])
        .await;
}

const UNCARRIED: &str = "
    CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n INTEGER CONSTRAINT positive CHECK (n > 0)); CREATE TABLE other (x TEXT);
    CREATE VIEW odd_view AS SELECT v, sqlite_version() FROM t; CREATE TRIGGER odd_trigger AFTER INSERT ON t BEGIN INSERT INTO other VALUES (NEW.v); END;
    PRAGMA ignore_check_constraints = ON; INSERT INTO t VALUES (1, 'a', 1), (7, 'b', -1);";

#[tokio::test]
async fn what_is_not_carried_is_told_on_the_terminal_too() {
    let theme = Theme::new(UNCARRIED);
    let told = theme.copy_on_a_terminal(&[]).await.with(0, "copy");
    let told = format!("{}{}", told.stdout, told.stderr);
    for what in [
        "odd_view",
        "sqlite_version()",
        "odd_trigger",
        "INSERT INTO other",
        "positive",
        "> 0",
    ] {
        assert!(told.contains(what), "{what} is not told: {told}");
    }
    let strict = Theme::new(UNCARRIED);
    strict
        .copy_on_a_terminal(&["--strict"])
        .await
        .with(1, "copy --strict");
    let whole =
        Theme::new("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE); INSERT INTO t VALUES (1, 'a');");
    whole
        .copy_on_a_terminal(&["--strict"])
        .await
        .with(0, "copy --strict of what can be carried");
}

#[tokio::test]
async fn a_rehearsal_leaves_nothing() {
    let theme = Theme::new(UNCARRIED);
    let before = theme.files();
    let rehearsed = theme
        .command("copy", &["--dry-run".to_owned()])
        .await
        .with(0, "copy --dry-run")
        .json();
    assert_eq!(
        rehearsed["tables"].as_array().map(Vec::len),
        Some(2),
        "{rehearsed}"
    );
    theme.untouched().await;
    assert!(before == theme.files());
    let rejecting = Theme::new("CREATE TABLE t (s TEXT); INSERT INTO t VALUES (CAST(x'00' AS TEXT));");
    rejecting
        .command("copy", &["--dry-run".to_owned()])
        .await
        .with(1, "copy --dry-run of a reject");
    rejecting.untouched().await;
    theme.equal().await;
}

/// With `--verify`, 0 means equal: here something in the target changes what is written.
#[tokio::test]
async fn a_copy_proves_itself_when_asked_to() {
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'B');";
    let flags = ["--verify".to_owned(), "--data-only".to_owned()];
    let sound = Theme::new(sql);
    let told = sound
        .command("copy", &flags[..1])
        .await
        .with(0, "copy --verify")
        .json();
    assert_eq!(told["verified"]["ok"], true, "{told}");
    assert_eq!(told["verified"]["tables"][0]["rows_target"], 2, "{told}");
    let meddled = Theme::new(sql);
    meddled
        .command("copy", &["--schema-only".to_owned()])
        .await
        .with(0, "copy --schema-only");
    let meddler = "CREATE FUNCTION louder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE t SET v = upper(v); RETURN NEW; END $$;
         CREATE TRIGGER louder AFTER UPDATE ON cutover.copy_part FOR EACH ROW EXECUTE FUNCTION louder()";
    meddled.client().await.batch_execute(meddler).await.unwrap();
    let told = meddled
        .command("copy", &flags)
        .await
        .with(1, "copy --verify of what is changed")
        .json();
    assert_eq!(told["ok"], false, "{told}");
    assert_eq!(told["tables"][0]["rows_written"], 2, "{told}");
    assert_eq!(
        told["verified"]["tables"][0]["different"][0]["key"]["id"], 1,
        "{told}"
    );
    let again = Theme::new(sql);
    let said = again
        .copy_on_a_terminal(&["--verify"])
        .await
        .with(0, "copy --verify");
    assert!(
        said.stdout.contains("equal: 2 rows in 1 table, every value"),
        "{}",
        said.stdout
    );
    assert!(!said.stdout.contains("run cutover verify"), "{}", said.stdout);
}

/// A rule of a domain is none of the table's: it refuses a row as a type does.
#[tokio::test]
async fn a_domain_in_the_target_refuses_a_row() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO t VALUES (1, 5), (2, -5), (3, 7);",
    );
    let made = "CREATE DOMAIN dom AS int CHECK (value > 0); CREATE TABLE t (id bigint PRIMARY KEY, v dom)";
    theme.client().await.batch_execute(made).await.unwrap();
    let flags = ["--data-only", "--on-reject", "quarantine"].map(str::to_owned);
    let refused = theme
        .command("copy", &flags[..1])
        .await
        .with(1, "copy of what a domain refuses");
    assert!(
        refused.stderr.contains("t where id = 2") && refused.stderr.contains("dom_check"),
        "{}",
        refused.stderr
    );
    let told = theme
        .command("copy", &flags)
        .await
        .with(1, "copy that keeps apart what a domain refuses")
        .json();
    assert_eq!(told["tables"][0]["rows_written"], 2, "{told}");
    assert_eq!(told["rejects"][0]["key"], "id = 2", "{told}");
}

/// Values for a column that the target computes cannot be written: that is told.
#[tokio::test]
async fn the_target_computes_what_the_source_holds() {
    let theme =
        Theme::new("CREATE TABLE t (id INTEGER PRIMARY KEY, g INTEGER); INSERT INTO t VALUES (1, 7);");
    let made = "CREATE TABLE t (id bigint PRIMARY KEY, g int GENERATED ALWAYS AS (5) STORED)";
    theme.client().await.batch_execute(made).await.unwrap();
    let told = theme
        .command("copy", &["--data-only".to_owned()])
        .await
        .with(0, "copy into a table that computes")
        .json();
    let list = told["not_carried"].to_string();
    assert!(list.contains("t.g") && list.contains("computes"), "{told}");
    theme
        .command("verify", &[])
        .await
        .with(1, "verify of what is computed");
}

/// Whatever has a name in PostgreSQL keeps it.
#[tokio::test]
async fn names_of_sequences_and_types() {
    let theme = Theme::new(
        "CREATE TABLE sq (id INTEGER PRIMARY KEY, v); CREATE TABLE mood (id INTEGER PRIMARY KEY); CREATE TABLE whole (id INTEGER PRIMARY KEY);
         CREATE TABLE part (id INTEGER PRIMARY KEY); CREATE INDEX range ON sq (v); CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT);
         INSERT INTO sq VALUES (1, 'a'); INSERT INTO mood VALUES (1); INSERT INTO whole VALUES (1); INSERT INTO part VALUES (1); INSERT INTO t VALUES (4);",
    );
    let taken = "CREATE SEQUENCE sq; CREATE TYPE mood AS ENUM ('good'); CREATE TYPE range AS (a int);
         CREATE TABLE partitioned (id bigint) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF partitioned DEFAULT;
         CREATE DOMAIN whole AS int";
    theme.client().await.batch_execute(taken).await.unwrap();
    theme.command("copy", &[]).await.with(0, "copy");
    // The same names again: what the copy has made itself is in nobody's way.
    let told = theme
        .command("copy", &["--replace".to_owned()])
        .await
        .with(0, "copy --replace")
        .json();
    let tables: Vec<String> = told["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|table| format!("{} {}", table["name"], table["target"]).replace('"', ""))
        .collect();
    for table in ["sq sq_", "mood mood_", "whole whole_", "part part_", "t t"] {
        assert!(tables.iter().any(|found| found == table), "{told}");
    }
    theme.command("verify", &[]).await.with(0, "verify");
}

/// What is in the way of a table says nothing of its generated columns.
#[tokio::test]
async fn a_replacement_that_a_view_forbids() {
    let theme = Theme::new(
        "CREATE TABLE c (id INTEGER PRIMARY KEY, n INTEGER, g INTEGER AS (n + 1) STORED); INSERT INTO c (n) VALUES (1);",
    );
    theme.command("copy", &[]).await.with(0, "copy");
    let view = "CREATE VIEW on_it AS SELECT id FROM c";
    theme.client().await.batch_execute(view).await.unwrap();
    let refused = theme
        .command("copy", &["--replace".to_owned()])
        .await
        .with(1, "copy --replace of what a view stands on");
    assert!(
        refused.stderr.contains("on_it") && !refused.stderr.contains("generated columns"),
        "{}",
        refused.stderr
    );
}

#[tokio::test]
async fn a_schema_alone_tells_of_rows_that_will_not_fit() {
    let theme = Theme::new(
        "CREATE TABLE m (id INTEGER PRIMARY KEY, t TEXT); INSERT INTO m VALUES (1, 'a'), (2, 'a' || char(0) || 'b');",
    );
    let rehearsed = theme
        .copy_on_a_terminal(&["--schema-only", "--dry-run"])
        .await
        .with(0, "copy --schema-only --dry-run");
    assert!(
        rehearsed.stdout.contains("1 row not fitting"),
        "{}",
        rehearsed.stdout
    );
    let ended = theme
        .copy_on_a_terminal(&["--schema-only"])
        .await
        .with(0, "copy --schema-only");
    assert!(
        ended.stdout.contains(
            "\n1 row will not fit when rows are loaded; mend the source, or load with --on-reject quarantine\n0 rows in "
        ),
        "{}",
        ended.stdout
    );
    assert!(
        ended
            .stdout
            .ends_with("; the rows come with cutover copy --data-only\n"),
        "{}",
        ended.stdout
    );
    assert!(
        !ended.stdout.contains("kept in the quarantine"),
        "{}",
        ended.stdout
    );
    let replace = ["--schema-only", "--replace"].map(str::to_owned);
    let report = theme
        .command("copy", &replace)
        .await
        .with(0, "copy --schema-only --json")
        .json();
    assert_eq!(report["ok"], true, "{report}");
    assert_eq!(report["tables"][0]["rejected"], 1, "{report}");
    let load = ["--data-only", "--on-reject", "quarantine"];
    let ended = theme.copy_on_a_terminal(&load).await.with(1, "copy --data-only");
    assert!(
        ended
            .stdout
            .contains("; 1 row kept in the quarantine (cutover.quarantine, in a file _cutover_quarantine)"),
        "{}",
        ended.stdout
    );
}

#[tokio::test]
async fn what_is_not_carried_names_its_table() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a COLLATE NOCASE, b COLLATE NOCASE, CONSTRAINT same UNIQUE (a), UNIQUE (b));
         CREATE TABLE k (a COLLATE NOCASE PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, a TEXT CONSTRAINT \"to it\" REFERENCES t (a), b REFERENCES none);
         INSERT INTO t VALUES (1, 1, 1), (2, 'x', 'x'); INSERT INTO k VALUES (1), ('x');",
    );
    let copied = theme.equal().await;
    let left: Vec<(&str, &str)> = copied.report["not_carried"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["kind"].as_str().unwrap(), entry["name"].as_str().unwrap()))
        .collect();
    for entry in [
        ("unique constraint", "t.same"),
        ("unique constraint", "t.t_b_key"),
        ("primary key", "k.k_pkey"),
        ("foreign key", "c.to it"),
        ("foreign key", "c.c_b_fkey"),
    ] {
        assert!(left.contains(&entry), "{entry:?}: {left:?}");
    }
    for entry in copied.report["weakened"].as_array().unwrap() {
        assert!(!entry["table"].as_str().unwrap().is_empty(), "{entry}");
    }
}

/// SQLite takes any bytes for the text that makes something.
#[tokio::test]
async fn what_is_made_by_a_text_that_is_not_utf_8() {
    let spoiled = |kind: &'static str| {
        Theme::made("latin.db", move |path| {
            let sql = format!(
                "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t (a) VALUES ('größer');
                 CREATE VIEW v AS SELECT a FROM t; CREATE INDEX i ON t (a); CREATE TABLE other (n INT); INSERT INTO other VALUES (7);
                 CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;
                 PRAGMA writable_schema = ON;
                 UPDATE sqlite_schema SET sql = sql || CAST(x'202f2a20f6202a2f' AS TEXT) WHERE type = '{kind}' AND name <> 'other';"
            );
            execute(path, &sql);
        })
    };
    for (kind, name) in [("table", "t"), ("index", "i")] {
        let theme = spoiled(kind);
        let words = [
            format!("the text that makes the {kind} {name} is not UTF-8 from its byte "),
            "--exclude t".to_owned(),
        ];
        let ended = [
            theme.inspect(&[]).await,
            theme.command("copy", &[]).await,
            theme.command("verify", &[]).await,
        ];
        for ended in ended {
            let ended = ended.with(3, kind);
            assert!(
                words.iter().all(|words| ended.stderr.contains(words)),
                "{ended:?}"
            );
        }
        theme.untouched().await;
        let flags = ["--exclude", "t"].map(str::to_owned);
        let copied = theme
            .command("copy", &flags)
            .await
            .with(0, "copy of the other")
            .json();
        let mut not_carried = copied["not_carried"].as_array().unwrap().iter();
        assert!(
            not_carried.any(|told| told["kind"] == "table" && told["name"] == "t"),
            "{copied}"
        );
        theme
            .command("verify", &flags)
            .await
            .with(0, "verify of the other");
        theme.command("verify", &[]).await.with(3, "verify of both");
        theme.brought_back(&[]).await.0.with(0, "the way back");
        let file = theme.opened_back();
        let n: i64 = file
            .query_row("SELECT n FROM other", [], |row| row.get(0))
            .unwrap();
        assert_eq!(n, 7);
    }
    for (kind, name) in [("view", "v"), ("trigger", "g")] {
        let theme = spoiled(kind);
        let copied = theme.command("copy", &[]).await.with(0, kind).json();
        let not_carried = copied["not_carried"].as_array().unwrap();
        let told = not_carried.iter().find(|told| told["name"] == name).unwrap();
        let reason = "its text is not UTF-8, so that it is not made on the way back either";
        assert_eq!((&told["kind"], &told["reason"]), (&kind.into(), &reason.into()));
        theme.command("verify", &[]).await.with(0, "verify");
        theme.brought_back(&[]).await.0.with(0, "the way back");
        let file = theme.opened_back();
        let objects = file
            .query_row(
                "SELECT group_concat(name ORDER BY name) FROM sqlite_schema WHERE name NOT LIKE '%cutover%'",
                [],
                |row| row.get::<_, String>(0),
            )
            .unwrap();
        assert_eq!(
            objects,
            if kind == "view" {
                "g,i,other,t"
            } else {
                "i,other,t,v"
            }
        );
        let a: String = file.query_row("SELECT a FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(a, "größer");
    }
}
