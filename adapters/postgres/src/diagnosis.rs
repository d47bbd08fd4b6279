//! An examination of the server, the database and the role. It reads catalogs and settings and writes nothing.

use std::collections::BTreeMap;

use cutover_ports::StoreResult;
use cutover_ports::clock::Clock;
use cutover_ports::diagnosis::{Finding, Purpose, Severity};
use postgres_types::{ToSql, Type};
use tokio::time::timeout;
use tokio_postgres::{Client, Row};

use crate::connect::{ConnectError, ConnectFailure, Host, PgServer, SessionSettings, SslMode};
use crate::database::PoolSettings;
use crate::error::unavailable;

/// The oldest server that is supported.
const OLDEST_MAJOR: i32 = 14;
/// A clock that differs by more than this is worth a word: times written here and there would not be in order.
const CLOCK_SKEW_SECONDS: f64 = 5.0;

/// What is to be expected of the database.
#[derive(Debug, Clone, Copy)]
pub struct Expectation<'a> {
    /// The pool that the service will make.
    pub pool: &'a PoolSettings,
    /// The tables that it will read and write.
    pub tables: &'a [&'a str],
}

/// What the role may not do with rows of `tables` and with the notes in the schema `cutover`, if anything.
pub async fn missing_rights(
    server: &PgServer,
    tables: &[&str],
    purpose: Purpose,
) -> StoreResult<Option<Finding>> {
    let client = server.connect("cutover status").await?;
    let found = tables_finding(&client, tables, purpose)
        .await
        .map_err(unavailable)?;
    Ok((found.severity == Severity::Problem).then_some(found))
}

/// Examines the database that `server` names.
pub async fn diagnose(server: &PgServer, expectation: &Expectation<'_>, clock: &dyn Clock) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut pool = expectation.pool.clone();
    let client = match server.open(&pool.session()).await {
        Ok((client, _driver)) => client,
        // A pooler is reachable, only not in this way; what is behind it can be looked at all the same, as it is with what is advised.
        Err(error) if error.failure == ConnectFailure::Pooler => {
            findings.push(unprepared("refuses the settings of a direct session"));
            pool.prepared_statements = false;
            match server.open(&SessionSettings::default()).await {
                Ok((client, _driver)) => client,
                Err(error) => return with(findings, unreachable(&error)),
            }
        }
        Err(error) => return with(findings, unreachable(&error)),
    };
    findings.push(Finding::ok("connection", format!("{server} answers")));
    let limit = pool.statement_timeout;
    let expectation = Expectation {
        pool: &pool,
        ..*expectation
    };
    match timeout(
        limit,
        examine(&client, server, &expectation, clock, &mut findings),
    )
    .await
    {
        Ok(Ok(())) => findings,
        Ok(Err(error)) => {
            let reason = error
                .as_db_error()
                .map_or_else(|| error.to_string(), |db| db.message().to_owned());
            let text = format!("the examination broke off: {reason}");
            with(
                findings,
                Finding::problem("connection", text, "run it again; look at the server's log"),
            )
        }
        Err(_) => with(
            findings,
            Finding::problem(
                "connection",
                format!("the server did not answer within {limit:?}"),
                "look at its load and at its log",
            ),
        ),
    }
}

fn with(mut findings: Vec<Finding>, last: Finding) -> Vec<Finding> {
    findings.push(last);
    findings
}

fn unreachable(error: &ConnectError) -> Finding {
    let advice = match error.failure {
        ConnectFailure::Unreachable => {
            "check host and port in the URL, that the server runs, and the firewall"
        }
        ConnectFailure::Tls => "check sslmode and sslrootcert in the URL against the server's certificate",
        ConnectFailure::Login => "check user and password in the URL, and pg_hba.conf on the server",
        ConnectFailure::Full | ConnectFailure::Refused => {
            "do what the server says; the database must exist and have a free connection"
        }
        ConnectFailure::Pooler => "set postgres.prepared_statements = false",
    };
    Finding::new("connection", Severity::Unreachable, error.to_string(), advice)
}

fn unprepared(what: &str) -> Finding {
    Finding::problem(
        "pooler",
        format!(
            "a pooler such as PgBouncer stands before the server and {what}, but prepared statements are on"
        ),
        "set postgres.prepared_statements = false, or connect to the server directly",
    )
}

async fn examine(
    client: &Client,
    server: &PgServer,
    expectation: &Expectation<'_>,
    clock: &dyn Clock,
    findings: &mut Vec<Finding>,
) -> Result<(), tokio_postgres::Error> {
    const FACTS: &str = "SELECT current_setting('server_version_num')::int4 AS version,
        current_setting('server_version') AS version_text, current_setting('server_encoding') AS encoding,
        d.datcollate::text AS collation, coalesce(s.ssl, false) AS ssl, s.version AS tls, s.cipher AS cipher,
        pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS read_only,
        current_schema()::text AS schema, coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
        to_regnamespace('cutover') IS NOT NULL AS has_own,
        CASE WHEN to_regnamespace('cutover') IS NULL THEN has_database_privilege(d.oid, 'CREATE')
            ELSE has_schema_privilege('cutover', 'USAGE') END AS may_own,
        CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_size_pretty(pg_database_size(d.oid)) END AS size,
        coalesce(r.rolsuper, false) AS superuser, session_user::text AS role, d.datname::text AS database,
        current_setting('max_connections')::int4 - current_setting('superuser_reserved_connections')::int4 AS slots,
        r.rolconnlimit AS role_limit, d.datconnlimit AS database_limit,
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())
            AS sessions,
        (SELECT setting::int8 FROM pg_settings WHERE name = 'statement_timeout') AS statement_timeout,
        (SELECT setting::int8 FROM pg_settings WHERE name = 'transaction_timeout') AS transaction_timeout,
        (SELECT setting::int8 FROM pg_settings WHERE name = 'idle_session_timeout') AS idle_session_timeout
        FROM pg_database d LEFT JOIN pg_stat_ssl s ON s.pid = pg_backend_pid()
        LEFT JOIN pg_roles r ON r.rolname = session_user WHERE d.datname = current_database()";
    // Asked first: an old server may not even understand the rest.
    let version = "SELECT current_setting('server_version_num')::int4, current_setting('server_version')";
    let row = client.query_typed(version, &[]).await?;
    if let Some(row) = row.first() {
        let (number, text): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
        findings.push(version_finding(number, &text));
        if number / 10_000 < OLDEST_MAJOR {
            return Ok(());
        }
    }
    findings.push(clock_finding(client, clock).await?);
    let tables = tables_finding(client, expectation.tables, Purpose::Serving).await?;
    for facts in client.query_typed(FACTS, &[]).await? {
        findings.push(tls_finding(server, &facts)?);
        findings.extend(database_findings(&facts)?);
        findings.extend(session_findings(&facts, expectation.pool)?);
        // Only somebody who has to make tables needs the right to.
        findings.extend(rights_findings(&facts, tables.severity == Severity::Warning)?);
    }
    findings.push(tables);
    Ok(())
}

fn version_finding(number: i32, text: &str) -> Finding {
    if number / 10_000 < OLDEST_MAJOR {
        return Finding::problem(
            "version",
            format!("the server is PostgreSQL {text}"),
            format!("use PostgreSQL {OLDEST_MAJOR} or newer"),
        );
    }
    Finding::ok("version", format!("PostgreSQL {text}"))
}

async fn clock_finding(client: &Client, clock: &dyn Clock) -> Result<Finding, tokio_postgres::Error> {
    const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8";
    let before = clock.now().as_micros();
    let rows = client.query_typed(NOW, &[]).await?;
    let after = clock.now().as_micros();
    let theirs: i64 = rows.first().map_or(Ok(before), |row| row.try_get(0))?;
    // Somewhere between the two of ours; a slow answer must not look like a wrong clock.
    let skew = (theirs.saturating_sub(after))
        .max(before.saturating_sub(theirs))
        .max(0) as f64
        / 1e6;
    if skew > CLOCK_SKEW_SECONDS {
        return Ok(Finding::warning(
            "clock",
            format!("the server's clock differs from this machine's by {skew:.1} s"),
            "keep both in time by NTP",
        ));
    }
    Ok(Finding::ok(
        "clock",
        "the server's clock agrees with this machine's",
    ))
}

fn tls_finding(server: &PgServer, facts: &Row) -> Result<Finding, tokio_postgres::Error> {
    let mode = server.ssl_mode();
    let local = server.endpoints().iter().all(|endpoint| match &endpoint.host {
        Host::Unix(_) => true,
        Host::Tcp { name, .. } => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
    });
    let advice = "set sslmode=verify-full and sslrootcert in the URL";
    if facts.try_get("ssl")? {
        let version: Option<String> = facts.try_get("tls")?;
        let cipher: Option<String> = facts.try_get("cipher")?;
        let text = format!(
            "encrypted by {} ({})",
            version.unwrap_or_default(),
            cipher.unwrap_or_default()
        );
        return Ok(match mode {
            SslMode::VerifyFull => Finding::ok(
                "tls",
                format!("{text}, the server's certificate and name are checked"),
            ),
            SslMode::VerifyCa => Finding::ok(
                "tls",
                format!("{text}, the server's certificate is checked, its name is not"),
            ),
            _ if local => Finding::ok("tls", format!("{text}, the server is not checked")),
            _ => Finding::warning(
                "tls",
                format!("{text}, but anyone could be the server: its certificate is not checked"),
                advice,
            ),
        });
    }
    Ok(if local {
        Finding::ok("tls", "not encrypted, the server is on this machine")
    } else {
        Finding::warning("tls", "passwords and data cross the network in clear", advice)
    })
}

fn database_findings(facts: &Row) -> Result<Vec<Finding>, tokio_postgres::Error> {
    let mut findings = Vec::new();
    let encoding: String = facts.try_get("encoding")?;
    findings.push(if encoding == "UTF8" {
        Finding::ok("encoding", "UTF8")
    } else {
        Finding::problem(
            "encoding",
            format!("the database's encoding is {encoding}, which cannot hold every text"),
            "make it anew: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
        )
    });
    let collation: String = facts.try_get("collation")?;
    findings.push(Finding::ok(
        "collation",
        format!("{collation}; our columns carry their own, so that orders are the same as in SQLite"),
    ));
    if facts.try_get("read_only")? {
        findings.push(Finding::problem(
            "writable",
            "the server takes no writes: it is a standby, or transactions are read-only",
            "name the primary, or add target_session_attrs=read-write and all hosts to the URL",
        ));
    }
    if let Some(size) = facts.try_get::<_, Option<String>>("size")? {
        findings.push(Finding::ok(
            "disk",
            format!("the database takes {size}; the server does not tell what is free"),
        ));
    }
    Ok(findings)
}

fn session_findings(facts: &Row, pool: &PoolSettings) -> Result<Vec<Finding>, tokio_postgres::Error> {
    let mut findings = Vec::new();
    let ours = i64::try_from(pool.statement_timeout.as_millis()).unwrap_or(i64::MAX);
    let statement_timeout: i64 = facts.try_get::<_, Option<i64>>("statement_timeout")?.unwrap_or(0);
    // Of PostgreSQL 17 and later.
    let transaction_timeout: i64 = facts
        .try_get::<_, Option<i64>>("transaction_timeout")?
        .unwrap_or(0);
    if pool.prepared_statements && statement_timeout != ours {
        findings.push(unprepared("drops the settings of a session"));
    } else if !pool.prepared_statements && statement_timeout > 0 && statement_timeout < ours {
        findings.push(Finding::warning(
            "timeouts",
            format!("the server gives statements up after {statement_timeout} ms, before ours ({ours} ms)"),
            "lower postgres.statement_timeout, or raise the server's for this role",
        ));
    } else if transaction_timeout > 0 && transaction_timeout < ours {
        findings.push(Finding::warning(
            "timeouts",
            format!(
                "the server ends transactions, and their sessions, after {transaction_timeout} ms, before a statement of ours may end ({ours} ms)"
            ),
            "lower postgres.statement_timeout, or raise the server's transaction_timeout for this role",
        ));
    } else {
        findings.push(Finding::ok(
            "timeouts",
            format!("statements are given up after {ours} ms"),
        ));
    }
    let idle: i64 = facts
        .try_get::<_, Option<i64>>("idle_session_timeout")?
        .unwrap_or(0);
    if idle > 0 {
        findings.push(Finding::ok(
            "idle sessions",
            format!("the server ends them after {idle} ms; the pool makes new ones"),
        ));
    }
    let limit = |limit: i32| if limit < 0 { i64::MAX } else { i64::from(limit) };
    let slots = i64::from(facts.try_get::<_, i32>("slots")?);
    let allowed = slots
        .min(limit(
            facts.try_get::<_, Option<i32>>("role_limit")?.unwrap_or(-1),
        ))
        .min(limit(facts.try_get("database_limit")?));
    let sessions: i64 = facts.try_get("sessions")?;
    let size = i64::try_from(pool.size).unwrap_or(i64::MAX);
    findings.push(if size > allowed {
        Finding::problem(
            "connections",
            format!("the pool may open {size} connections, the server allows {allowed}"),
            "lower postgres.pool_size, or raise the limit of the server, the role or the database",
        )
    } else if size > slots - sessions {
        Finding::warning(
            "connections",
            format!("the pool may open {size} connections; {sessions} of {slots} are taken at this moment"),
            "lower postgres.pool_size, or raise max_connections",
        )
    } else {
        Finding::ok(
            "connections",
            format!("{sessions} of {slots} are taken, the pool may open {size}"),
        )
    });
    Ok(findings)
}

fn rights_findings(facts: &Row, tables_are_missing: bool) -> Result<Vec<Finding>, tokio_postgres::Error> {
    let mut findings = Vec::new();
    let role: String = facts.try_get("role")?;
    let quoted = quoted(&role);
    if facts.try_get("superuser")? {
        findings.push(Finding::warning(
            "rights",
            format!("{role} is a superuser, which the service does not need"),
            "give it a role of its own that owns nothing but this schema",
        ));
    }
    findings.push(match facts.try_get::<_, Option<String>>("schema")? {
        None => Finding::problem(
            "rights",
            format!("{role} has no schema that it may use"),
            format!(
                "GRANT USAGE ON SCHEMA public TO {quoted}, or ALTER ROLE {quoted} SET search_path to a schema that is there"
            ),
        ),
        Some(schema) if facts.try_get("may_create")? => Finding::ok(
            "rights",
            format!("may make tables in the schema {schema}, as migrations do"),
        ),
        Some(schema) if tables_are_missing => Finding::warning(
            "rights",
            format!("{role} may not make tables in the schema {schema}, as migrations must"),
            format!(
                "migrate as the owner, or GRANT CREATE ON SCHEMA {} TO {quoted}",
                self::quoted(&schema)
            ),
        ),
        Some(schema) => Finding::ok(
            "rights",
            format!("may not make tables in the schema {schema}: migrations and copies run as the owner"),
        ),
    });
    let has_own: bool = facts.try_get("has_own")?;
    // That it is not there, and cannot be made, is what taking no writes comes to.
    if !has_own && facts.try_get("read_only")? {
        return Ok(findings);
    }
    findings.push(if facts.try_get("may_own")? {
        let what = if has_own {
            "may use the schema cutover"
        } else {
            "may make the schema cutover, as migrations and copies do"
        };
        Finding::ok("rights", what)
    } else if has_own {
        Finding::problem(
            "rights",
            format!("{role} may not use the schema cutover, where migrations and copies keep their notes"),
            format!(
                "GRANT USAGE ON SCHEMA cutover TO {quoted}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA cutover TO {quoted}"
            ),
        )
    } else {
        let database: String = facts.try_get("database")?;
        Finding::warning(
            "rights",
            format!("{role} may not make the schema cutover, which migrations and copies need"),
            format!("migrate as the owner, or CREATE SCHEMA cutover AUTHORIZATION {quoted} in the database {database}"),
        )
    });
    Ok(findings)
}

/// What a role may do with tables.
#[derive(Default)]
struct TableRights {
    role: String,
    /// Those that are not there.
    missing: Vec<String>,
    /// By the rights that are lacking, the tables.
    forbidden: BTreeMap<String, Vec<String>>,
    /// Those of which a policy hides rows.
    hidden: Vec<String>,
    /// The sequences that defaults may not ask.
    sequences: Vec<String>,
}

async fn tables_finding(
    client: &Client,
    tables: &[&str],
    purpose: Purpose,
) -> Result<Finding, tokio_postgres::Error> {
    // Ours by the catalogs: looking a name up asks for a right on the schema.
    const RIGHTS: &str = "WITH wanted AS (
            SELECT name, to_regclass(quote_ident(name))::oid AS id, '{SELECT,INSERT,UPDATE,DELETE}'::text[] AS rights
            FROM unnest($1::text[]) AS name
            UNION ALL
            SELECT 'cutover.' || own.name, c.oid, own.rights
            FROM (VALUES ('planted_rows', '{SELECT,INSERT,DELETE}'::text[]), ('served', '{SELECT,INSERT,DELETE}'), ('ledger', '{SELECT}'))
                AS own (name, rights)
            JOIN pg_class AS c ON c.relname = own.name JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'cutover'
        )
        SELECT name, id IS NOT NULL,
        ARRAY(SELECT one FROM unnest(rights) AS one WHERE (one = 'SELECT' OR $2) AND NOT has_table_privilege(id, one)),
        coalesce(row_security_active(id), false),
        ARRAY(SELECT s.oid::regclass::text FROM pg_depend AS d JOIN pg_class AS s ON s.oid = d.objid
            WHERE $2 AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a'
            AND d.refobjid = id
            AND CASE s.relkind WHEN 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') ELSE false END ORDER BY 1),
        quote_ident(current_user) FROM wanted";
    let serves = purpose == Purpose::Serving;
    let binds: [(&(dyn ToSql + Sync), Type); 2] = [(&tables, Type::TEXT_ARRAY), (&serves, Type::BOOL)];
    let mut rights = TableRights::default();
    for row in client.query_typed(RIGHTS, &binds).await? {
        let name: String = row.try_get(0)?;
        let lacking: Vec<String> = row.try_get(2)?;
        if !row.try_get(1)? {
            rights.missing.push(name);
        } else if !lacking.is_empty() {
            rights.forbidden.entry(lacking.join(", ")).or_default().push(name);
        } else if row.try_get(3)? {
            rights.hidden.push(name);
        }
        rights.sequences.extend(row.try_get::<_, Vec<String>>(4)?);
        rights.role = row.try_get(5)?;
    }
    Ok(rights.finding(tables.len()))
}

impl TableRights {
    fn finding(&self, all: usize) -> Finding {
        let Self {
            role,
            missing,
            hidden,
            sequences,
            ..
        } = self;
        if !self.forbidden.is_empty() {
            Finding::problem(
                "tables",
                format!(
                    "{role} may not {}",
                    self.each_forbidden(", nor ", |rights, tables| format!("{rights} on {tables}"))
                ),
                self.each_forbidden("; ", |rights, tables| {
                    format!("GRANT {rights} ON {tables} TO {role}")
                }),
            )
        } else if !hidden.is_empty() {
            Finding::problem(
                "tables",
                format!(
                    "row-level security is active for {role} on {}, and hides rows",
                    hidden.join(", ")
                ),
                format!("ALTER ROLE {role} BYPASSRLS, or ALTER TABLE … DISABLE ROW LEVEL SECURITY"),
            )
        } else if !sequences.is_empty() {
            // A default that asks a sequence needs a right of its own, which an identity does not.
            let sequences = sequences.join(", ");
            Finding::problem(
                "tables",
                format!("rows cannot be inserted: their defaults may not use {sequences}"),
                format!(
                    "run cutover migrate up --on postgres as the owner, or GRANT USAGE ON SEQUENCE {sequences} TO {role}"
                ),
            )
        } else if missing.is_empty() {
            Finding::ok("tables", format!("all {all} are there, to be read and written"))
        } else {
            Finding::warning(
                "tables",
                format!("{} of {all} are not there: {}", missing.len(), missing.join(", ")),
                "make them: cutover migrate up --on postgres",
            )
        }
    }

    fn each_forbidden(&self, between: &str, told: impl Fn(&str, &str) -> String) -> String {
        let each = self.forbidden.iter();
        let told: Vec<String> = each
            .map(|(rights, tables)| told(rights, &tables.join(", ")))
            .collect();
        told.join(between)
    }
}

/// A name as SQL text, for advice.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
