//! `cutover doctor`: what is wrong with the configured databases, and what to do about it.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use cutover_ports::diagnosis::{Finding, Severity};
use serde_json::json;

use super::Output;
use crate::config::Config;
use crate::exit::{CliError, Exit};
use crate::startup;
use crate::wiring::{Diagnosis, diagnose};

/// Examine the configured databases, and whether the service would start, and say what to do about what is found; writes nothing.
///
/// Exits with 0 if there is no problem (warnings are none), 1 if there is one, 3 if a database cannot be reached.
#[derive(Debug, Clone, Args)]
pub(super) struct DoctorArgs {
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// Examines, prints what was found, and says how to exit.
pub(super) async fn run(args: &DoctorArgs, config: &Config) -> Result<Exit, CliError> {
    // At the same time: a server that does not answer is waited for once.
    let (diagnoses, start) = tokio::join!(diagnose(config), start(config));
    let mut diagnoses = diagnoses?;
    diagnoses.push(start);
    Output::from_flag(args.json).write(|| text(&diagnoses), || document(&diagnoses))?;
    Ok(exit(&diagnoses))
}

/// Whether the service would start.
async fn start(config: &Config) -> Diagnosis {
    let findings = match startup::examine(config, Duration::ZERO).await {
        Ok(start) => {
            let remark = |remark: startup::Remark| Finding::warning("start", remark.text, remark.advice);
            let mut findings: Vec<Finding> = start.remarks.into_iter().map(remark).collect();
            findings.push(Finding::ok("start", "nothing is in the way of cutover serve"));
            findings
        }
        Err(error) => vec![Finding {
            check: "start",
            severity: if error.exit == Exit::Unreachable {
                Severity::Unreachable
            } else {
                Severity::Problem
            },
            text: format!(
                "cutover serve would end with {}: {}",
                error.exit.code(),
                error.message
            ),
            advice: None,
        }],
    };
    Diagnosis {
        database: "the service".to_owned(),
        findings,
    }
}

fn exit(diagnoses: &[Diagnosis]) -> Exit {
    match diagnoses.iter().map(Diagnosis::severity).max() {
        None | Some(Severity::Ok | Severity::Warning) => Exit::Done,
        Some(Severity::Problem) => Exit::Wrong,
        Some(Severity::Unreachable) => Exit::Unreachable,
    }
}

fn text(diagnoses: &[Diagnosis]) -> String {
    let mut lines = String::new();
    for diagnosis in diagnoses {
        // Writing to a String cannot fail.
        writeln!(lines, "{}", diagnosis.database).unwrap_or_default();
        for Finding {
            check,
            severity,
            text,
            advice,
        } in &diagnosis.findings
        {
            let text = text.replace('\n', "\n              ");
            writeln!(lines, "  {:<11} {check}: {text}", severity.name()).unwrap_or_default();
            if let Some(advice) = advice {
                writeln!(lines, "  {:<11} → {advice}", "").unwrap_or_default();
            }
        }
    }
    let all = || diagnoses.iter().flat_map(|diagnosis| &diagnosis.findings);
    let warnings = all()
        .filter(|finding| finding.severity == Severity::Warning)
        .count();
    let problems = all()
        .filter(|finding| finding.severity > Severity::Warning)
        .count();
    writeln!(lines, "{problems} problems, {warnings} warnings").unwrap_or_default();
    lines
}

fn document(diagnoses: &[Diagnosis]) -> serde_json::Value {
    let databases: Vec<serde_json::Value> = diagnoses
        .iter()
        .map(|diagnosis| {
            let findings: Vec<serde_json::Value> = diagnosis
                .findings
                .iter()
                .map(|finding| {
                    json!({
                        "check": finding.check,
                        "severity": finding.severity.name(),
                        "text": finding.text,
                        "advice": finding.advice,
                    })
                })
                .collect();
            json!({ "name": diagnosis.database, "severity": diagnosis.severity().name(), "findings": findings })
        })
        .collect();
    json!({ "ok": exit(diagnoses) == Exit::Done, "databases": databases })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnosis(findings: Vec<Finding>) -> Vec<Diagnosis> {
        vec![Diagnosis {
            database: "the database".to_owned(),
            findings,
        }]
    }

    #[test]
    fn the_worst_finding_decides_the_exit() {
        let fine = Finding::ok("tls", "encrypted");
        let warning = Finding::warning("clock", "late", "set it");
        let problem = Finding::problem("rights", "none", "grant some");
        let gone = Finding::new("connection", Severity::Unreachable, "nobody answers", "start it");
        assert_eq!(exit(&[]), Exit::Done);
        assert_eq!(exit(&diagnosis(vec![fine.clone(), warning.clone()])), Exit::Done);
        assert_eq!(exit(&diagnosis(vec![problem.clone(), fine.clone()])), Exit::Wrong);
        assert_eq!(
            exit(&diagnosis(vec![gone, problem, warning, fine])),
            Exit::Unreachable
        );
    }

    #[test]
    fn both_forms_name_check_finding_and_remedy() {
        let found = diagnosis(vec![Finding::problem("rights", "none", "grant some")]);
        assert_eq!(
            text(&found),
            "the database\n  problem     rights: none\n              → grant some\n1 problems, 0 warnings\n"
        );
        let expected = json!({
            "ok": false,
            "databases": [{
                "name": "the database",
                "severity": "problem",
                "findings": [
                    { "check": "rights", "severity": "problem", "text": "none", "advice": "grant some" }
                ],
            }],
        });
        assert_eq!(document(&found), expected);
    }
}
