//! SQLite files as synth-lab v15 left them: a schema without any history of ours, rows in every table, and what real files hold besides.

use std::path::Path;

use cutover_migrations::Context;
use rusqlite::Connection;

/// A file to be made.
#[derive(Debug, Clone, Copy)]
pub struct LabFile {
    /// Experiments; each has a run, a guide, a document, an execution, an exploration.
    pub experiments: u32,
    /// Outcomes per run, transcripts per execution, nodes per exploration.
    pub children: u32,
    /// Synths.
    pub synths: u32,
    /// Repetitions of a sentence in the long texts, about 60 bytes each.
    pub sentences: u32,
}

impl LabFile {
    /// A few hundred rows.
    pub const SMALL: Self = Self {
        experiments: 20,
        children: 10,
        synths: 100,
        sentences: 3,
    };

    /// Makes the file, in WAL mode as the original leaves it.
    ///
    /// # Panics
    /// If SQLite refuses.
    pub fn create(&self, path: &Path) -> Connection {
        let connection = Connection::open(path).expect("the file can be made");
        let schema = Context::LAB
            .versions
            .first()
            .expect("there is a version")
            .sqlite
            .up;
        connection.execute_batch(schema).expect("the schema of v15");
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; BEGIN",
            )
            .expect("pragmas");
        for (table, rows, per_parent) in [
            ("experiment", self.experiments, 1),
            ("synth", self.synths, 1),
            ("child", self.experiments, self.children),
        ] {
            let numbers = format!(
                "CREATE TEMP TABLE {table}_n AS WITH RECURSIVE p(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM p WHERE i < {rows}),
                 c(j) AS (SELECT 1 UNION ALL SELECT j + 1 FROM c WHERE j < {per_parent})
                 SELECT i, j, (i - 1) * {per_parent} + j AS n FROM p, c"
            );
            connection.execute_batch(&numbers).expect("numbers");
        }
        let text = "Los usuários não encontram o botão, mas gostam da ideia. "
            .repeat(usize::try_from(self.sentences).unwrap_or(1));
        connection
            .execute_batch("CREATE TEMP TABLE t (long TEXT)")
            .expect("texts");
        connection
            .execute("INSERT INTO t VALUES (?1)", [&text])
            .expect("texts");
        for statement in ROWS {
            connection.execute_batch(statement).expect(statement);
        }
        connection
            .execute_batch(
                "COMMIT; DROP TABLE temp.experiment_n; DROP TABLE temp.synth_n; DROP TABLE temp.child_n",
            )
            .expect("rows");
        connection
    }
}

/// Times as the original writes them.
macro_rules! at {
    ($n:literal) => {
        concat!(
            "strftime('%Y-%m-%dT%H:%M:%S', 1760000000 + 61 * ",
            $n,
            ", 'unixepoch') || printf('.%06d+00:00', (",
            $n,
            " * 7919) % 1000000)"
        )
    };
}

const ROWS: &[&str] = &[
    concat!("INSERT INTO experiments SELECT printf('exp_%08x', i), 'Experimento ' || i, 'Hipótese ' || i, CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'd' END,
        CASE WHEN i % 4 THEN printf('{\"feature_name\": \"f%d\", \"complexity\": {\"score\": 0.%d}}', i, 1 + i % 9) END, CASE WHEN i % 7 THEN 'active' ELSE 'deleted' END, ", at!("i"), ", NULL FROM temp.experiment_n"),
    concat!("INSERT INTO synth_groups SELECT printf('grp_%08x', 1 + i), 'Grupo ' || i, NULL, ", at!("i"), " FROM temp.experiment_n WHERE i % 10 = 0"),
    concat!("INSERT INTO synths SELECT printf('s%05x', i), 'grp_00000001', 'Nome ' || i, NULL, NULL, 'output/avatars/' || i, ", at!("i"), ", '2.3.0',
        printf('{\"demografia\": {\"idade\": %d, \"cidade\": \"S\\u00e3o Paulo\"}, \"bio\": \"%s\"}', 18 + i % 60, (SELECT long FROM t)) FROM temp.synth_n"),
    concat!("INSERT INTO analysis_runs SELECT printf('ana_%08x', i), printf('exp_%08x', i), 'baseline', '{\"n_synths\": 500, \"n_executions\": 100, \"sigma\": 0.1, \"seed\": null}',
        'completed', ", at!("i"), ", ", at!("i"), ", 500, '{\"did_not_try_rate\": 0.25, \"failed_rate\": 0.5, \"success_rate\": 0.25}', i / 3.0 FROM temp.experiment_n"),
    "INSERT INTO synth_outcomes SELECT CASE WHEN i % 2 THEN printf('out_%08x', n) END, printf('ana_%08x', i), printf('s%05x', j), j / 7.0, 1.0 / n, 1, 
        printf('{\"observables\": {\"trust\": %.17g}, \"latent_traits\": {}}', 1.0 / (n + 1)) FROM temp.child_n",
    concat!("INSERT INTO analysis_cache SELECT printf('ana_%08x', i), 'scatter', '{\"points\": [[0.1, 2], [1e2, -0.5]]}', NULL, ", at!("i"), " FROM temp.experiment_n"),
    concat!("INSERT INTO research_executions SELECT printf('batch_topic_%d', i), CASE WHEN i % 5 THEN printf('exp_%08x', i) END, 'topic', 'completed', 10, 9, 1, 'gpt-4o-mini', 6, ",
        "substr(", at!("i"), ", 1, 26), substr(", at!("i"), ", 1, 19), NULL FROM temp.experiment_n"),
    concat!("INSERT INTO transcripts SELECT NULL, printf('batch_topic_%d', i), printf('s%05x', j), 'Nome', 'completed', 3, substr(", at!("n"), ", 1, 26),
        printf('[{\"speaker\": \"Interviewer\", \"text\": \"%s 😀\", \"internal_notes\": null}]', (SELECT long FROM t)) FROM temp.child_n"),
    concat!("INSERT INTO interview_guide SELECT printf('exp_%08x', i), 'contexto', (SELECT long FROM t), '', ", at!("i"), ", NULL FROM temp.experiment_n"),
    concat!("INSERT INTO feature_scorecards SELECT printf('%08d', i), printf('exp_%08x', i), '{\"id\": \"x\"}', ", at!("i"), ", NULL FROM temp.experiment_n"),
    concat!("INSERT INTO simulation_runs SELECT printf('sim_%08x', i), printf('%08d', i), 'crisis', '{\"sigma\": 0.1}', 'running', ", at!("i"), ", NULL, 0, NULL, NULL FROM temp.experiment_n"),
    "INSERT INTO region_analyses SELECT printf('region_%08x', i), printf('sim_%08x', i), '[{\"attribute\": \"a\", \"operator\": \"<=\", \"threshold\": 0.5}]', 'a <= 0.5', 5, 12.5, 0.1, 0.2, 0.7, -0.1 FROM temp.experiment_n",
    concat!("INSERT INTO sensitivity_results SELECT printf('sens_%012x', i), printf('sim_%08x', i), ", at!("i"), ", '[0.05, 0.1]', 0.5, 'trust', '[]', '2026-01-01 12:00:00' FROM temp.experiment_n"),
    concat!("INSERT INTO chart_insights SELECT printf('ins_%012x', i), printf('ana_%08x', i), 'try_vs_success', '{\"caption\": \"c\"}', ", at!("i"), ", ", at!("i"), " FROM temp.experiment_n"),
    concat!("INSERT INTO explorations SELECT printf('expl_%08x', i), printf('exp_%08x', i), printf('ana_%08x', i), '{\"metric\": \"success_rate\"}', '{\"beam_width\": 3}', 'running', 1, 2, 3, 0.5, ", at!("i"), ", NULL FROM temp.experiment_n"),
    concat!("INSERT INTO scenario_nodes SELECT printf('node_%08x', n), printf('expl_%08x', i), CASE WHEN j > 1 THEN printf('node_%08x', n - 1) END, j - 1, NULL, NULL, NULL, NULL, '{}', NULL, NULL, 'active', ", at!("n"), " FROM temp.child_n"),
    concat!("INSERT INTO experiment_documents SELECT printf('doc_%08x', i), printf('exp_%08x', i), 'summary', (SELECT long FROM t), NULL, ", at!("i"), ", 'gpt-4o-mini', 'completed', NULL FROM temp.experiment_n"),
];

/// Something that real files hold and a fresh one does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// Times in every form of the reference, in one column.
    TimeForms,
    /// A status that the check forbids.
    StatusOutsideCheck,
    /// Rows whose parents are missing.
    Orphans,
    /// Tables that later versions dropped.
    LegacyTables,
    /// A column that somebody added.
    UnknownColumn,
    /// JSON whose spelling, numbers and keys `jsonb` changes.
    OddJson,
    /// The seed group is gone.
    NoDefaultGroup,
    /// A node stored before its parent.
    ChildBeforeParent,
    /// Text with a NUL character.
    NulInName,
    /// Bytes in a text column that are not UTF-8.
    NotUtf8,
    /// A word in a number column.
    TextInNumber,
    /// A time that is none.
    NoTime,
    /// `\u0000` in a JSON string.
    JsonNul,
    /// Text that is not JSON in a JSON column.
    BrokenJson,
    /// NULL in a primary key that the target does not allow.
    NullKey,
}

impl Oddity {
    /// Those that are copied.
    pub const KEPT: [Self; 8] = [
        Self::TimeForms,
        Self::StatusOutsideCheck,
        Self::Orphans,
        Self::LegacyTables,
        Self::UnknownColumn,
        Self::OddJson,
        Self::NoDefaultGroup,
        Self::ChildBeforeParent,
    ];
    /// Those that PostgreSQL cannot hold, one row each.
    pub const REJECTED: [Self; 7] = [
        Self::NulInName,
        Self::NotUtf8,
        Self::TextInNumber,
        Self::NoTime,
        Self::JsonNul,
        Self::BrokenJson,
        Self::NullKey,
    ];

    /// Puts it into a file.
    ///
    /// # Panics
    /// If SQLite refuses.
    pub fn put(self, connection: &Connection) {
        connection
            .execute_batch("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF")
            .expect("pragmas");
        connection
            .execute_batch(self.sql())
            .expect("the oddity is put in");
    }

    fn sql(self) -> &'static str {
        match self {
            Self::TimeForms => {
                "UPDATE experiments SET created_at = '2026-01-01 12:00:00', updated_at = '2026-01-01T12:00:00.5' WHERE id = 'exp_00000001';
                 UPDATE experiments SET created_at = '2025-12-15T10:00:00Z', updated_at = '2025-12-15' WHERE id = 'exp_00000002';
                 UPDATE experiments SET created_at = '2026-01-01T12:00:00+00:00', updated_at = '9999-12-31T23:59:59-03:00' WHERE id = 'exp_00000003';
                 UPDATE experiments SET updated_at = '9999-12-31 23:59:59.999999' WHERE id = 'exp_00000003'"
            }
            Self::StatusOutsideCheck => "UPDATE experiments SET status = 'archived' WHERE id IN ('exp_00000004', 'exp_00000005')",
            Self::Orphans => {
                "UPDATE analysis_runs SET experiment_id = 'exp_missing' WHERE id = 'ana_00000006';
                 INSERT INTO transcripts VALUES (NULL, 'batch_missing', 's00001', 'Nome', 'x', 0, '2026-01-01T12:00:00.000001', NULL)"
            }
            Self::LegacyTables => {
                "CREATE TABLE assumption_log (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT, action TEXT, data, weight REAL);
                 INSERT INTO assumption_log VALUES (7, '2025', 'create', x'00ff', 0.1), (9, NULL, 'é', NULL, 1e300);
                 CREATE INDEX idx_log_action ON assumption_log (action);
                 CREATE TABLE \"odd \"\"name\" (\"a b\", c TEXT); INSERT INTO \"odd \"\"name\" VALUES (NULL, 'x'), (NULL, 'x')"
            }
            Self::UnknownColumn => {
                "ALTER TABLE experiments ADD COLUMN note TEXT; UPDATE experiments SET note = 'n' || rowid WHERE rowid % 2"
            }
            Self::OddJson => {
                "UPDATE experiments SET scorecard_data = '{\"z\":1,\"a\":{\"b\":[1e400, 0.10, 123456789012345678901234567890, -0.0]},\"a\":\"\\ud83d\\ude00 é\"}' WHERE id = 'exp_00000007';
                 UPDATE experiments SET scorecard_data = 'null' WHERE id = 'exp_00000008';
                 UPDATE experiments SET scorecard_data = '[' || (SELECT group_concat('[', '') FROM (WITH RECURSIVE d(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM d WHERE n < 900) SELECT n FROM d))
                     || (SELECT group_concat(']', '') FROM (WITH RECURSIVE d(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM d WHERE n < 900) SELECT n FROM d)) || ']' WHERE id = 'exp_00000009'"
            }
            Self::NoDefaultGroup => "UPDATE synths SET synth_group_id = NULL; DELETE FROM synth_groups WHERE id = 'grp_00000001'",
            Self::ChildBeforeParent => "UPDATE scenario_nodes SET parent_id = 'node_00000005' WHERE id = 'node_00000001'",
            Self::NulInName => "UPDATE experiments SET name = 'a' || char(0) || 'b' WHERE id = 'exp_0000000a'",
            Self::NotUtf8 => "UPDATE experiments SET hypothesis = CAST(x'61ff' AS TEXT) WHERE id = 'exp_0000000b'",
            Self::TextInNumber => "UPDATE analysis_runs SET total_synths = 'many' WHERE id = 'ana_0000000c'",
            Self::NoTime => "UPDATE synths SET created_at = 'now' WHERE id = 's0000d'",
            Self::JsonNul => "UPDATE synths SET data = '{\"a\": \"\\u0000\"}' WHERE id = 's0000e'",
            Self::BrokenJson => "UPDATE explorations SET goal = '{' WHERE id = 'expl_0000000f'",
            Self::NullKey => "INSERT INTO experiment_documents VALUES (NULL, 'exp_00000010', 'prfaq', '', NULL, '2026-01-01', NULL, 'completed', NULL)",
        }
    }
}
