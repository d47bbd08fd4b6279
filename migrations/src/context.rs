//! The schemas as data: per context its versions, per version four scripts.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType};

use crate::target::Dialect;

/// One application's schema. A value rather than an enumeration, so that tests can bring schemas of their own.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// As on the command line, in the names of the history tables, and as the folder of its files.
    pub name: &'static str,
    /// Its versions, ascending.
    pub versions: &'static [Version],
    /// The rows that migrations put in: a table, and the condition that tells such a row from someone's data.
    pub seeds: &'static [(&'static str, &'static str)],
    /// Whether files of the original application exist that have the schema and no history.
    pub legacy: bool,
}

/// One version of a schema.
#[derive(Debug, Clone, Copy)]
pub struct Version {
    /// Its number.
    pub number: i64,
    /// Its name, in words joined by `_`.
    pub name: &'static str,
    /// Its scripts for SQLite.
    pub sqlite: Script,
    /// Its scripts for PostgreSQL.
    pub postgres: Script,
}

/// The SQL of one version in one dialect.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    /// From the version before to this one.
    pub up: &'static str,
    /// Back again; also undoes an `up` that was killed half-way, so everything in it is IF EXISTS.
    pub down: &'static str,
}

macro_rules! versions {
    ($folder:literal: $($number:literal $name:literal),+ $(,)?) => {
        &[$(Version {
            number: number($number),
            name: $name,
            sqlite: script!($folder, "sqlite", $number, $name),
            postgres: script!($folder, "postgres", $number, $name),
        }),+]
    };
}

macro_rules! script {
    ($folder:literal, $dialect:literal, $number:literal, $name:literal) => {
        Script {
            up: include_str!(concat!(
                "../", $folder, "/", $dialect, "/", $number, "_", $name, ".up.sql"
            )),
            down: include_str!(concat!(
                "../",
                $folder,
                "/",
                $dialect,
                "/",
                $number,
                "_",
                $name,
                ".down.sql"
            )),
        }
    };
}

/// The number at the beginning of a file's name.
const fn number(digits: &str) -> i64 {
    let digits = digits.as_bytes();
    let mut value = 0;
    let mut at = 0;
    while at < digits.len() {
        value = value * 10 + (digits[at] - b'0') as i64;
        at += 1;
    }
    value
}

impl Context {
    /// synth-lab.
    pub const LAB: Self = Self {
        name: "lab",
        versions: versions!("lab": "0001" "initial", "0002" "growth_indexes"),
        seeds: &[(
            "synth_groups",
            "id = 'grp_00000001' AND name = 'Default' \
             AND description = 'Grupo padrão para synths sem grupo específico'",
        )],
        legacy: true,
    };

    /// silmari-writer.
    pub const WRITER: Self = Self {
        name: "writer",
        versions: versions!("writer": "0001" "initial", "0002" "positions"),
        seeds: &[],
        legacy: true,
    };

    /// SPY-tracker.
    pub const MARKET: Self = Self {
        name: "market",
        versions: versions!("market": "0001" "initial", "0002" "spec_indexes", "0003" "job_runs"),
        seeds: &[],
        legacy: true,
    };

    /// All of them. A new one is its folder, its constant above and its place here, and if there are files of the original
    /// application, what these are like (`adopt`).
    pub const ALL: &'static [Self] = &[Self::LAB, Self::WRITER, Self::MARKET];

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|context| context.name == name)
    }

    /// The newest version.
    pub fn head(&self) -> i64 {
        self.versions.last().map_or(0, |version| version.number)
    }

    /// The version before this one, 0 for the first.
    pub fn before(&self, number: i64) -> i64 {
        let before = self.versions.iter().rev().find(|version| version.number < number);
        before.map_or(0, |version| version.number)
    }

    /// Whether its scripts make a table of this name.
    pub(crate) fn makes(&self, table: &str, dialect: Dialect) -> bool {
        let statement = format!("CREATE TABLE {table} (");
        let mut scripts = self.versions.iter().map(|version| version.script(dialect).up);
        scripts.any(|script| script.contains(&statement))
    }

    /// Whether its scripts hold this statement as it stands: a SQLite file keeps the text of what made its objects.
    pub fn says(&self, sql: &str, dialect: Dialect) -> bool {
        let mut scripts = self.versions.iter().map(|version| version.script(dialect).up);
        !sql.is_empty() && scripts.any(|script| script.contains(sql))
    }

    pub(crate) fn version(&self, number: i64) -> Option<&'static Version> {
        self.versions.iter().find(|version| version.number == number)
    }
}

impl Version {
    /// Its scripts in a dialect.
    pub fn script(&self, dialect: Dialect) -> Script {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        }
    }

    pub(crate) fn up(&self, dialect: Dialect) -> Migration {
        self.migration(self.script(dialect).up, MigrationType::ReversibleUp)
    }

    pub(crate) fn down(&self, dialect: Dialect) -> Migration {
        self.migration(self.script(dialect).down, MigrationType::ReversibleDown)
    }

    fn migration(&self, sql: &'static str, kind: MigrationType) -> Migration {
        let no_transaction = sql.starts_with("-- no-transaction");
        Migration::new(
            self.number,
            Cow::Borrowed(self.name),
            kind,
            sql.into_sql_str(),
            no_transaction,
        )
    }
}
