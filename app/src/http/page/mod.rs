//! `GET /`: the status page. Made here, whole without JavaScript; with it, it asks for itself anew every few seconds.
//!
//! Everything that comes from a configuration, a database or a client goes through [`Text`], which escapes it.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use cutover_domain::time::Timestamp;
use cutover_ports::inventory::TableRows;

use super::App;
use super::job_status::{self, JobStatus};
use crate::config::Backend;
use crate::guard::Carried;
use crate::integrity::Report;
use crate::observe::metrics::Latency;
use crate::observe::recent::RecentError;
use crate::readiness::{DatabaseState, Ready};
use crate::status::TableStatus;
use crate::wiring::Pool;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// The page waits so long for a new report and shows the last one otherwise.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the page shows.
struct Facts {
    now: Timestamp,
    started: Timestamp,
    ready: Ready,
    pools: Vec<Pool>,
    report: Option<Arc<Report>>,
    /// Why the report may not be what holds now.
    problem: Option<String>,
    latencies: Vec<Latency>,
    jobs: Result<Vec<JobStatus>, String>,
    /// Whether they run at their times.
    are_jobs_running: bool,
    recent: Vec<RecentError>,
}

/// The status page.
///
/// For people: how things stand, and what went wrong of late.
#[utoipa::path(get, path = "/", tag = "Operations", responses((status = 200, body = String, content_type = "text/html")))]
pub(super) async fn page(State(app): State<App>) -> Response {
    let observed = &app.observed;
    let examined = tokio::time::timeout(PATIENCE, observed.examinations.recent());
    let jobs = tokio::time::timeout(PATIENCE, job_status::statuses(&app));
    let (ready, examined, jobs) = tokio::join!(observed.readiness.check(), examined, jobs);
    let (report, problem) = match examined {
        Ok(Ok(report)) => {
            let problem = (!ready.ok()).then(|| "Not every database can be used.".to_owned());
            (Some(report), problem)
        }
        Ok(Err(problem)) => (observed.examinations.last(), Some(problem)),
        Err(_) => {
            let problem = "The databases are being looked at, which takes longer than this page waits.";
            (observed.examinations.last(), Some(problem.to_owned()))
        }
    };
    let facts = Facts {
        now: app.clock.now(),
        started: observed.started,
        ready,
        pools: app.databases.pools(),
        report,
        problem,
        latencies: observed.metrics.latencies(),
        jobs: match jobs {
            Ok(jobs) => jobs.map_err(|error| error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        },
        are_jobs_running: app
            .market
            .scheduler
            .as_ref()
            .is_some_and(|jobs| jobs.is_running()),
        recent: observed.recent.list(),
    };
    let nonce = app.ids.hex(32);
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers: [(HeaderName, String); 5] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    (headers, document(&facts, &nonce)).into_response()
}

/// Text from elsewhere, escaped for an element or an attribute in double quotes.
struct Text<T>(T);

impl<T: fmt::Display> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.to_string().chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Nothing that turns what follows around, or that is no character of HTML.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => f.write_char('\u{fffd}')?,
                c if c.is_control() && c != '\n' => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A page under construction. Writing to a string cannot fail.
#[derive(Default)]
struct Html(String);

impl Html {
    fn add(&mut self, markup: fmt::Arguments<'_>) {
        self.0.write_fmt(markup).unwrap_or_default();
    }

    /// A section with a heading.
    fn section(&mut self, id: &str, heading: &str, body: impl FnOnce(&mut Self)) {
        self.add(format_args!(
            "<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{heading}</h2>\n"
        ));
        body(self);
        self.add(format_args!("</section>\n"));
    }

    /// A table. The roles are said because a narrow screen's style makes blocks of the rows.
    fn table(
        &mut self,
        caption: &dyn fmt::Display,
        columns: &[Column],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) {
        self.add(format_args!(
            "<div class=\"scroll\"><table role=\"table\"><caption>{caption}</caption><thead role=\"rowgroup\"><tr role=\"row\">"
        ));
        for column in columns {
            self.add(format_args!(
                "<th role=\"columnheader\" scope=\"col\"{}>{}</th>",
                column.class(),
                column.name
            ));
        }
        self.add(format_args!("</tr></thead><tbody role=\"rowgroup\">\n"));
        for cells in rows {
            self.add(format_args!("<tr role=\"row\">"));
            for (index, (column, cell)) in columns.iter().zip(&cells).enumerate() {
                if index == 0 {
                    self.add(format_args!("<th role=\"rowheader\" scope=\"row\">{cell}</th>"));
                } else {
                    self.add(format_args!(
                        "<td role=\"cell\" data-label=\"{}\"{}>{cell}</td>",
                        column.name,
                        column.class()
                    ));
                }
            }
            self.add(format_args!("</tr>\n"));
        }
        self.add(format_args!("</tbody></table></div>\n"));
    }
}

/// A column of a table.
#[derive(Clone, Copy)]
struct Column {
    name: &'static str,
    is_number: bool,
}

impl Column {
    fn class(self) -> &'static str {
        if self.is_number { " class=\"number\"" } else { "" }
    }
}

const fn text(name: &'static str) -> Column {
    Column {
        name,
        is_number: false,
    }
}

const fn number(name: &'static str) -> Column {
    Column {
        name,
        is_number: true,
    }
}

/// Good, to be watched, bad: told by words, and by colour only besides.
fn state(class: &str, words: &str) -> String {
    format!("<span class=\"state {class}\">{}</span>", Text(words))
}

fn document(facts: &Facts, nonce: &str) -> String {
    let (class, words) = overall(facts);
    let mut html = Html::default();
    html.add(format_args!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Cutover: {words}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <style nonce=\"{nonce}\">\n{STYLE}</style>\n</head>\n<body>\n\
         <header><h1>Cutover</h1><p>version {}</p>\n<nav aria-label=\"More\"><a href=\"/integrity\">Integrity</a> \
         <a href=\"/metrics\">Metrics</a> <a href=\"/readyz\">Readiness</a> <a href=\"/docs\">Interface</a></nav></header>\n<main>\n",
        env!("CARGO_PKG_VERSION")
    ));
    html.add(format_args!("<ul class=\"tiles\">\n"));
    tiles(&mut html, facts, class, words);
    html.add(format_args!("</ul>\n"));
    promises(&mut html, facts);
    repositories(&mut html, facts);
    pools(&mut html, facts);
    latencies(&mut html, facts);
    job_list(&mut html, facts);
    errors(&mut html, facts);
    html.add(format_args!(
        "</main>\n<footer><p id=\"live\" role=\"status\"></p><noscript><p><a href=\"/\">Reload</a></p></noscript></footer>\n\
         <script type=\"module\" nonce=\"{nonce}\">\n{SCRIPT}</script>\n</body>\n</html>\n"
    ));
    html.0
}

/// The state of everything, for the title and the first tile.
fn overall(facts: &Facts) -> (&'static str, &'static str) {
    let whole = facts.report.as_ref().is_none_or(|report| report.ok());
    match (facts.ready.ok(), whole) {
        (false, _) => ("bad", "not ready"),
        (true, false) => ("warn", "ready, data to look at"),
        (true, true) => ("good", "ready"),
    }
}

fn tiles(html: &mut Html, facts: &Facts, class: &str, words: &str) {
    html.add(format_args!(
        "<li><h2>Service</h2><p class=\"big\">{}</p><p class=\"soft\">up for {}, since {}</p></li>\n",
        state(class, words),
        duration(facts.now, facts.started),
        moment(facts.started)
    ));
    for database in &facts.ready.databases {
        database_tile(html, facts, database);
    }
    let carried = facts.report.as_ref().map(|report| {
        let repositories = &report.status.repositories;
        let moved = repositories.iter().filter(|one| one.backend == Backend::Postgres);
        (moved.count(), repositories.len())
    });
    if let Some((moved, all)) = carried {
        html.add(format_args!(
            "<li><h2>Routing</h2><p class=\"big\">{moved} of {all}</p><p class=\"soft\">repositories run on PostgreSQL</p></li>\n"
        ));
    }
    if let Some(report) = &facts.report {
        html.add(format_args!(
            "<li><h2>Last verification</h2><p class=\"big\">{}</p><p class=\"soft\">last copy {}</p></li>\n",
            since(facts.now, report.last_verification()),
            since(facts.now, report.last_copy())
        ));
    }
    if let Some(newest) = facts.recent.first() {
        html.add(format_args!(
            "<li><h2>Recent errors</h2><p class=\"big\"><a href=\"#errors\">{}</a></p><p class=\"soft\">the last {}</p></li>\n",
            facts.recent.iter().map(|error| error.times).sum::<u64>(),
            since(facts.now, Some(newest.at))
        ));
    }
}

fn database_tile(html: &mut Html, facts: &Facts, database: &DatabaseState) {
    let (class, words) = match database.status() {
        "ok" => ("good", "answers"),
        "behind" => ("bad", "schema not at its newest version"),
        "unwritable" => ("bad", "takes no writes"),
        _ => ("bad", "does not answer"),
    };
    html.add(format_args!(
        "<li><h2>{}</h2><p class=\"big\">{}</p>",
        backend_name(database.backend),
        state(class, words)
    ));
    let locations = facts.report.iter().flat_map(|report| &report.status.databases);
    let mut shown: Vec<&str> = Vec::new();
    for found in locations.filter(|found| found.backend == database.backend) {
        if !shown.contains(&found.location.as_str()) {
            shown.push(&found.location);
            html.add(format_args!("<p class=\"soft\">{}</p>", Text(&found.location)));
        }
        for remark in &found.remarks {
            html.add(format_args!("<p>{}: {}</p>", found.context, Text(remark)));
        }
    }
    for schema in &database.schemas {
        html.add(format_args!(
            "<p>schema {}: version {} of {}</p>",
            schema.context, schema.version, schema.head
        ));
    }
    html.add(format_args!("</li>\n"));
}

fn repositories(html: &mut Html, facts: &Facts) {
    html.section("repositories", "Repositories", |html| {
        not_up_to_date(html, facts);
        let Some(report) = &facts.report else {
            html.add(format_args!(
                "<p>The databases have not been looked at yet.</p>\n"
            ));
            return;
        };
        let columns = [
            text("Table"),
            text("Repository"),
            text("Runs on"),
            number("Rows in SQLite"),
            number("Rows in PostgreSQL"),
            text("Copied"),
            text("Verified"),
            text("Carried over"),
        ];
        let mut contexts: Vec<&str> = Vec::new();
        for repository in &report.status.repositories {
            if !contexts.contains(&repository.context) {
                contexts.push(repository.context);
            }
        }
        for context in contexts {
            let of_context = report
                .status
                .repositories
                .iter()
                .filter(|one| one.context == context);
            let rows = of_context.flat_map(|repository| {
                repository.tables.iter().map(|table| {
                    let (sqlite, postgres) = (count(table.sqlite), count(table.postgres));
                    vec![
                        format!("<code>{}</code>", Text(table.name)),
                        Text(repository.name).to_string(),
                        backend_name(repository.backend).to_owned(),
                        sqlite,
                        postgres,
                        since(facts.now, table.copied_at()),
                        since(facts.now, table.verified_at()),
                        carried(table, repository.backend),
                    ]
                })
            });
            html.table(&format_args!("Context {}", Text(context)), &columns, rows);
        }
        html.add(format_args!(
            "<p class=\"soft\">Looked at {} ({} s).</p>\n",
            since(facts.now, Some(report.at)),
            rounded(report.took.as_secs_f64())
        ));
    });
}

/// What is known of a table's way to PostgreSQL. After the switch the two sides part, and that is as it should be.
fn carried(table: &TableStatus, backend: Backend) -> String {
    let class = match (table.carried, backend) {
        (Carried::Verified, _) => "good",
        (Carried::Nothing, _) => return "<span class=\"soft\">empty</span>".to_owned(),
        (_, Backend::Postgres) => "warn",
        (Carried::CopiedOnly | Carried::Changed | Carried::Never, Backend::Sqlite) => {
            return format!("<span class=\"soft\">{}</span>", table.carried.describe());
        }
    };
    state(class, table.carried.describe())
}

/// Says so where what is shown may not be what holds now, and of when it is.
fn not_up_to_date(html: &mut Html, facts: &Facts) {
    let Some(problem) = &facts.problem else {
        return;
    };
    let words = state("warn", "not up to date");
    html.add(format_args!("<p>{words} {}", Text(problem)));
    if let Some(report) = &facts.report {
        let made = since(facts.now, Some(report.at));
        html.add(format_args!(" This is the last report, made {made}."));
    }
    html.add(format_args!("</p>\n"));
}

fn promises(html: &mut Html, facts: &Facts) {
    html.section("integrity", "Integrity", |html| {
        not_up_to_date(html, facts);
        let Some(report) = &facts.report else {
            html.add(format_args!("<p>Not looked at yet.</p>\n"));
            return;
        };
        if report.ok() && facts.problem.is_none() {
            let words = state("good", "whole");
            html.add(format_args!(
                "<p>{words} Every reference finds its row, and no row breaks a rule.</p>\n"
            ));
        } else if report.ok() {
            html.add(format_args!(
                "<p>Every reference found its row then, and no row broke a rule.</p>\n"
            ));
        }
        if report.lacks_a_file() {
            let words = state("bad", "gone");
            html.add(format_args!(
                "<p>{words} A file on which repositories run is not there any more. What the service is asked to write into it is refused.</p>\n"
            ));
        }
        if !report.orphans.is_empty() {
            let columns = [
                text("Column"),
                text("Refers to"),
                text("Database"),
                number("Rows"),
                text("Missing keys, the first ones"),
            ];
            let rows = report.orphans.iter().map(|orphans| {
                vec![
                    format!(
                        "<code>{}.{}</code>",
                        orphans.relation.child, orphans.relation.column
                    ),
                    format!("<code>{}</code>", orphans.relation.parent),
                    backend_name(orphans.backend).to_owned(),
                    orphans.rows.to_string(),
                    format!("<code>{}</code>", Text(orphans.missing.join(", "))),
                ]
            });
            html.table(&"Rows that refer to rows which are not there", &columns, rows);
        }
        if !report.broken.is_empty() {
            let columns = [text("Table"), text("Database"), number("Rows"), text("Rule")];
            let rows = report.broken.iter().map(|broken| {
                vec![
                    format!("<code>{}</code>", Text(&broken.rule.table)),
                    backend_name(broken.backend).to_owned(),
                    broken.rule.rows.to_string(),
                    format!("<code>{}</code>", Text(&broken.rule.rule)),
                ]
            });
            html.table(&"Rules that rows break", &columns, rows);
        }
    });
}

fn pools(html: &mut Html, facts: &Facts) {
    html.section("pools", "Connections", |html| {
        let columns = [
            text("Pool"),
            number("At most"),
            number("Open"),
            number("In use"),
            number("Waiting"),
        ];
        let rows = facts.pools.iter().map(|pool| {
            let numbers = [pool.size_max, pool.size, pool.in_use, pool.waiting];
            let backend = backend_name(pool.backend);
            let name = match &pool.file {
                Some(file) => format!("{backend}, {} of {}", pool.name, Text(file)),
                None => format!("{backend}, {}", pool.name),
            };
            std::iter::once(name)
                .chain(numbers.map(|number| number.to_string()))
                .collect()
        });
        html.table(&"Connections, and callers that wait for one", &columns, rows);
    });
}

fn latencies(html: &mut Html, facts: &Facts) {
    html.section("latency", "Latency", |html| {
        if facts.latencies.is_empty() {
            html.add(format_args!("<p>No repository has been called yet.</p>\n"));
            return;
        }
        let columns = [
            text("Repository"),
            text("Database"),
            number("Calls"),
            number("Mean"),
            number("Half within"),
            number("95 % within"),
        ];
        let rows = facts.latencies.iter().map(|latency| {
            let backend = Backend::from_name(&latency.backend).map_or("", backend_name);
            vec![
                Text(&latency.repository).to_string(),
                backend.to_owned(),
                latency.calls.to_string(),
                milliseconds(latency.mean),
                milliseconds(latency.median),
                milliseconds(latency.p95),
            ]
        });
        html.table(&"Time at the database since the start", &columns, rows);
    });
}

fn job_list(html: &mut Html, facts: &Facts) {
    html.section("jobs", "Jobs", |html| {
        let jobs = match &facts.jobs {
            Ok(jobs) if jobs.is_empty() => {
                html.add(format_args!("<p>None of the contexts has any.</p>\n"));
                return;
            }
            Ok(jobs) => jobs,
            Err(problem) => {
                let words = state("bad", "cannot be read");
                html.add(format_args!("<p>{words} {}</p>\n", Text(problem)));
                return;
            }
        };
        let columns = [
            text("Job"),
            text("Context"),
            text("When"),
            text("Last run"),
            text("Outcome"),
        ];
        let rows = jobs.iter().map(|job| {
            let class = match job.succeeded {
                Some(true) => "good",
                Some(false) => "bad",
                None => "warn",
            };
            let outcome = job
                .outcome
                .as_deref()
                .map_or_else(|| "–".to_owned(), |outcome| state(class, outcome));
            vec![
                Text(&job.name).to_string(),
                Text(job.context).to_string(),
                Text(&job.schedule).to_string(),
                since(facts.now, job.last_run),
                outcome,
            ]
        });
        html.table(&"Background jobs and their last runs", &columns, rows);
        if !facts.are_jobs_running {
            html.add(format_args!(
                "<p>{} None runs at its time, only by hand: <code>market.jobs_enabled</code> is off, as it is without prices and a \
                 retention.</p>\n",
                state("warn", "off")
            ));
        }
    });
}

fn errors(html: &mut Html, facts: &Facts) {
    html.section("errors", "Recent errors", |html| {
        if facts.recent.is_empty() {
            html.add(format_args!("<p>None since the start.</p>\n"));
            return;
        }
        html.add(format_args!("<ul class=\"errors\">\n"));
        for error in &facts.recent {
            let (class, words) = if error.is_error {
                ("bad", "error")
            } else {
                ("warn", "warning")
            };
            html.add(format_args!(
                "<li><p>{} {}",
                state(class, words),
                since(facts.now, Some(error.at))
            ));
            if error.times > 1 {
                html.add(format_args!(", {} times", error.times));
            }
            html.add(format_args!("</p><p class=\"code\">{}</p>", Text(&error.text)));
            if let Some(request) = &error.request {
                html.add(format_args!("<p class=\"soft\">{}", Text(request)));
                if let Some(id) = &error.request_id {
                    html.add(format_args!(" · request <code>{}</code>", Text(id)));
                }
                html.add(format_args!("</p>"));
            }
            html.add(format_args!("</li>\n"));
        }
        html.add(format_args!("</ul>\n"));
    });
}

fn backend_name(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "SQLite",
        Backend::Postgres => "PostgreSQL",
    }
}

fn count(rows: Option<TableRows>) -> String {
    rows.map_or_else(|| "–".to_owned(), |rows| rows.truth().to_string())
}

/// A moment, to the second.
fn moment(at: Timestamp) -> String {
    let iso = at.to_iso();
    let shown = iso.get(..19).unwrap_or(&iso).replace('T', " ");
    format!("<time datetime=\"{}\">{shown} UTC</time>", machine_readable(&iso))
}

/// The text of a moment as HTML has it: with at most three digits of a second.
fn machine_readable(iso: &str) -> String {
    iso.get(..23)
        .map_or_else(|| iso.to_owned(), |short| format!("{short}Z"))
}

/// How long ago something was, with the moment itself for whoever wants it.
fn since(now: Timestamp, at: Option<Timestamp>) -> String {
    let Some(at) = at else {
        return "<span class=\"soft\">never</span>".to_owned();
    };
    let iso = at.to_iso();
    format!(
        "<time datetime=\"{}\" title=\"{iso}\">{} ago</time>",
        machine_readable(&iso),
        duration(now, at)
    )
}

fn duration(later: Timestamp, earlier: Timestamp) -> String {
    let seconds = later.as_micros().saturating_sub(earlier.as_micros()).max(0) / 1_000_000;
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn milliseconds(seconds: f64) -> String {
    if seconds.is_infinite() {
        return "over 30 s".to_owned();
    }
    format!("{} ms", rounded(seconds * 1_000.0))
}

/// With as many digits as say something.
fn rounded(number: f64) -> String {
    match number {
        _ if number >= 100.0 => format!("{number:.0}"),
        _ if number >= 1.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_elsewhere_stays_text() {
        let hostile = "<img src=x onerror='a'>&\"\u{202e}\u{0}\r ü";
        assert_eq!(
            Text(hostile).to_string(),
            "&lt;img src=x onerror=&#39;a&#39;&gt;&amp;&quot;\u{fffd}\u{fffd}\u{fffd} ü"
        );
    }

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000).unwrap();
        for (seconds, text) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_200, "2 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(duration(at(seconds), at(0)), text);
        }
        // A clock that was set back.
        assert_eq!(duration(at(0), at(5)), "0 s");
        let shown = since(at(60), Some(at(0)));
        assert_eq!(
            shown,
            "<time datetime=\"1970-01-01T00:00:00.000Z\" title=\"1970-01-01T00:00:00.000000+00:00\">60 s ago</time>"
        );
        assert_eq!(
            moment(at(0)),
            "<time datetime=\"1970-01-01T00:00:00.000Z\">1970-01-01 00:00:00 UTC</time>"
        );
    }

    #[test]
    fn what_was_found_once_is_not_said_to_hold_now() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000).unwrap();
        let mut facts = Facts {
            now: at(60),
            started: at(0),
            ready: Ready {
                databases: Vec::new(),
            },
            pools: Vec::new(),
            report: Some(Arc::new(Report::of_nothing(at(0)))),
            problem: None,
            latencies: Vec::new(),
            jobs: Ok(Vec::new()),
            are_jobs_running: false,
            recent: Vec::new(),
        };
        let shown = |facts: &Facts| {
            let mut html = Html::default();
            promises(&mut html, facts);
            html.0
        };
        assert!(shown(&facts).contains("<span class=\"state good\">whole</span>"));
        facts.problem = Some("<gone>".to_owned());
        let old = shown(&facts);
        assert!(!old.contains("state good"), "{old}");
        for part in [
            "not up to date</span> &lt;gone&gt; This is the last report, made <time",
            ">60 s ago</time>.",
        ] {
            assert!(old.contains(part), "{part} is missing in {old}");
        }
    }

    #[test]
    fn figures_have_as_many_digits_as_say_something() {
        let shown: Vec<String> = [0.000_02, 0.001_234, 0.25, 1.0, f64::INFINITY]
            .map(milliseconds)
            .into();
        assert_eq!(shown, ["0.02 ms", "1.2 ms", "250 ms", "1000 ms", "over 30 s"]);
    }

    #[test]
    fn a_table_names_its_columns_in_every_cell() {
        let mut html = Html::default();
        let row = vec!["<code>a</code>".to_owned(), "1".to_owned()];
        html.table(&"c", &[text("Name"), number("Rows")], [row]);
        for part in [
            "<caption>c</caption>",
            "<th role=\"columnheader\" scope=\"col\" class=\"number\">Rows</th>",
            "<th role=\"rowheader\" scope=\"row\"><code>a</code></th>",
            "<td role=\"cell\" data-label=\"Rows\" class=\"number\">1</td>",
        ] {
            assert!(html.0.contains(part), "{part} is missing in {}", html.0);
        }
    }
}
