//! What a database is made of: one form for both databases, read by the adapters, compared and planned with here.
//!
//! Names are kept exactly as the database has them. Nothing is translated: a default, a check or an index expression is
//! the SQL text of its own database.

use std::collections::HashSet;

use serde::Serialize;

use super::blanks::Blanks;
use super::ddl;
use super::numbers::{single, whole};
use super::rendering::Rendering;
use super::value::Value;

/// A database (PostgreSQL: one schema of it) as its own catalog describes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Catalog {
    /// Which database it was read from.
    pub engine: Engine,
    /// `main`, or PostgreSQL's schema.
    pub schema: String,
    /// The tables that hold rows of the application, in order of name. Cutover's own tables, SQLite's internal ones and the
    /// shadow tables of virtual tables are left out.
    pub tables: Vec<Table>,
    /// Everything that is no table: listed with its SQL, because a copy does not carry it.
    pub others: Vec<Other>,
    /// Further names that no table or index can have: PostgreSQL's sequences and types; in a SQLite file the tables that virtual tables keep
    /// their rows in.
    pub taken: Vec<String>,
    /// The statements that make the SQLite file anew: of the file itself, or kept by the copy that it came with.
    pub origin: Option<Origin>,
}

/// What makes a SQLite file as it was: a copy keeps it in its target, so that the way back leads to the same schema.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// Tables, indexes, views and triggers, in the order in which they were made.
    pub objects: Vec<OriginObject>,
    /// Settings that are part of the file (`user_version`, `application_id`, `encoding`, …): a pragma and its value.
    pub settings: Vec<(String, String)>,
    /// What AUTOINCREMENT has given out, by table.
    pub sequences: Vec<(String, i64)>,
}

/// An entry of SQLite's schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OriginObject {
    /// `table`, `index`, `view` or `trigger`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The table that it is about; a table's own name.
    pub table: String,
    /// The statement.
    pub sql: String,
}

/// Which database a catalog was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// How its rows are stored; on PostgreSQL [`Storage::Rowid`], or [`Storage::Partitioned`].
    pub storage: Storage,
    /// SQLite's STRICT.
    pub strict: bool,
    /// The columns, in the table's order, generated ones included.
    pub columns: Vec<Column>,
    /// The primary key.
    pub primary_key: Option<Key>,
    /// UNIQUE constraints; unique indexes made by `CREATE INDEX` are under [`Table::indexes`].
    pub uniques: Vec<Key>,
    /// CHECK constraints, of columns and of the table.
    pub checks: Vec<Check>,
    /// Foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// Indexes other than those of the primary key and the UNIQUE constraints.
    pub indexes: Vec<Index>,
    /// SQLite: the largest key ever given out by AUTOINCREMENT (`sqlite_sequence`). PostgreSQL: the number before the one that the
    /// sequence of an identity, or of a serial column, gives next.
    pub sequence: Option<i64>,
    /// The statement that made it (SQLite only; empty on PostgreSQL).
    pub sql: String,
    /// The module behind a virtual table of SQLite, in lower case (`fts5`): it is read and written as a table whose first
    /// column is its rowid.
    pub module: Option<String>,
    /// PostgreSQL: the SQLite table that it was made for.
    pub made_for: Option<String>,
}

/// How a table's rows are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// By rowid, which this name reaches (a column may hide the usual ones).
    Rowid {
        /// `rowid`, `_rowid_` or `oid`; none if columns hide all three, and on PostgreSQL.
        alias: Option<&'static str>,
    },
    /// By the primary key (`WITHOUT ROWID`).
    Clustered,
    /// PostgreSQL: in its partitions, which are no tables of their own.
    Partitioned,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ColumnKind,
    /// Whether NULL is refused. SQLite accepts NULL in a primary key unless this says otherwise.
    pub not_null: bool,
    /// The SQL of the default, if any.
    pub default: Option<String>,
    /// Whether the database computes it.
    pub generated: Generated,
    /// SQLite: an alias of the rowid (`INTEGER PRIMARY KEY`). PostgreSQL: an identity column.
    pub identity: Identity,
    /// The collation, if it is not the database's own.
    pub collation: Option<String>,
    /// PostgreSQL: the SQLite column that it was made for.
    #[serde(skip)]
    pub made_for: Option<MadeFor>,
}

/// A column of SQLite that a column of PostgreSQL was made for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MadeFor {
    /// Its name.
    pub column: String,
    /// How values are written back; none where they are what the column's type says, because somebody asked for the type.
    pub rendering: Option<Rendering>,
    /// The texts of SQLite that are NULL in it.
    pub blanks: Blanks,
    /// The column beside it that holds the storage class of each value.
    pub class_column: Option<String>,
}

/// A column's type in its own database.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// SQLite: the declared type, which decides nothing but the affinity.
    Sqlite {
        /// As declared, `VARCHAR(10)` or nothing.
        declared: String,
        /// What SQLite makes of it.
        affinity: Affinity,
    },
    /// PostgreSQL.
    Postgres(PgType),
}

impl ColumnKind {
    /// The declared type of a column of SQLite.
    pub fn declared(&self) -> Option<&str> {
        match self {
            Self::Sqlite { declared, .. } => Some(declared),
            Self::Postgres(_) => None,
        }
    }
}

/// SQLite's column affinity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Affinity {
    /// Text.
    Text,
    /// Integers, reals, and text that reads as a number.
    Numeric,
    /// As numeric; differs in CAST only.
    Integer,
    /// Numbers are stored as reals.
    Real,
    /// Values are stored as they come (no type, or BLOB).
    Blob,
}

impl Affinity {
    /// SQLite's own rules (datatype3.html §3.1), in their order: `FLOATING POINT` is INTEGER, `STRING` is NUMERIC.
    pub fn of(declared: &str) -> Self {
        let name = declared.to_ascii_uppercase();
        let has = |part: &str| name.contains(part);
        if has("INT") {
            Self::Integer
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            Self::Text
        } else if has("BLOB") || name.trim().is_empty() {
            Self::Blob
        } else if has("REAL") || has("FLOA") || has("DOUB") {
            Self::Real
        } else {
            Self::Numeric
        }
    }

    /// Whether SQLite stores another value than this one in a column of this affinity (datatype3.html §3): another class, or zero without
    /// its sign.
    pub fn changes(self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Blob, _)
            | (_, Value::Null | Value::Blob(_))
            | (Self::Integer | Self::Numeric, Value::Integer(_)) => false,
            (Self::Text, value) => !matches!(value, Value::Text(_)),
            (Self::Real, Value::Integer(_)) => true,
            (Self::Real, Value::Real(number)) => number == 0.0 && number.is_sign_negative(),
            // The smallest integer is the one that SQLite leaves a real.
            (Self::Integer | Self::Numeric, Value::Real(number)) => {
                whole(number).is_ok_and(|number| number != i64::MIN)
            }
            (Self::Integer | Self::Numeric | Self::Real, Value::Text(text)) => is_number(text),
        }
    }
}

/// Whether SQLite reads a whole text as a number: blanks around it, a sign, digits on one side of the point at least, an exponent.
pub(super) fn is_number(text: &[u8]) -> bool {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|byte| !blank(byte))
        .map_or(start, |last| last + 1);
    let number = text.get(start..end).unwrap_or_default();
    let signless = |text: &'_ [u8]| usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = number.get(signless(number)..).unwrap_or_default();
    let mut before = digits(rest);
    rest = rest.get(before..).unwrap_or_default();
    if let Some(fraction) = rest.strip_prefix(b".") {
        before += digits(fraction);
        rest = fraction.get(digits(fraction)..).unwrap_or_default();
    }
    if let Some((b'e' | b'E', exponent)) = rest.split_first() {
        let exponent = exponent.get(signless(exponent)..).unwrap_or_default();
        return before > 0 && !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    before > 0 && rest.is_empty()
}

/// A PostgreSQL type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PgType {
    /// As `format_type` writes it: `character varying(50)`.
    pub name: String,
    /// What we know about it.
    pub kind: PgKind,
}

impl PgType {
    /// Reads the name of a type that values are converted to, with its usual short forms.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        let (word, arguments) = match name.split_once('(') {
            Some((word, rest)) => (word.trim(), rest.strip_suffix(')')?),
            None => (name.as_str(), ""),
        };
        let numbers: Vec<u32> = arguments
            .split(',')
            .filter(|number| !number.trim().is_empty())
            .map(|number| number.trim().parse().ok())
            .collect::<Option<_>>()?;
        let (written, kind) = match (word, numbers.as_slice()) {
            ("boolean" | "bool", []) => ("boolean".to_owned(), PgKind::Bool),
            ("smallint" | "int2", []) => ("smallint".to_owned(), PgKind::Int2),
            ("integer" | "int" | "int4", []) => ("integer".to_owned(), PgKind::Int4),
            ("bigint" | "int8", []) => ("bigint".to_owned(), PgKind::Int8),
            ("real" | "float4", []) => ("real".to_owned(), PgKind::Float4),
            ("double precision" | "double" | "float8", []) => ("double precision".to_owned(), PgKind::Float8),
            ("numeric" | "decimal", []) => ("numeric".to_owned(), PgKind::Numeric(None)),
            ("numeric" | "decimal", [precision @ 1..=1000, rest @ ..]) if rest.len() < 2 => {
                let scale = rest.first().copied().unwrap_or(0);
                let kind = PgKind::Numeric(Some((
                    u16::try_from(*precision).ok()?,
                    i16::try_from(scale).ok()?,
                )));
                (format!("numeric({precision},{scale})"), kind)
            }
            ("text", []) => ("text".to_owned(), PgKind::Text),
            ("varchar" | "character varying", []) => ("character varying".to_owned(), PgKind::Varchar(None)),
            ("varchar" | "character varying", [limit]) if *limit > 0 => (
                format!("character varying({limit})"),
                PgKind::Varchar(Some(*limit)),
            ),
            ("bytea", []) => ("bytea".to_owned(), PgKind::Bytea),
            ("json", []) => ("json".to_owned(), PgKind::Json),
            ("jsonb", []) => ("jsonb".to_owned(), PgKind::Jsonb),
            ("uuid", []) => ("uuid".to_owned(), PgKind::Uuid),
            ("date", []) => ("date".to_owned(), PgKind::Date),
            ("time" | "time without time zone", []) => ("time without time zone".to_owned(), PgKind::Time(6)),
            ("timestamp" | "timestamp without time zone", []) => {
                ("timestamp without time zone".to_owned(), PgKind::Timestamp(6))
            }
            ("timestamptz" | "timestamp with time zone", []) => {
                ("timestamp with time zone".to_owned(), PgKind::Timestamptz(6))
            }
            _ => return None,
        };
        Some(Self { name: written, kind })
    }
}

/// A value of the type `name` has no more bytes.
pub const NAME_BYTES_MAX: usize = 63;

/// The PostgreSQL types that values are converted to and from; domains count as their base type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PgKind {
    /// `boolean`
    Bool,
    /// `smallint`
    Int2,
    /// `integer`
    Int4,
    /// `bigint`
    Int8,
    /// `real`
    Float4,
    /// `double precision`
    Float8,
    /// `numeric`, perhaps with (precision, scale)
    Numeric(Option<(u16, i16)>),
    /// `text`
    Text,
    /// `name`, with at most [`NAME_BYTES_MAX`] bytes
    Name,
    /// `character varying`, with at most so many characters
    Varchar(Option<u32>),
    /// `character(n)`, which pads with blanks
    Char(u32),
    /// `bytea`
    Bytea,
    /// `json`
    Json,
    /// `jsonb`
    Jsonb,
    /// `timestamp with time zone`, with so many digits of a second (at most 6)
    Timestamptz(u8),
    /// `timestamp without time zone`
    Timestamp(u8),
    /// `date`
    Date,
    /// `time without time zone`
    Time(u8),
    /// `uuid`
    Uuid,
    /// Any other: values are read as PostgreSQL prints them, and not written.
    Other,
}

impl PgKind {
    /// From `pg_type.oid` of the base type and the column's type modifier (-1: none).
    pub fn of(oid: u32, modifier: i32) -> Self {
        let limit = u32::try_from(modifier - 4).ok();
        let digits = u8::try_from(modifier).map_or(6, |digits| digits.min(6));
        match oid {
            16 => Self::Bool,
            21 => Self::Int2,
            23 => Self::Int4,
            20 => Self::Int8,
            700 => Self::Float4,
            701 => Self::Float8,
            1700 => Self::Numeric(limit.map(|packed| {
                // The scale is eleven bits with a sign since PostgreSQL 15.
                let scale = i16::try_from(packed & 0x7ff).unwrap_or(0);
                let scale = if scale >= 1024 { scale - 2048 } else { scale };
                (u16::try_from(packed >> 16).unwrap_or(u16::MAX), scale)
            })),
            25 => Self::Text,
            19 => Self::Name,
            1043 => Self::Varchar(limit),
            1042 => limit.map_or(Self::Text, Self::Char),
            17 => Self::Bytea,
            114 => Self::Json,
            3802 => Self::Jsonb,
            1184 => Self::Timestamptz(digits),
            1114 => Self::Timestamp(digits),
            1082 => Self::Date,
            1083 => Self::Time(digits),
            2950 => Self::Uuid,
            _ => Self::Other,
        }
    }

    /// Whether values of both types come in the same binary form and mean the same in it: not those of a type that pads with blanks, or that
    /// cuts what is longer than a name.
    pub fn is_sent_like(self, other: Self) -> bool {
        let is_text = |kind| matches!(kind, Self::Text | Self::Varchar(_));
        std::mem::discriminant(&self) == std::mem::discriminant(&other) || (is_text(self) && is_text(other))
    }

    /// Whether a column of this type keeps every value of `other` as it is, sent in that type's binary form: without a limit that cuts,
    /// pads or rounds, and without taking the bytes for something else.
    pub fn keeps(self, other: Self) -> bool {
        self == other || (self, other) == (Self::Varchar(None), Self::Text)
    }
}

/// Whether and how the database computes a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Generated {
    /// It does not.
    No,
    /// When the row is written, by this expression.
    Stored(String),
    /// When the row is read, by this expression.
    Virtual(String),
}

/// Whether the database gives the column its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// It does not.
    No,
    /// SQLite's `INTEGER PRIMARY KEY`; PostgreSQL's `GENERATED BY DEFAULT AS IDENTITY`.
    ByDefault,
    /// SQLite's `AUTOINCREMENT`: as by default, and a number is never given twice.
    Autoincrement,
    /// PostgreSQL's `GENERATED ALWAYS AS IDENTITY`.
    Always,
}

/// A primary key or UNIQUE constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Key {
    /// The constraint's name, if it has one.
    pub name: Option<String>,
    /// Its columns, in its order.
    pub columns: Vec<String>,
    /// The collation of each column, none where it is the database's own (SQLite: BINARY, equality of the bytes).
    pub collations: Vec<Option<String>>,
}

impl Key {
    /// A key of these columns, in the database's own collation.
    pub fn plain(name: Option<String>, columns: Vec<String>) -> Self {
        let collations = vec![None; columns.len()];
        Self {
            name,
            columns,
            collations,
        }
    }

    /// Whether equality is that of the bytes; false with a collation such as NOCASE.
    pub fn bytewise(&self) -> bool {
        self.collations.iter().all(Option::is_none)
    }
}

/// A CHECK constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The constraint's name, if it has one.
    pub name: Option<String>,
    /// The expression.
    pub expression: String,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForeignKey {
    /// The constraint's name, if it has one.
    pub name: Option<String>,
    /// The columns of this table.
    pub columns: Vec<String>,
    /// The table referred to, as written.
    pub parent: String,
    /// The columns referred to; SQLite allows to leave them out, then they are the parent's primary key (resolved here).
    pub parent_columns: Vec<String>,
    /// What a delete of the parent does.
    pub on_delete: Action,
    /// What a change of the parent's key does.
    pub on_update: Action,
    /// Whether and when it can be checked late.
    pub deferrable: Deferrable,
    /// Whether the database knows that all rows keep to it: SQLite never does.
    pub validated: bool,
    /// PostgreSQL: why SQLite has none that means the same.
    #[serde(skip)]
    pub beyond: Option<Beyond>,
}

/// What only PostgreSQL can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beyond {
    /// Its SQL there.
    pub sql: String,
    /// Why SQLite cannot.
    pub reason: String,
}

impl ForeignKey {
    /// The key in short, for people.
    pub fn title(&self) -> String {
        format!("({}) REFERENCES {}", self.columns.join(", "), self.parent)
    }
}

/// What happens to children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// `NO ACTION`
    NoAction,
    /// `RESTRICT`
    Restrict,
    /// `CASCADE`
    Cascade,
    /// `SET NULL`
    SetNull,
    /// `SET DEFAULT`
    SetDefault,
}

impl Action {
    /// From SQL; anything unknown is `NO ACTION`, as in SQLite.
    pub fn of(sql: &str) -> Self {
        match sql.to_ascii_uppercase().as_str() {
            "RESTRICT" => Self::Restrict,
            "CASCADE" => Self::Cascade,
            "SET NULL" => Self::SetNull,
            "SET DEFAULT" => Self::SetDefault,
            _ => Self::NoAction,
        }
    }

    /// As SQL.
    pub fn as_sql(self) -> &'static str {
        match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
        }
    }
}

/// When a foreign key is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Deferrable {
    /// With the statement.
    No,
    /// With the statement, unless the transaction asks otherwise.
    Immediate,
    /// At commit, unless the transaction asks otherwise.
    Deferred,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Whether it is UNIQUE.
    pub unique: bool,
    /// Its parts, in order.
    pub parts: Vec<IndexPart>,
    /// The condition of a partial index.
    pub predicate: Option<String>,
    /// The statement that made it.
    pub sql: String,
}

/// One part of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndexPart {
    /// The column, or none for an expression.
    pub column: Option<String>,
    /// The expression, as it is written in the index's SQL.
    pub expression: Option<String>,
    /// Whether it is descending.
    pub descending: bool,
    /// The collation, if it is not the database's own (SQLite: BINARY).
    pub collation: Option<String>,
}

/// Something that is no table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Other {
    /// What it is.
    pub kind: OtherKind,
    /// Its name.
    pub name: String,
    /// The statement that made it.
    pub sql: String,
    /// PostgreSQL: the table that it is left out with.
    #[serde(skip)]
    pub table: Option<String>,
    /// Why a virtual table is none with rows, or a table not what it was; of a quarantine how many rows there are, and in PostgreSQL what to
    /// do with them; what is wrong with a sequence.
    pub why: Option<String>,
}

impl Other {
    /// So many rows of a table that are in quarantine, as the one who reads them tells.
    pub fn in_quarantine(table: String, told: String) -> Self {
        Self {
            kind: OtherKind::Quarantine,
            name: table,
            sql: String::new(),
            table: None,
            why: Some(told),
        }
    }

    /// What is to be told of a table, or of a column of it, that a copy has made.
    pub fn note(name: String, table: &str, told: String) -> Self {
        Self {
            kind: OtherKind::Note,
            name,
            sql: String::new(),
            table: Some(table.to_owned()),
            why: Some(told),
        }
    }
}

/// What a [`Other`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OtherKind {
    /// A view, materialized ones included.
    View,
    /// A trigger.
    Trigger,
    /// A virtual table of SQLite.
    VirtualTable,
    /// A table of SQLite of which nobody can say what it is.
    Unreadable,
    /// A foreign table of PostgreSQL, whose rows are elsewhere.
    ForeignTable,
    /// Rows in quarantine: of a table that is not there, or that only PostgreSQL could hold.
    Quarantine,
    /// What `sqlite_sequence` says of a table and SQLite would not have written there; a sequence of PostgreSQL that no column owns.
    Sequence,
    /// A table of PostgreSQL that a copy has made in another schema: what was noted of it is not found here.
    Moved,
    /// A rule of PostgreSQL.
    Rule,
    /// Which rows of a table of PostgreSQL who may read and write.
    Policy,
    /// A CHECK of the domain that a column has for its type.
    Check,
    /// What the numbers in a column of the type `oid` stand for.
    LargeObjects,
    /// A table of PostgreSQL that shows the rows of others beside its own.
    Inheritance,
    /// What a key of PostgreSQL means beyond what it is made as.
    Key,
    /// What was noted of a table or a column of PostgreSQL and does not fit it as it stands.
    Note,
}

impl OtherKind {
    /// Whether it has its name among those of tables.
    pub fn is_relation(self) -> bool {
        use OtherKind::{ForeignTable, Quarantine, Unreadable, View, VirtualTable};
        matches!(self, View | VirtualTable | Unreadable | ForeignTable | Quarantine)
    }

    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Trigger => "trigger",
            Self::VirtualTable => "virtual table",
            Self::ForeignTable => "foreign table",
            Self::Quarantine => "quarantine",
            Self::Sequence => "sequence",
            Self::Unreadable | Self::Moved => "table",
            Self::Rule => "rule",
            Self::Policy => "policy",
            Self::Check => "check",
            Self::LargeObjects => "large objects",
            Self::Inheritance => "inheritance",
            Self::Key => "key",
            Self::Note => "note",
        }
    }
}

impl Catalog {
    /// In which encoding the file stores text, or stored it that the rows come from.
    pub fn encoding(&self) -> Option<&str> {
        let mut settings = self.origin.iter().flat_map(|origin| &origin.settings);
        let encoding = settings.find(|(name, _)| name == "encoding");
        encoding.map(|(_, value)| value.as_str())
    }

    /// The table that `name` means: the one of exactly this name, else the only one that differs by ASCII case.
    pub fn table(&self, name: &str) -> Option<&Table> {
        by_name(&self.tables, name, |table| &table.name)
    }

    /// Adds those of these tables, which are yet to be made, that are not there; their names.
    pub fn foresee(&mut self, to_come: Vec<Table>) -> HashSet<String> {
        let mut absent = HashSet::new();
        for table in to_come {
            if self.table(&table.name).is_none() {
                absent.insert(table.name.clone());
                self.tables.push(table);
            }
        }
        absent
    }

    /// The names that tables, indexes, views and whatever shares their names have taken.
    pub fn relation_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for table in &self.tables {
            names.push(table.name.clone());
            names.extend(table.indexes.iter().map(|index| index.name.clone()));
            let keys = table.primary_key.iter().chain(&table.uniques);
            names.extend(keys.filter_map(|key| key.name.clone()));
        }
        let others = self.others.iter().filter(|other| other.kind.is_relation());
        names.extend(others.map(|other| other.name.clone()));
        names.extend(self.taken.iter().cloned());
        names
    }

    /// The tables, parents before children as far as foreign keys allow (a cycle is cut where it comes back), otherwise in
    /// their order.
    pub fn parents_first(&self) -> Vec<&Table> {
        let mut order = Vec::with_capacity(self.tables.len());
        // 0: not seen, 1: being placed, 2: placed. The stack is our own: chains of foreign keys can be long.
        let mut state = vec![0_u8; self.tables.len()];
        for start in 0..self.tables.len() {
            let mut stack = vec![start];
            while let Some(&at) = stack.last() {
                if state[at] == 0 {
                    state[at] = 1;
                    let parents = self.tables[at].foreign_keys.iter();
                    stack.extend(
                        parents
                            .filter_map(|key| self.position(&key.parent))
                            .filter(|&parent| state[parent] == 0),
                    );
                } else {
                    if state[at] == 1 {
                        state[at] = 2;
                        order.push(&self.tables[at]);
                    }
                    stack.pop();
                }
            }
        }
        order
    }

    fn position(&self, name: &str) -> Option<usize> {
        let table = self.table(name)?;
        self.tables.iter().position(|other| std::ptr::eq(other, table))
    }
}

impl Table {
    /// The column in which the tables of conversations and messages tell the order of their rows; files of before have nothing but their
    /// rowids for that.
    pub fn order_column(&self) -> Option<&Column> {
        let index = format!("{}_position_idx", self.name);
        let is_ordered = ["conversations", "messages"].contains(&self.name.as_str())
            && self.indexes.iter().any(|one| one.name == index);
        self.column("position").filter(|_| is_ordered)
    }

    /// Which bound a column of an R-Tree is. The key comes first, and what is kept beside the bounds has a plus.
    pub fn bound(&self, column: &str) -> Option<TreeBound> {
        self.module.as_ref().filter(|module| *module == "rtree")?;
        let at = self.columns.iter().position(|one| one.name == column)?;
        let arguments = ddl::module_arguments(&self.sql);
        match arguments.get(at).filter(|argument| !argument.starts_with('+')) {
            Some(_) if at % 2 == 1 => Some(TreeBound::Lower),
            Some(_) if at > 0 => Some(TreeBound::Upper),
            _ => None,
        }
    }

    /// The column that `name` means: the one of exactly this name, else the only one that differs by ASCII case.
    pub fn column(&self, name: &str) -> Option<&Column> {
        by_name(&self.columns, name, |column| &column.name)
    }

    /// Whether no two rows are alike in these columns, by whatever equality.
    pub fn is_unique(&self, columns: &[String]) -> bool {
        let is_same = |names: &[&String]| {
            names.len() == columns.len()
                && names
                    .iter()
                    .all(|name| columns.iter().any(|column| column.eq_ignore_ascii_case(name)))
        };
        let keys = self.primary_key.iter().chain(&self.uniques);
        let mut keys = keys.map(|key| key.columns.iter().collect::<Vec<_>>());
        let unique = self
            .indexes
            .iter()
            .filter(|index| index.unique && index.predicate.is_none());
        let mut unique = unique.map(|index| {
            index
                .parts
                .iter()
                .filter_map(|part| part.column.as_ref())
                .collect::<Vec<_>>()
        });
        keys.any(|names| is_same(&names)) || unique.any(|names| is_same(&names))
    }

    /// The key that tells rows apart best: the primary key if its columns refuse NULL, else the first UNIQUE constraint
    /// whose columns do, else none.
    pub fn row_key(&self) -> Option<&Key> {
        let keys = self.primary_key.iter().chain(&self.uniques);
        keys.into_iter().find(|key| {
            key.columns.iter().all(|name| {
                self.column(name)
                    .is_some_and(|column| column.not_null || column.identity != Identity::No)
            })
        })
    }
}

/// A bound of an R-Tree, which keeps 32 bits of a number: one that has more becomes one of those beside it, so that what lies within
/// still does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeBound {
    /// Rounded down.
    Lower,
    /// Rounded up.
    Upper,
}

impl TreeBound {
    /// Whether another number is kept in place of this one. Beyond what 32 bits reach there is none beside it.
    pub fn rounds(number: f64) -> bool {
        number.abs() <= f64::from(f32::MAX) && single(number).is_err()
    }

    /// Whether `kept` is what such a number was rounded to. SQLite goes two places away at most, and to zero from what is next to it.
    pub fn is_rounded(number: f64, kept: f64) -> bool {
        let most = (number.abs() * 2.0 * f64::from(f32::EPSILON)).max(f64::from(f32::MIN_POSITIVE));
        Self::rounds(number) && (kept - number).abs() <= most
    }
}

impl Column {
    /// PostgreSQL: whether a sequence of the column's own gives its numbers.
    pub fn is_numbered(&self) -> bool {
        let default = self.default.as_deref();
        self.identity != Identity::No || default.is_some_and(|default| default.starts_with("nextval("))
    }

    /// The PostgreSQL type, if it is a column of PostgreSQL.
    pub fn pg_type(&self) -> Option<&PgType> {
        match &self.kind {
            ColumnKind::Postgres(kind) => Some(kind),
            ColumnKind::Sqlite { .. } => None,
        }
    }

    /// Whether rows can be written with a value for it.
    pub fn writable(&self) -> bool {
        self.generated == Generated::No
    }
}

/// The item of exactly this name, else the only one that differs by ASCII case.
fn by_name<'a, T>(items: &'a [T], name: &str, name_of: impl Fn(&T) -> &str) -> Option<&'a T> {
    if let Some(exact) = items.iter().find(|item| name_of(item) == name) {
        return Some(exact);
    }
    let mut alike = items
        .iter()
        .filter(|item| name_of(item).eq_ignore_ascii_case(name));
    match (alike.next(), alike.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, parents: &[&str]) -> Table {
        Table {
            name: name.to_owned(),
            storage: Storage::Rowid { alias: Some("rowid") },
            strict: false,
            columns: vec![],
            primary_key: None,
            uniques: vec![],
            checks: vec![],
            foreign_keys: parents
                .iter()
                .map(|parent| ForeignKey {
                    name: None,
                    columns: vec!["x".to_owned()],
                    parent: (*parent).to_owned(),
                    parent_columns: vec!["id".to_owned()],
                    on_delete: Action::NoAction,
                    on_update: Action::NoAction,
                    deferrable: Deferrable::No,
                    validated: false,
                    beyond: None,
                })
                .collect(),
            indexes: vec![],
            sequence: None,
            sql: String::new(),
            module: None,
            made_for: None,
        }
    }

    fn catalog(tables: Vec<Table>) -> Catalog {
        Catalog {
            engine: Engine::Sqlite,
            schema: "main".to_owned(),
            tables,
            others: vec![],
            taken: vec![],
            origin: None,
        }
    }

    #[test]
    fn parents_come_first_and_cycles_end() {
        let catalog = catalog(vec![
            table("a", &["C", "missing"]),
            table("b", &["b", "a"]),
            table("c", &["d"]),
            table("d", &["c"]),
            table("e", &[]),
        ]);
        let order: Vec<_> = catalog.parents_first().iter().map(|t| t.name.clone()).collect();
        assert_eq!(order, ["d", "c", "a", "b", "e"]);
    }

    #[test]
    fn names_match_by_case_only_where_one_can_be_meant() {
        let catalog = catalog(vec![
            table("Users", &[]),
            table("ORDERS", &[]),
            table("orders", &[]),
        ]);
        assert_eq!(catalog.table("users").map(|t| t.name.as_str()), Some("Users"));
        assert_eq!(catalog.table("orders").map(|t| t.name.as_str()), Some("orders"));
        assert_eq!(catalog.table("Orders"), None);
    }

    #[test]
    fn affinity_follows_sqlite() {
        for (declared, affinity) in [
            ("FLOATING POINT", Affinity::Integer),
            ("CHARINT", Affinity::Integer),
            ("varchar(10)", Affinity::Text),
            ("STRING", Affinity::Numeric),
            ("", Affinity::Blob),
            ("double precision", Affinity::Real),
            ("DECIMAL(5,2)", Affinity::Numeric),
            ("BOOLEAN", Affinity::Numeric),
        ] {
            assert_eq!(Affinity::of(declared), affinity, "{declared}");
        }
    }

    #[test]
    fn modifiers_of_numeric_are_read() {
        assert_eq!(PgKind::of(1700, -1), PgKind::Numeric(None));
        assert_eq!(PgKind::of(1700, (5 << 16 | 2) + 4), PgKind::Numeric(Some((5, 2))));
        assert_eq!(
            PgKind::of(1700, (5 << 16 | (2048 - 3)) + 4),
            PgKind::Numeric(Some((5, -3)))
        );
        assert_eq!(PgKind::of(1043, 54), PgKind::Varchar(Some(50)));
        assert_eq!(PgKind::of(1184, -1), PgKind::Timestamptz(6));
    }
}
