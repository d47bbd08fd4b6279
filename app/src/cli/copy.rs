//! `cutover copy`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use cutover_domain::transfer::outcome::Normalised;
use cutover_domain::transfer::plan::{NotCarried, Scope, Wishes};
use cutover_domain::transfer::schema::Weakened;
use cutover_domain::transfer::wish::TypeWish;
use cutover_domain::transfer::words::{counted, grouped};
use cutover_migrations::Context;
use serde_json::{Map, Value, json};
use toml::Spanned;

use super::Output;
use super::places::{Choice, Places, busy_timeout, places, shared_out};
use super::verify::{Verified, VerifyArgs};
use crate::config::{Config, DatabaseUrl, is_same_file, line_at, not_toml};
use crate::exit::{CliError, Exit};
use crate::guard;
use crate::transfer::copy::{Author, CopyOptions, CopyReport, Extent, OnReject, copy};
use crate::transfer::progress::{Progress, Silent, Terminal};
use crate::transfer::sequence::{Passed, copied_before};
use crate::transfer::unfinished::Half;
use crate::wiring::{self, transfer::Access};

/// Copy a database into another one
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct CopyArgs {
    /// Where to read: a SQLite file, sqlite:…, or postgres://… [default: the configured SQLite files]
    #[arg(value_name = "SRC")]
    source: Option<String>,
    /// Where to write [default: the configured PostgreSQL database]
    #[arg(value_name = "DST")]
    target: Option<String>,
    /// What becomes of rows that the target cannot hold
    #[arg(long, value_enum, default_value_t = OnReject::Fail, value_name = "HOW")]
    on_reject: OnReject,
    /// Delete what the target's tables hold, and make those anew that an earlier copy has made
    ///
    /// It is deleted before the rows come. Rejects are looked for before that; of a row that only the load finds refused the copy is taken back,
    /// and what was deleted is gone.
    #[arg(long)]
    replace: bool,
    /// With --replace, also what the service runs on or has written there
    #[arg(long, requires = "replace")]
    replace_live: bool,
    /// These tables only, by their names in the source
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    tables: Vec<String>,
    /// Not these tables
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    exclude: Vec<String>,
    /// The tables of this application only; may be given several times
    #[arg(long = "context", value_name = "NAME", value_parser = super::migrate::context, conflicts_with = "tables")]
    contexts: Vec<Context>,
    /// The schema of the PostgreSQL database; made if it is missing [default: the connection's]
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// Make the tables and leave them empty
    #[arg(long, conflicts_with = "data_only")]
    schema_only: bool,
    /// Load rows into tables that are there, whose types rule; columns that they lack are made
    #[arg(long)]
    data_only: bool,
    /// Do everything, constraints included, and take it all back
    #[arg(long)]
    dry_run: bool,
    /// The type of a column that is made, as table.column=type (* for any table or column)
    ///
    /// Behind the type may stand what the values do not tell: "timestamptz from seconds" (or milliseconds, microseconds; timestamp, too) of
    /// numbers since 1970, "boolean from Y/N" (two values of the column, texts of digits in single quotes), "text from windows-1252" (or
    /// another charset of one byte a character); and behind it, or alone, ", empty as null" and ", zero date as null".
    #[arg(long = "type", value_name = "COLUMN=TYPE", value_parser = TypeWish::parse)]
    types: Vec<TypeWish>,
    /// A file of the same: TOML with lines "table.column" = "type"
    #[arg(long, value_name = "FILE")]
    types_file: Option<PathBuf>,
    /// Leave text as text, whatever its values look like
    #[arg(long)]
    keep_text: bool,
    /// How many connections load and build at a time
    #[arg(long, short, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
    /// Nothing but errors on standard error
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Prove the copy equal behind it, as cutover verify does; then 0 means equal
    #[arg(long, conflicts_with_all = ["dry_run", "schema_only"])]
    verify: bool,
    /// End with 1 if something of the schema was not carried, or only in a weaker form
    #[arg(long)]
    strict: bool,
    /// How many milliseconds to wait for a lock on a SQLite file [default: sqlite.busy_timeout_ms]
    #[arg(long, value_name = "MS")]
    busy_timeout: Option<u64>,
}

/// The copy of one source.
struct Copied {
    from: DatabaseUrl,
    report: CopyReport,
}

/// Runs it.
pub(super) async fn run(args: &CopyArgs, config: &Config) -> Result<Exit, CliError> {
    let mut copied = Vec::new();
    let places = places(args.source.as_deref(), args.target.as_deref(), config)?;
    refuse_two_servers(&places)?;
    let choice = Choice {
        tables: &args.tables,
        exclude: &args.exclude,
        contexts: &args.contexts,
    };
    let shares = shared_out(places, choice, config, &access(args, config)).await?;
    let (passed, shares) = go_on(args, shares, config).await?;
    let to = shares.first().map(|(places, _)| places.to.clone());
    for (places, scope) in shares {
        copied.push(Copied {
            from: places.from.clone(),
            report: copy_one(args, places, scope, config).await?,
        });
    }
    let verified = if args.verify && copied.iter().all(|one| one.report.written) {
        Some(Verified::of(&args.to_verify(), config).await?)
    } else {
        None
    };
    let is_less = |(weakened, not_carried): Less<'_>| !weakened.is_empty() || !not_carried.is_empty();
    let weaker = args.strict && less(&passed, &copied).any(is_less);
    let equal = verified.as_ref().is_none_or(Verified::ok);
    let whole = passed.iter().all(|one| one.quarantined == 0) && copied.iter().all(|one| one.report.ok());
    let exit = if whole && equal && !weaker {
        Exit::Done
    } else {
        Exit::Wrong
    };
    let told = Output::from_flag(args.json).write(
        || match &verified {
            None => text(&passed, &copied, Some(next_step(args))),
            Some(verified) => text(&passed, &copied, None) + &verified.text(),
        },
        || {
            let mut document = document(&passed, &copied, exit);
            if let Some(verified) = &verified {
                document["verified"] = verified.document();
            }
            document
        },
    );
    let is_written = copied.iter().any(|one| one.report.written) && !args.dry_run;
    if let Some(to) = to.filter(|_| is_written) {
        set_told(args, &to, config).await;
    }
    told.map(|()| exit)
}

/// Whoever could not be told reads it elsewhere; and a target that is away by now only tells it once more.
async fn set_told(args: &CopyArgs, to: &DatabaseUrl, config: &Config) {
    let told = async {
        wiring::transfer::target(to, &access(args, config))?
            .set_told()
            .await
    };
    if let Err(error) = told.await {
        tracing::debug!(%error, "the end of the copy is not noted as told");
    }
}

impl CopyArgs {
    /// The same places and tables, to be compared.
    fn to_verify(&self) -> VerifyArgs {
        VerifyArgs {
            source: self.source.clone(),
            target: self.target.clone(),
            tables: self.tables.clone(),
            exclude: self.exclude.clone(),
            contexts: self.contexts.clone(),
            schema: self.schema.clone(),
            jobs: self.jobs,
            quiet: self.quiet,
            busy_timeout: self.busy_timeout,
            ..VerifyArgs::default()
        }
    }
}

/// What to do when all is written.
fn next_step(args: &CopyArgs) -> &'static str {
    match extent(args) {
        Extent::SchemaOnly => "the rows come with cutover copy --data-only",
        Extent::Whole | Extent::DataOnly => "run cutover verify to prove them equal",
    }
}

/// Of several sources passes those over that an earlier run has copied, and takes the one first at which it was interrupted. If all have been
/// copied and nobody was told, the last is told again; else a copy is in the way of another, as that of one source is.
async fn go_on(
    args: &CopyArgs,
    shares: Vec<(Places, Scope)>,
    config: &Config,
) -> Result<(Vec<Passed>, Vec<(Places, Scope)>), CliError> {
    let (mut passed, mut left) = (Vec::new(), Vec::new());
    let several = shares.first().filter(|_| shares.len() > 1);
    let Some((Places { to, .. }, _)) = several.filter(|_| !args.replace && !args.dry_run) else {
        return Ok((passed, shares));
    };
    let access = access(args, config);
    let target = wiring::transfer::target(to, &access)?;
    let unfinished = target.open(false).await?.open_run().await?;
    let is_last = |name: &str| unfinished.as_ref().is_some_and(|run| run.source == name);
    let mut last = None;
    for share in &shares {
        let (places, scope) = share;
        let source = wiring::transfer::source(&places.from, &access).await?;
        let name = source.describe();
        match copied_before(source.as_ref(), target.as_ref(), scope).await? {
            Some(mut one) => {
                if is_last(&name) {
                    last = Some((passed.len(), share.clone()));
                }
                // Of several sources the tables are made by migrations.
                leave_out_own_triggers(&mut one.account.not_carried);
                passed.push(one);
            }
            None if is_last(&name) => left.insert(0, share.clone()),
            None => left.push(share.clone()),
        }
    }
    match last {
        Some((at, share)) if left.is_empty() => {
            passed.remove(at);
            Ok((passed, vec![share]))
        }
        None if left.is_empty() => Ok((vec![], shares)),
        _ => Ok((passed, left)),
    }
}

/// What PostgreSQL keeps beside its tables a copy knows nothing of.
fn refuse_two_servers(places: &[Places]) -> Result<(), CliError> {
    let is_server = |url: &DatabaseUrl| matches!(url, DatabaseUrl::Postgres(_));
    let mut places = places.iter();
    if places.any(|place| is_server(&place.from) && is_server(&place.to) && place.from != place.to) {
        let text = "source and target are both PostgreSQL, and copy goes from SQLite to PostgreSQL or back: use pg_dump and pg_restore (cutover \
                    verify compares the two)";
        return Err(CliError::new(Exit::Usage, text));
    }
    Ok(())
}

async fn copy_one(
    args: &CopyArgs,
    Places { from, to }: Places,
    scope: Scope,
    config: &Config,
) -> Result<CopyReport, CliError> {
    let is_one = match (&from, &to) {
        (DatabaseUrl::Sqlite(from), DatabaseUrl::Sqlite(to)) => is_same_file(from, to),
        _ => from == to,
    };
    if is_one {
        let text = "source and target are the same database";
        return Err(CliError::new(Exit::Usage, text));
    }
    let access = access(args, config);
    let types = wanted_types(&args.types, args.types_file.as_deref())?;
    let source = wiring::transfer::source(&from, &access).await?;
    if let Some(half) = Half::of(source.as_ref(), &scope).await? {
        return Err(half.refusal().into());
    }
    if args.replace && !args.replace_live && !args.dry_run {
        let catalog = source.catalog().await?;
        let are_copied = |table: &str| scope.includes(table) && catalog.table(table).is_some();
        guard::refuse_replacing(config, &to, args.schema.as_deref(), are_copied).await?;
    }
    if !args.dry_run {
        wiring::transfer::prepare(&from, &to, source.as_ref(), &scope).await?;
    }
    let target = wiring::transfer::target(&to, &access)?;
    let options = CopyOptions {
        on_reject: args.on_reject,
        replace: args.replace,
        zones: config.legacy_zones(),
        seeds: wiring::transfer::seeds(),
        scope,
        wishes: Wishes {
            keep_text: args.keep_text,
            types,
            ..Wishes::default()
        },
        extent: extent(args),
        jobs: access.jobs,
        rehearsal: args.dry_run,
    };
    let progress: Arc<dyn Progress> = if args.quiet {
        Arc::new(Silent)
    } else {
        Arc::new(Terminal::new())
    };
    let mut report = copy(source, target.as_ref(), &options, progress).await?;
    // Where migrations have made the tables, they have also made what their triggers are for.
    if report.tables.iter().all(|table| !table.created) {
        leave_out_own_triggers(&mut report.not_carried);
    }
    Ok(report)
}

fn leave_out_own_triggers(not_carried: &mut Vec<NotCarried>) {
    not_carried.retain(|left| left.kind != "trigger" || !wiring::transfer::is_own_trigger(&left.sql));
}

/// What a source has lost: its weaker rules, and what was left out.
type Less<'a> = (&'a [Weakened], &'a [NotCarried]);

/// That of each source, those among them that were passed over.
fn less<'a>(passed: &'a [Passed], copied: &'a [Copied]) -> impl Iterator<Item = Less<'a>> {
    let before = passed.iter().map(|one| &one.account);
    let before = before.map(|account| (account.weakened.as_slice(), account.not_carried.as_slice()));
    let now = copied.iter().map(|one| &one.report);
    before.chain(now.map(|report| (report.weakened.as_slice(), report.not_carried.as_slice())))
}

/// How the two databases are opened.
fn access(args: &CopyArgs, config: &Config) -> Access {
    Access {
        busy_timeout: busy_timeout(args.busy_timeout, config),
        schema: args.schema.clone(),
        jobs: if args.dry_run { 1 } else { usize::from(args.jobs) },
    }
}

/// What is copied.
fn extent(args: &CopyArgs) -> Extent {
    match (args.schema_only, args.data_only) {
        (true, _) => Extent::SchemaOnly,
        (_, true) => Extent::DataOnly,
        _ => Extent::Whole,
    }
}

/// The types that are wanted, by a file and by flags. Of two that are equally particular the later one counts: that of a flag.
pub(super) fn wanted_types(flags: &[TypeWish], file: Option<&Path>) -> Result<Vec<TypeWish>, CliError> {
    let mut types = file.map(types_of_file).transpose()?.unwrap_or_default();
    types.extend_from_slice(flags);
    Ok(types)
}

/// The types of a file with lines `"table.column" = "type"`.
fn types_of_file(path: &Path) -> Result<Vec<TypeWish>, CliError> {
    let mistake = |what: String| CliError::new(Exit::Usage, format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| mistake(error.to_string()))?;
    let lines: BTreeMap<String, Spanned<String>> =
        toml::from_str(&text).map_err(|error| mistake(not_toml(&text, &error)))?;
    let wishes = lines.iter().map(|(column, kind)| {
        let line = line_at(&text, kind.span().start);
        TypeWish::of(column, kind.get_ref()).map_err(|what| mistake(format!("line {line}: {what}")))
    });
    wishes.collect()
}

/// The machine's form.
fn document(passed: &[Passed], copied: &[Copied], exit: Exit) -> Value {
    let reports = || copied.iter().map(|one| &one.report);
    let tables = reports().flat_map(|report| &report.tables).map(|table| {
        json!({
            "name": table.name,
            "target": table.target,
            "columns_made": table.added,
            "rows_read": table.rows_read,
            "rows_written": table.rows_written,
            "rejected": table.rejected,
            "normalised": normalised(table),
            "bytes": table.bytes,
            "seconds": table.elapsed.as_secs_f64(),
        })
    });
    let weakened = less(passed, copied).flat_map(|(weakened, _)| weakened);
    let weakened = weakened.map(|weak| {
        json!({"table": weak.table, "constraint": weak.constraint, "sql": weak.sql, "rows": weak.rows, "keys": weak.keys,
               "reason": weak.reason})
    });
    let elapsed: Duration = reports().map(|report| report.elapsed).sum();
    let not_carried = less(passed, copied).flat_map(|(_, not_carried)| not_carried);
    let not_carried: Vec<_> = not_carried.collect();
    let mut document = json!({
        "ok": exit == Exit::Done,
        "tables": tables.collect::<Vec<Value>>(),
        "seconds": elapsed.as_secs_f64(),
        "not_carried": not_carried,
        "weakened": weakened.collect::<Vec<Value>>(),
    });
    if !passed.is_empty() {
        let of = |one: &Passed| json!({"source": one.source, "quarantined": one.quarantined});
        document["copied_before"] = passed.iter().map(of).collect();
    }
    let renamed: Vec<_> = reports().flat_map(|report| &report.renamed).collect();
    if !renamed.is_empty() {
        document["renamed"] = json!(renamed);
    }
    if reports().any(|report| report.rehearsal) {
        document["dry_run"] = json!(true);
    }
    if reports().any(|report| report.author == Author::Another) {
        document["by_another_run"] = json!(true);
    }
    let rejects: Vec<_> = reports().flat_map(|report| &report.rejects).collect();
    if !rejects.is_empty() {
        document["rejects"] = json!(rejects);
    }
    document
}

fn normalised(table: &crate::transfer::copy::TableReport) -> Value {
    let columns = table.normalised.iter().map(|(column, kinds)| {
        let kinds: Map<String, Value> = kinds
            .iter()
            .map(|(kind, count)| (kind.as_str().to_owned(), json!(count)))
            .collect();
        (column.clone(), Value::Object(kinds))
    });
    Value::Object(columns.collect())
}

/// What was not copied again. What has become of it since is for a verification to tell.
fn passed_over(passed: &[Passed]) -> String {
    let line = |Passed {
                    source, quarantined, ..
                }: &Passed| {
        let kept = match quarantined {
            0 => String::new(),
            rows => format!(", {} in quarantine", counted(*rows, "row")),
        };
        format!(
            "{source}: copied by an earlier run and passed over{kept}; cutover verify tells whether it has changed since\n"
        )
    };
    passed.iter().map(line).collect()
}

/// A person's form; `next` is what to do when all is written. Writing to a string cannot fail.
fn text(passed: &[Passed], copied: &[Copied], next: Option<&str>) -> String {
    let mut text = passed_over(passed);
    let mut line = |what: std::fmt::Arguments<'_>| writeln!(text, "{what}").unwrap_or_default();
    let reports = || copied.iter().map(|one| &one.report);
    for section in [whose, tables, renamed] {
        reports().for_each(|report| section(report, &mut line));
    }
    less(passed, copied).for_each(|(rules, _)| weakened(rules, &mut line));
    less(passed, copied).for_each(|(_, left_out)| not_carried(left_out, &mut line));
    reports().for_each(|report| rejects(report, &mut line));
    ending(copied, next, &mut line);
    text
}

type Line<'t> = dyn FnMut(std::fmt::Arguments<'_>) + 't;

/// Who has done it, if that was not this run.
fn whose(report: &CopyReport, line: &mut Line<'_>) {
    if report.author == Author::Another {
        line(format_args!(
            "another run of the same command has copied all of it, before this one or while it waited; nothing was written now"
        ));
    }
}

fn tables(report: &CopyReport, line: &mut Line<'_>) {
    for table in &report.tables {
        let made = if table.created && report.written {
            ", made in the target"
        } else {
            ""
        };
        let rejected = match (table.rejected, report.loading) {
            (0, _) => String::new(),
            (rows, true) => format!(", {} rejected", grouped(rows)),
            (rows, false) => format!(", {} not fitting", grouped(rows)),
        };
        line(format_args!(
            "{}: {} of {} written{rejected}{made}",
            table.target,
            grouped(table.rows_written),
            counted(table.rows_read, "row")
        ));
        for column in &table.added {
            line(format_args!("  the column {column} was made in the target"));
        }
        for (column, kinds) in &table.normalised {
            for (kind, count) in kinds {
                let how = match kind {
                    Normalised::EmptyAsNull | Normalised::ZeroDateAsNull => "as NULL",
                    Normalised::BoundOf32Bits => "in 32 bits",
                    Normalised::Computed => "as the file computes them",
                    _ => "in another spelling",
                };
                line(format_args!(
                    "  {column}: {count} stored {how} ({})",
                    kind.as_str()
                ));
            }
        }
    }
}

fn renamed(report: &CopyReport, line: &mut Line<'_>) {
    for renamed in &report.renamed {
        line(format_args!(
            "renamed: the {} {:?} of {} is called {:?}",
            renamed.kind, renamed.from, renamed.table, renamed.to
        ));
    }
}

fn weakened(rules: &[Weakened], line: &mut Line<'_>) {
    for weak in rules {
        let broken = if weak.rows > 0 {
            format!("; {}: {}", counted(weak.rows, "row"), weak.keys.join("; "))
        } else {
            String::new()
        };
        line(format_args!(
            "weakened: {} {}: {}{broken}",
            weak.name(),
            weak.sql,
            weak.reason
        ));
    }
}

fn not_carried(left_out: &[NotCarried], line: &mut Line<'_>) {
    for left in left_out {
        let sql = match left.sql.as_str() {
            "" => String::new(),
            sql => format!(": {sql}"),
        };
        line(format_args!(
            "not carried: {} {} ({}){sql}",
            left.kind, left.name, left.reason
        ));
    }
}

fn rejects(report: &CopyReport, line: &mut Line<'_>) {
    for reject in &report.rejects {
        let how = if report.loading { "rejected" } else { "not fitting" };
        let column = match reject.column.as_str() {
            "" => String::new(),
            column => format!(".{column}"),
        };
        line(format_args!(
            "{how}: {}{column} where {}: {}",
            reject.table, reject.key, reject.reason
        ));
    }
}

/// What it comes to: a source whose rows do not fit is left out as a whole, whatever became of the others.
fn ending(copied: &[Copied], next: Option<&str>, line: &mut Line<'_>) {
    let rejected = |report: &CopyReport| report.tables.iter().map(|table| table.rejected).sum::<u64>();
    for Copied { from, report } in copied.iter().filter(|one| !one.report.written) {
        let of = match from {
            DatabaseUrl::Sqlite(path) if copied.len() > 1 => format!(" of {}", path.display()),
            _ => String::new(),
        };
        line(format_args!(
            "nothing{of} was written, because of {} that the target cannot hold; mend the source, or copy with --on-reject quarantine",
            counted(rejected(report), "row")
        ));
    }
    let written: Vec<&CopyReport> = copied
        .iter()
        .map(|one| &one.report)
        .filter(|report| report.written)
        .collect();
    let Some(first) = written.first() else {
        return;
    };
    let next = next.filter(|_| written.len() == copied.len());
    let rows = written.iter().flat_map(|report| &report.tables);
    let rows = counted(rows.map(|table| table.rows_written).sum(), "row");
    let rejected: u64 = written.iter().copied().map(rejected).sum();
    let refused = counted(rejected, "row");
    let seconds = written
        .iter()
        .map(|report| report.elapsed)
        .sum::<Duration>()
        .as_secs_f64();
    if first.rehearsal {
        line(format_args!(
            "{rows} in {seconds:.1} s, and all of it taken back (--dry-run); {refused} not fitting"
        ));
    } else if rejected > 0 && first.loading {
        line(format_args!(
            "{rows} in {seconds:.1} s; {refused} kept in the quarantine (cutover.quarantine, in a file _cutover_quarantine)"
        ));
    } else {
        if rejected > 0 {
            line(format_args!(
                "{refused} will not fit when rows are loaded; mend the source, or load with --on-reject quarantine"
            ));
        }
        let next = next.map_or_else(String::new, |next| format!("; {next}"));
        line(format_args!("{rows} in {seconds:.1} s{next}"));
    }
}
