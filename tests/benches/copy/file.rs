//! A SQLite file of no application in particular: numbers, texts, documents and blobs, with keys, indexes and foreign keys.

use std::fmt::Write as _;
use std::path::Path;

use rusqlite::{Connection, ToSql, params};

const SCHEMA: &str = "
    CREATE TABLE customers (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        email TEXT NOT NULL UNIQUE,
        active BOOLEAN NOT NULL DEFAULT 1,
        balance DECIMAL(10,2),
        created_at DATETIME NOT NULL
    );
    CREATE TABLE readings (
        id INTEGER PRIMARY KEY,
        customer_id INTEGER NOT NULL REFERENCES customers (id),
        sensor INTEGER NOT NULL,
        value REAL NOT NULL,
        quality INTEGER
    );
    CREATE INDEX readings_of_customer ON readings (customer_id, sensor);
    CREATE TABLE articles (
        id INTEGER PRIMARY KEY,
        customer_id INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
        slug VARCHAR(80) NOT NULL UNIQUE,
        body TEXT NOT NULL,
        note TEXT
    );
    CREATE INDEX articles_of_customer ON articles (customer_id);
    CREATE TABLE events (
        id TEXT PRIMARY KEY,
        customer_id INTEGER NOT NULL REFERENCES customers (id),
        kind TEXT NOT NULL CHECK (kind IN ('login', 'order', 'payment')),
        payload JSON NOT NULL,
        created_at TIMESTAMP NOT NULL
    );
    CREATE INDEX events_by_time ON events (created_at);
    CREATE INDEX events_of_customer ON events (customer_id, kind);
    CREATE TABLE attachments (
        id INTEGER PRIMARY KEY,
        article_id INTEGER NOT NULL REFERENCES articles (id),
        name TEXT NOT NULL,
        content BLOB NOT NULL
    );
    CREATE INDEX attachments_of_article ON attachments (article_id);";

const WORDS: [&str; 32] = [
    "the",
    "model",
    "of",
    "a",
    "customer",
    "who",
    "reads",
    "every",
    "morning",
    "between",
    "two",
    "trains",
    "and",
    "writes",
    "down",
    "what",
    "changed",
    "since",
    "yesterday",
    "café",
    "in",
    "small",
    "letters",
    "price",
    "order",
    "answer",
    "with",
    "never",
    "again",
    "–",
    "perhaps",
    "tomorrow",
];

/// Makes a file of about so many megabytes, the same one each time.
pub(crate) fn create(path: &Path, megabytes: i64) {
    let connection = Connection::open(path).expect("a new file");
    connection
        .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA page_size = 4096;")
        .expect("settings");
    connection.execute_batch(SCHEMA).expect("the schema");
    connection.execute_batch("BEGIN").expect("begun");
    let mut random = Random(0x5eed);
    let customers = 100 * megabytes;
    let articles = 110 * megabytes;
    fill(
        &connection,
        "customers (name, email, active, balance, created_at)",
        customers,
        |at, insert| {
            let name = random.words(2);
            let balance = random.below(1_000_000) as f64 / 100.0;
            insert(params![
                name,
                format!("user{at}@example.org"),
                random.below(2),
                balance,
                random.time(' ')
            ]);
        },
    );
    fill(
        &connection,
        "readings (customer_id, sensor, value, quality)",
        8_000 * megabytes,
        |_, insert| {
            let quality = (random.below(4) > 0).then(|| random.below(100));
            let value = random.below(1 << 50) as f64 / 1e9;
            insert(params![
                random.below(customers) + 1,
                random.below(64),
                value,
                quality
            ]);
        },
    );
    fill(
        &connection,
        "articles (customer_id, slug, body, note)",
        articles,
        |at, insert| {
            let (words, note) = (random.below(700), (random.below(3) > 0).then(|| random.words(6)));
            let slug = format!("{}-{at}", random.words(3).replace(' ', "-"));
            insert(params![
                random.below(customers) + 1,
                slug,
                random.words(words + 60),
                note
            ]);
        },
    );
    fill(
        &connection,
        "events (id, customer_id, kind, payload, created_at)",
        550 * megabytes,
        |_, insert| {
            let kind = ["login", "order", "payment"][usize::try_from(random.below(3)).expect("small")];
            let payload = format!(
                r#"{{"type": "{kind}", "amount": {}, "paid": {}, "tags": ["{}", "{}"], "address": {{"street": "{}", "city": null}}}}"#,
                random.below(100_000),
                random.below(2) == 0,
                random.words(1),
                random.words(1),
                random.words(9)
            );
            insert(params![
                random.uuid(),
                random.below(customers) + 1,
                kind,
                payload,
                random.time('T') + "Z"
            ]);
        },
    );
    fill(
        &connection,
        "attachments (article_id, name, content)",
        12 * megabytes,
        |at, insert| {
            let length = random.below(30_000) + 500;
            insert(params![
                random.below(articles) + 1,
                format!("file {at}.bin"),
                random.bytes(length)
            ]);
        },
    );
    connection.execute_batch("COMMIT").expect("committed");
}

/// Inserts rows; `row` hands each one's values to its second argument.
fn fill(
    connection: &Connection,
    into: &str,
    rows: i64,
    mut row: impl FnMut(i64, &mut dyn FnMut(&[&dyn ToSql])),
) {
    let columns = into.matches(',').count() + 1;
    let places = vec!["?"; columns].join(", ");
    let mut statement = connection
        .prepare(&format!("INSERT INTO {into} VALUES ({places})"))
        .expect("a statement");
    for at in 0..rows {
        row(at, &mut |values| {
            statement.execute(values).expect("inserted");
        });
    }
}

/// xorshift64*: good enough for data that shall neither compress to nothing nor come sorted.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: i64) -> i64 {
        i64::try_from(self.next() >> 11).expect("53 bits") % end
    }

    fn words(&mut self, count: i64) -> String {
        let mut text = String::new();
        for at in 0..count {
            let word = WORDS[usize::try_from(self.below(32)).expect("small")];
            text.push_str(if at == 0 { "" } else { " " });
            text.push_str(word);
        }
        text
    }

    fn time(&mut self, separator: char) -> String {
        let seconds = self.below(86_400);
        format!(
            "20{:02}-{:02}-{:02}{separator}{:02}:{:02}:{:02}.{:03}",
            self.below(26),
            self.below(12) + 1,
            self.below(28) + 1,
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60,
            self.below(1_000)
        )
    }

    fn uuid(&mut self) -> String {
        let digits = format!("{:016x}{:016x}", self.next(), self.next());
        let mut text = String::with_capacity(36);
        for (at, digit) in digits.chars().enumerate() {
            let dash = if matches!(at, 8 | 12 | 16 | 20) { "-" } else { "" };
            write!(text, "{dash}{digit}").expect("a string");
        }
        text
    }

    fn bytes(&mut self, length: i64) -> Vec<u8> {
        let words = (0..length / 8 + 1).flat_map(|_| self.next().to_le_bytes());
        words.collect()
    }
}
