//! `cutover migrate`: the schemas of the configured databases, up and down.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use cutover_migrations::{
    Context, Dialect, Difference, Down, Drift, Outcome, Rows, State, Status, Target, check, create, down,
    sql, status, up,
};
use serde_json::{Value, json};

use super::output::Output;
use crate::config::{Backend, Config};
use crate::exit::{CliError, Exit};
use crate::wiring::MigrationTargets;

/// Make, change, undo and compare the schemas of the configured databases.
#[derive(Debug, Clone, Args)]
pub(super) struct MigrateArgs {
    #[command(subcommand)]
    command: MigrateCommand,
    /// Only this kind of database [default: PostgreSQL if it is configured, SQLite if a repository runs on it]
    #[arg(long, global = true, value_name = "sqlite|postgres", value_parser = backend)]
    on: Option<Backend>,
    /// Only this application's schema [default: all]
    #[arg(long, global = true, value_name = "NAME", value_parser = context)]
    context: Option<Context>,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Subcommand)]
enum MigrateCommand {
    /// Bring the schema to the newest version, or to another one; take over a file of the original application
    Up {
        /// Stop at this version
        #[arg(long, value_name = "VERSION")]
        to: Option<i64>,
    },
    /// Take versions back; one, unless told otherwise
    Down {
        /// Down to this version; 0 leaves nothing
        #[arg(long, value_name = "VERSION", conflicts_with = "steps")]
        to: Option<i64>,
        /// This many versions
        #[arg(long, value_name = "COUNT")]
        steps: Option<usize>,
        /// Although rows are lost with it
        #[arg(long)]
        discard_data: bool,
    },
    /// Show what was run, and what was begun and did not end
    Status,
    /// Compare the schema with what the scripts make; ends with 1 if it differs
    Check,
    /// Print the SQL that `up` or `down` would run, for psql and sqlite3; connects to nothing
    Sql {
        #[command(subcommand)]
        direction: SqlCommand,
    },
    /// Begin a new version of the schema that --context names: its up and down scripts for both databases, in a source checkout
    New {
        /// Its name, in words
        name: String,
        /// The checkout's folder of migrations
        #[arg(long, value_name = "FOLDER", default_value = "migrations")]
        folder: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum SqlCommand {
    /// Going up
    Up {
        /// The version that the database has
        #[arg(long, value_name = "VERSION", default_value_t = 0)]
        from: i64,
        /// The version it shall have [default: the newest]
        #[arg(long, value_name = "VERSION")]
        to: Option<i64>,
    },
    /// Going down
    Down {
        /// The version that the database has [default: the newest]
        #[arg(long, value_name = "VERSION")]
        from: Option<i64>,
        /// The version it shall have [default: the one before]
        #[arg(long, value_name = "VERSION")]
        to: Option<i64>,
    },
}

fn backend(name: &str) -> Result<Backend, String> {
    Backend::from_name(name).ok_or_else(|| "it is either sqlite or postgres".to_owned())
}

/// The context of that name.
pub(super) fn context(name: &str) -> Result<Context, String> {
    let names: Vec<&str> = Context::ALL.iter().map(|context| context.name).collect();
    Context::named(name).ok_or_else(|| format!("the schemas are: {}", names.join(", ")))
}

/// The results of a command, one per database and context.
#[derive(Debug, Default)]
struct Report {
    text: String,
    databases: Vec<Value>,
    wrong: bool,
}

impl MigrateArgs {
    /// Whether the command needs to know the databases.
    pub(super) fn is_offline(&self) -> bool {
        matches!(
            self.command,
            MigrateCommand::Sql { .. } | MigrateCommand::New { .. }
        )
    }

    fn contexts(&self) -> Vec<Context> {
        self.context
            .map_or_else(|| Context::ALL.to_vec(), |context| vec![context])
    }
}

/// What connects to nothing: `sql` and `new`.
pub(super) fn run_offline(args: &MigrateArgs) -> Result<Exit, CliError> {
    let output = Output::from_flag(args.json);
    match &args.command {
        MigrateCommand::Sql { direction } => print_sql(args, *direction, output),
        MigrateCommand::New { name, folder } => {
            let context = args.context.ok_or_else(|| {
                let text = "whose schema is it? Add --context lab, writer or market";
                CliError::new(Exit::Usage, text)
            })?;
            let created = create(folder, &context, name)?;
            let files: Vec<String> = created
                .files
                .iter()
                .map(|file| file.display().to_string())
                .collect();
            output.write(
                || {
                    format!(
                        "{}\nnow add {} to the versions of {} in {}",
                        files.join("\n"),
                        created.entry,
                        context.name,
                        folder.join("src/context.rs").display()
                    )
                },
                || json!({"ok": true, "context": context.name, "files": files, "entry": created.entry}),
            )?;
            Ok(Exit::Done)
        }
        _ => Err(CliError::new(Exit::Usage, "this command needs a database")),
    }
}

fn print_sql(args: &MigrateArgs, direction: SqlCommand, output: Output) -> Result<Exit, CliError> {
    let dialect = match args.on {
        Some(Backend::Sqlite) => Dialect::Sqlite,
        Some(Backend::Postgres) => Dialect::Postgres,
        None => {
            return Err(CliError::new(
                Exit::Usage,
                "for which database? say --on sqlite or --on postgres",
            ));
        }
    };
    let mut script = String::new();
    let newest = newest(args.contexts().iter());
    for context in args.contexts() {
        let (from, to) = match direction {
            SqlCommand::Up { from, to } => (from, to.unwrap_or_else(|| context.head())),
            SqlCommand::Down { from, to } => {
                let from = from.unwrap_or_else(|| context.head());
                (from, to.unwrap_or_else(|| context.before(from)))
            }
        };
        let (from, to) = (within(from, &context, newest), within(to, &context, newest));
        let goes_up = matches!(direction, SqlCommand::Up { .. });
        if goes_up && from > to || !goes_up && from < to {
            return Err(CliError::new(
                Exit::Usage,
                format!("version {to} does not lie that way from version {from}"),
            ));
        }
        script += &sql(&context, dialect, from, to)?;
    }
    output.write(|| script.clone(), || json!({"ok": true, "sql": script}))?;
    Ok(Exit::Done)
}

/// What works on databases.
pub(super) async fn run(args: &MigrateArgs, config: &Config) -> Result<Exit, CliError> {
    let chosen = chosen(args, config)?;
    let output = Output::from_flag(args.json);
    let mut report = Report::default();
    let mut result = Ok(());
    let newest = newest(chosen.iter().map(|(_, context)| context));
    for (target, context) in &chosen {
        result = one(args, target, context, newest, &mut report).await;
        if result.is_err() {
            break;
        }
    }
    // What was done before something failed was done.
    if result.is_ok() || !report.databases.is_empty() {
        let ok = result.is_ok() && !report.wrong;
        output.write(
            || report.text,
            || json!({"ok": ok, "databases": report.databases}),
        )?;
    }
    result.map(|()| if report.wrong { Exit::Wrong } else { Exit::Done })
}

/// The newest version that any of these has.
fn newest<'a>(contexts: impl Iterator<Item = &'a Context>) -> i64 {
    contexts.map(Context::head).max().unwrap_or(0)
}

/// A version asked of several contexts, for one of them: those with fewer versions stop at their newest. One that none of them has
/// stays, to be refused.
fn within(version: i64, context: &Context, newest: i64) -> i64 {
    if version > newest {
        version
    } else {
        version.min(context.head())
    }
}

/// The schemas that a command is about, each in its databases. PostgreSQL goes first: if it cannot be reached, nothing was changed.
fn chosen(args: &MigrateArgs, config: &Config) -> Result<Vec<(Target, Context)>, CliError> {
    let targets = MigrationTargets::from_config(config)?;
    let mut contexts = config.contexts();
    if let Some(wanted) = &args.context {
        contexts.retain(|context| context.schema.name == wanted.name);
        if contexts.is_empty() {
            let name = wanted.name;
            let text = format!("{name} is off in the configuration: turn it on with {name}.enabled = true");
            return Err(CliError::new(Exit::Usage, text));
        }
    }
    let mut chosen = Vec::new();
    for backend in [Backend::Postgres, Backend::Sqlite] {
        for context in &contexts {
            let wanted = match args.on {
                Some(on) => on == backend,
                None => backend == Backend::Postgres || context.uses(backend),
            };
            match targets.on(context, backend).filter(|_| wanted) {
                Some(target) => chosen.push((target, context.schema)),
                None if args.on == Some(backend) => {
                    return Err(CliError::new(
                        Exit::Usage,
                        format!("no {backend} database is configured; give its place with --{backend}"),
                    ));
                }
                None => {}
            }
        }
    }
    if matches!(args.command, MigrateCommand::Down { .. } | MigrateCommand::Check) {
        let is_there = |target: &Target| match target {
            Target::Sqlite { path } => path.exists(),
            Target::Postgres(_) => true,
        };
        // What was never made is not missed, as long as something is there.
        if chosen.iter().any(|(target, _)| is_there(target)) {
            chosen.retain(|(target, _)| is_there(target));
        }
    }
    Ok(chosen)
}

async fn one(
    args: &MigrateArgs,
    target: &Target,
    context: &Context,
    newest: i64,
    report: &mut Report,
) -> Result<(), CliError> {
    match &args.command {
        MigrateCommand::Up { to } => {
            let to = to.map(|to| within(to, context, newest));
            let outcome = up(target, context, to).await?;
            report.changed(target, context, &outcome);
        }
        MigrateCommand::Down {
            to,
            steps,
            discard_data,
        } => {
            let to = to.map(|to| within(to, context, newest));
            let how_far = to.map_or_else(|| Down::Steps(steps.unwrap_or(1)), Down::To);
            let rows = if *discard_data { Rows::Discard } else { Rows::Keep };
            let outcome = down(target, context, how_far, rows).await?;
            report.changed(target, context, &outcome);
        }
        MigrateCommand::Status => report.status(target, context, &status(target, context).await?),
        MigrateCommand::Check => report.drift(target, context, &check(target, context).await?),
        MigrateCommand::Sql { .. } | MigrateCommand::New { .. } => {}
    }
    Ok(())
}

impl Report {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// One database's result; every one begins in the same way.
    fn add(&mut self, target: &Target, context: &Context, result: Value) {
        let mut object = json!({"on": target.dialect().name(), "context": context.name});
        if let (Value::Object(object), Value::Object(result)) = (&mut object, result) {
            object.extend(result);
        }
        self.databases.push(object);
    }

    fn changed(&mut self, target: &Target, context: &Context, outcome: &Outcome) {
        self.line(format!(
            "{} in {target}: version {}",
            context.name, outcome.version
        ));
        if let Some(adopted) = &outcome.adopted {
            self.line(format!(
                "  took over {}; a copy of it as it was is in {}",
                adopted.recognised,
                adopted.backup.display()
            ));
            for broken in &adopted.broken {
                self.line(format!("    kept although a rule is broken: {broken}"));
            }
            for added in &adopted.added {
                self.line(format!("  added {added}"));
            }
        }
        for step in &outcome.steps {
            let (version, name, direction) = (step.version, step.name, step.direction.name());
            self.line(format!("  {direction} {version} {name} ({:.3} s)", step.seconds));
        }
        if outcome.steps.is_empty() {
            self.line("  nothing to do");
        }
        let steps: Vec<Value> = outcome
            .steps
            .iter()
            .map(|step| {
                json!({"version": step.version, "name": step.name, "direction": step.direction.name(),
                       "seconds": step.seconds})
            })
            .collect();
        let adopted = outcome.adopted.as_ref().map(|adopted| {
            json!({"recognised": adopted.recognised, "backup": adopted.backup.display().to_string(),
                   "added": adopted.added, "broken": adopted.broken})
        });
        let result = json!({"version": outcome.version, "steps": steps, "adopted": adopted});
        self.add(target, context, result);
    }

    fn status(&mut self, target: &Target, context: &Context, status: &Status) {
        let (current, head) = (status.current, status.head);
        self.line(format!(
            "{} in {target}: version {current} of {head}",
            context.name
        ));
        if status.running {
            let holder = status.holder.as_ref();
            let who = holder.map_or_else(String::new, |holder| format!(": {holder} holds its lock"));
            self.line(format!("  a migration is running just now{who}"));
        }
        if let Some(unadopted) = &status.unadopted {
            self.line(format!("  never migrated: {unadopted}"));
        }
        for version in &status.versions {
            let mut line = format!(
                "  {:>4} {:<24} {}",
                version.version,
                version.name,
                version.state.name()
            );
            for more in [&version.at, &version.detail].into_iter().flatten() {
                // Writing to a String cannot fail.
                write!(line, ", {more}").unwrap_or_default();
            }
            self.line(line);
            if let Some(advice) = advice(version.state).filter(|_| !status.running) {
                self.line(format!("       {advice}"));
            }
        }
        let sound = |state| matches!(state, State::Applied | State::Pending);
        self.wrong |= !status.running && !status.versions.iter().all(|version| sound(version.state));
        let versions: Vec<Value> = status
            .versions
            .iter()
            .map(|version| {
                json!({"version": version.version, "name": version.name, "state": version.state.name(),
                       "at": version.at, "detail": version.detail})
            })
            .collect();
        let result = json!({"current": current, "head": head, "running": status.running,
                            "held_by": status.holder.as_ref().map(ToString::to_string),
                            "unadopted": status.unadopted, "versions": versions});
        self.add(target, context, result);
    }

    fn drift(&mut self, target: &Target, context: &Context, drift: &Drift) {
        let verdict = match drift.differences.len() {
            0 => "as the scripts make it".to_owned(),
            1 => "1 difference".to_owned(),
            count => format!("{count} differences"),
        };
        self.line(format!(
            "{} in {target}: version {}, {verdict}",
            context.name, drift.version
        ));
        for (kind, found) in [
            ("differs", &drift.differences),
            ("weakened", &drift.weakened),
            ("note", &drift.notes),
        ] {
            for difference in found {
                let object = difference
                    .object
                    .as_ref()
                    .map_or_else(String::new, |object| format!(", {object}"));
                self.line(format!(
                    "  {kind}: {}{object}: {}",
                    difference.table, difference.what
                ));
            }
        }
        self.wrong |= !drift.differences.is_empty();
        let list = |found: &[Difference]| -> Vec<Value> {
            found
                .iter()
                .map(|difference| {
                    json!({"table": difference.table, "object": difference.object, "what": difference.what})
                })
                .collect()
        };
        let result = json!({"version": drift.version, "differences": list(&drift.differences),
                            "weakened": list(&drift.weakened), "notes": list(&drift.notes)});
        self.add(target, context, result);
    }
}

/// What to do about a version that is neither here nor there.
fn advice(state: State) -> Option<&'static str> {
    match state {
        State::Interrupted => Some("it was killed half-way: `up` runs it, `down` undoes what is there of it"),
        State::DownInterrupted => {
            Some("going down was killed half-way: `down` goes on, `up` keeps the version")
        }
        State::Failed => Some("nothing of it was kept; mend the cause and run `up` again"),
        State::Edited => Some("its script was edited after it was run; put the text back"),
        State::Unknown => Some("a newer program made it; use that one"),
        State::Applied | State::Pending => None,
    }
}
