//! The dependency rule (docs/decisions/0001): domain ← ports ← adapters ← app, adapters never see each other, drivers stay in
//! their adapter, and a repository has its file in every layer. The compiler cannot say all of this, so the manifests and the
//! sources are read here.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails where its preparation fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Each crate of ours, and those of ours that it may depend on, for whatever purpose.
const LAYERS: &[(&str, &[&str])] = &[
    ("cutover-domain", &[]),
    ("cutover-ports", &["cutover-domain"]),
    ("cutover-sqlite", &["cutover-domain", "cutover-ports"]),
    ("cutover-postgres", &["cutover-domain", "cutover-ports"]),
    ("cutover-prices", &["cutover-domain", "cutover-ports"]),
    ("cutover-migrations", &[]),
    (
        "cutover",
        &[
            "cutover-domain",
            "cutover-ports",
            "cutover-sqlite",
            "cutover-postgres",
            "cutover-prices",
            "cutover-migrations",
            // For its end-to-end tests; for anything else it would be a circle, which cargo refuses.
            "cutover-tests",
        ],
    ),
    (
        "cutover-tests",
        &[
            "cutover-domain",
            "cutover-ports",
            "cutover-sqlite",
            "cutover-postgres",
            "cutover-migrations",
            "cutover",
        ],
    ),
];

/// Drivers, and the only crates that may depend on them.
const DRIVERS: &[(&[&str], &[&str])] = &[
    (
        &["sqlx", "sqlx-core", "sqlx-postgres", "sqlx-sqlite"],
        &["cutover-migrations"],
    ),
    (
        &["rusqlite", "libsqlite3-sys"],
        &["cutover-sqlite", "cutover-tests"],
    ),
    (
        &[
            "tokio-postgres",
            "deadpool",
            "deadpool-postgres",
            "postgres-types",
            "tokio-postgres-rustls",
        ],
        &["cutover-postgres", "cutover-tests"],
    ),
];

/// What a crate must not depend on to stay what it is.
const BANNED: &[(&str, &[&str])] = &[
    (
        "cutover-domain",
        &["tokio", "async-trait", "futures-util", "axum", "clap", "tracing"],
    ),
    ("cutover-ports", &["tokio", "axum", "clap"]),
];

/// Crates besides domain and ports that a use case may name: they say how, not where to.
const USE_CASE_CRATES: &[&str] = &[
    "cutover_domain",
    "cutover_ports",
    "thiserror",
    "async_trait",
    "futures_util",
    "tracing",
];

/// The contexts.
const CONTEXTS: &[&str] = &["lab", "writer", "market"];

/// Where a file of a context must have its namesake: the folder of the context's name in each of these.
const LAYER_FOLDERS: &[&str] = &[
    "domain/src",
    "ports/src",
    "adapters/sqlite/src",
    "adapters/postgres/src",
    "tests/contract",
];

/// Files of a context that belong to no repository, each with the one folder it may stand in.
const WITHOUT_NAMESAKES: &[(&str, &str)] = &[
    // The language in which synths are searched, and what each database makes of it.
    ("domain/src/lab", "synth_filter.rs"),
    ("adapters/sqlite/src/lab", "synth_filter.rs"),
    ("adapters/postgres/src/lab", "synth_filter.rs"),
    // Rules about the market as a whole: its calendar, and what is computed from what is stored.
    ("domain/src/market", "accuracy.rs"),
    ("domain/src/market", "calendar.rs"),
    ("domain/src/market", "day.rs"),
    ("domain/src/market", "forecast.rs"),
    ("domain/src/market", "suggestion.rs"),
    // Where prices come from; its adapters are a crate of their own.
    ("ports/src/market", "price_source.rs"),
];

#[derive(Debug)]
struct Package {
    name: String,
    dependencies: BTreeSet<String>,
}

/// Mistakes in the manifests.
fn manifest_mistakes(packages: &[Package]) -> Vec<String> {
    let mut mistakes = Vec::new();
    for Package { name, dependencies } in packages {
        let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| layer == name) else {
            mistakes.push(format!(
                "{name} is in no layer: say in tests/architecture.rs what it may depend on"
            ));
            continue;
        };
        for dependency in dependencies {
            let ours = LAYERS.iter().any(|(layer, _)| layer == dependency);
            if ours && !allowed.contains(&dependency.as_str()) {
                mistakes.push(format!(
                    "{name} must not depend on {dependency}: it may see {allowed:?} only"
                ));
            }
            for (drivers, users) in DRIVERS {
                if drivers.contains(&dependency.as_str()) && !users.contains(&name.as_str()) {
                    mistakes.push(format!(
                        "{name} must not depend on {dependency}: that is for {users:?} only"
                    ));
                }
            }
            let banned = BANNED
                .iter()
                .any(|(of, banned)| of == name && banned.contains(&dependency.as_str()));
            if banned {
                mistakes.push(format!(
                    "{name} must not depend on {dependency}: it is to stay free of I/O"
                ));
            }
        }
    }
    for (layer, _) in LAYERS {
        if !packages.iter().any(|package| package.name == *layer) {
            mistakes.push(format!(
                "{layer} is a layer in tests/architecture.rs and no crate"
            ));
        }
    }
    mistakes
}

/// Mistakes in one file of `app/src`; `path` is below the repository, `dependencies` are the app's, as Rust names them.
fn app_source_mistakes(path: &str, text: &str, dependencies: &BTreeSet<String>) -> Vec<String> {
    let mut mistakes = Vec::new();
    for (number, line) in code_lines(text) {
        let place = format!("{path}:{number}");
        if !path.starts_with("app/src/wiring") {
            for adapter in ["cutover_sqlite", "cutover_postgres", "cutover_prices"] {
                if identifiers(line).any(|(word, _)| word == adapter) {
                    mistakes.push(format!(
                        "{place} names {adapter}: only app/src/wiring may, pass it a port instead"
                    ));
                }
            }
        }
        if path.starts_with("app/src/usecase") {
            mistakes
                .extend(use_case_mistakes(line, dependencies).map(|mistake| format!("{place} {mistake}")));
        }
    }
    mistakes
}

fn use_case_mistakes<'a>(
    line: &'a str,
    dependencies: &'a BTreeSet<String>,
) -> impl Iterator<Item = String> + 'a {
    identifiers(line).filter_map(|(word, rest)| {
        let next = rest.strip_prefix("::")?;
        if word == "crate" && !next.starts_with("usecase") {
            let module = identifiers(next).next().map_or("*", |(module, _)| module);
            return Some(format!(
                "names crate::{module}: a use case may import only domain and ports"
            ));
        }
        let foreign = dependencies.contains(word) && !USE_CASE_CRATES.contains(&word);
        foreign.then(|| format!("names {word}: a use case may import only domain and ports"))
    })
}

/// The lines before the unit tests that are not comments, with their numbers.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let code = lines.take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    code.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The words of a line, each with what follows it. Of a path only the first: in `a::b` there is no `b`.
fn identifiers(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = line;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(is_part)?;
            let is_first = !rest[..start].ends_with("::");
            let word = &rest[start..];
            let end = word.find(|c| !is_part(c)).unwrap_or(word.len());
            let (word, after) = word.split_at(end);
            // `::` after the word stays for the next round, which has to see it.
            rest = after;
            if is_first {
                return Some((word, after));
            }
        }
    })
}

/// Mistakes in the folders of a context: `files` holds the names of the Rust files of each, `without_namesakes` those that
/// need no namesake.
fn namesake_mistakes(
    files: &BTreeMap<String, BTreeSet<String>>,
    without_namesakes: &[(&str, &str)],
) -> Vec<String> {
    let all = files
        .iter()
        .flat_map(|(folder, names)| names.iter().map(move |name| (folder.as_str(), name.as_str())));
    let repositories: BTreeSet<&str> = all
        .filter(|place| place.1 != "mod.rs" && !without_namesakes.contains(place))
        .map(|(_, name)| name)
        .collect();
    let mut mistakes = Vec::new();
    for name in repositories {
        let (with, without): (Vec<_>, Vec<_>) = files.iter().partition(|(_, names)| names.contains(name));
        let with: Vec<&str> = with.into_iter().map(|(folder, _)| folder.as_str()).collect();
        let missing = without
            .iter()
            .map(|(folder, _)| format!("{folder}/{name} is missing: {name} stands in {with:?}"));
        mistakes.extend(missing);
    }
    for (folder, name) in without_namesakes {
        if !files.get(*folder).is_some_and(|names| names.contains(*name)) {
            mistakes.push(format!(
                "{folder}/{name} is an exception in tests/architecture.rs and no file"
            ));
        }
    }
    mistakes
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &serde_json::Value| value["name"].as_str().unwrap().to_owned();
    let package = |package: &serde_json::Value| Package {
        name: name(package),
        dependencies: package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .map(name)
            .collect(),
    };
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(package)
        .collect()
}

/// The Rust files below a folder of the repository, by their path in it.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(repository().join(folder)).expect(folder) {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            found.extend(sources(&path));
        } else if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "rs")
        {
            found.push((path, fs::read_to_string(entry.path()).unwrap()));
        }
    }
    found
}

fn assert_none(mistakes: &[String]) {
    assert!(
        mistakes.is_empty(),
        "the dependency rule is broken:\n  {}",
        mistakes.join("\n  ")
    );
}

#[test]
fn crates_depend_inwards_and_drivers_stay_in_their_adapter() {
    assert_none(&manifest_mistakes(&packages()));
}

#[test]
fn only_wiring_names_adapters_and_use_cases_see_only_domain_and_ports() {
    let packages = packages();
    let app = packages.iter().find(|package| package.name == "cutover").unwrap();
    let dependencies: BTreeSet<String> = app
        .dependencies
        .iter()
        .map(|name| name.replace('-', "_"))
        .collect();
    let sources = sources("app/src");
    assert!(
        sources.iter().any(|(path, _)| path.starts_with("app/src/wiring")),
        "the wiring has moved"
    );
    let mistakes = sources
        .iter()
        .flat_map(|(path, text)| app_source_mistakes(path, text, &dependencies));
    assert_none(&mistakes.collect::<Vec<_>>());
}

#[test]
fn every_repository_has_its_file_in_every_layer() {
    for context in CONTEXTS {
        let names = |layer: &&str| {
            let folder = format!("{layer}/{context}");
            let names = sources(&folder)
                .into_iter()
                .map(|(path, _)| path[folder.len() + 1..].to_owned())
                .collect();
            (folder, names)
        };
        let without: Vec<(&str, &str)> = WITHOUT_NAMESAKES
            .iter()
            .copied()
            .filter(|(folder, _)| folder.ends_with(&format!("/{context}")))
            .collect();
        assert_none(&namesake_mistakes(
            &LAYER_FOLDERS.iter().map(names).collect(),
            &without,
        ));
    }
}

/// Each rule can fail: the checks on made-up input.
mod rules {
    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            dependencies: set(dependencies),
        }
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// The mistakes of a workspace in which one crate depends on something.
    fn with(name: &str, dependency: &str) -> Vec<String> {
        let packages: Vec<Package> = LAYERS
            .iter()
            .map(|(layer, allowed)| {
                let mut package = package(layer, allowed);
                package.dependencies.insert("serde".to_owned());
                if *layer == name {
                    package.dependencies.insert(dependency.to_owned());
                }
                package
            })
            .collect();
        manifest_mistakes(&packages)
    }

    fn app(path: &str, text: &str) -> Vec<String> {
        app_source_mistakes(
            path,
            text,
            &set(&["axum", "thiserror", "cutover_ports", "cutover_sqlite", "serde"]),
        )
    }

    #[test]
    fn a_good_workspace_has_no_mistakes() {
        assert_eq!(with("cutover", "axum"), Vec::<String>::new());
        assert_eq!(with("cutover-tests", "rusqlite"), Vec::<String>::new());
    }

    #[test]
    fn a_dependency_outwards_is_found() {
        for (name, dependency) in [
            ("cutover-domain", "cutover-ports"),
            ("cutover-ports", "cutover-sqlite"),
            ("cutover-sqlite", "cutover-postgres"),
            ("cutover-postgres", "cutover-sqlite"),
            ("cutover-sqlite", "cutover"),
            ("cutover-migrations", "cutover-domain"),
        ] {
            let mistakes = with(name, dependency);
            assert_eq!(mistakes.len(), 1, "{mistakes:?}");
            assert!(
                mistakes[0].starts_with(&format!("{name} must not depend on {dependency}:")),
                "{mistakes:?}"
            );
        }
    }

    #[test]
    fn a_driver_in_the_wrong_crate_is_found() {
        for (name, dependency) in [
            ("cutover", "sqlx"),
            ("cutover-tests", "sqlx"),
            ("cutover-sqlite", "sqlx-sqlite"),
            ("cutover", "rusqlite"),
            ("cutover-postgres", "rusqlite"),
            ("cutover", "tokio-postgres"),
            ("cutover-migrations", "deadpool"),
            ("cutover-domain", "tokio"),
            ("cutover-ports", "tokio"),
        ] {
            let mistakes = with(name, dependency);
            assert_eq!(mistakes.len(), 1, "{mistakes:?}");
            assert!(
                mistakes[0].starts_with(&format!("{name} must not depend on {dependency}:")),
                "{mistakes:?}"
            );
        }
    }

    #[test]
    fn a_crate_that_nobody_placed_is_found() {
        let mut packages: Vec<Package> = LAYERS.iter().map(|(layer, _)| package(layer, &[])).collect();
        packages.push(package("cutover-shared", &[]));
        assert_eq!(manifest_mistakes(&packages).len(), 1);
        packages.truncate(LAYERS.len() - 1);
        assert_eq!(
            manifest_mistakes(&packages),
            ["cutover-tests is a layer in tests/architecture.rs and no crate"]
        );
    }

    #[test]
    fn an_adapter_named_outside_wiring_is_found() {
        let text =
            "//! Not cutover_sqlite.\n\nfn open() { let x = (cutover_sqlite::Database::open(), 1); }\n";
        let expected =
            "app/src/http/mod.rs:3 names cutover_sqlite: only app/src/wiring may, pass it a port instead";
        assert_eq!(app("app/src/http/mod.rs", text), [expected]);
        assert_eq!(app("app/src/cli/a.rs", "use cutover_postgres as pg;").len(), 1);
        assert_eq!(app("app/src/wiring/databases.rs", text), Vec::<String>::new());
        assert_eq!(
            app("app/src/http/mod.rs", "let my_cutover_sqlite = 1;"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_use_case_that_looks_outside_is_found() {
        let good = "use crate::usecase::UseCaseError;\nuse cutover_ports::lab::X;\nuse std::fmt;\nfn f() -> Y::serde {}\n\
            #[cfg(test)]\nmod tests { use axum::Json; }\n";
        assert_eq!(app("app/src/usecase/lab/synths.rs", good), Vec::<String>::new());
        for (bad, named) in [
            ("use crate::http::Error;", "crate::http"),
            ("use crate::{config, usecase};", "crate::config"),
            ("fn f(x: axum::Json<u8>) {}", "axum"),
            ("use serde::Serialize;", "serde"),
        ] {
            let mistakes = app("app/src/usecase/lab/synths.rs", bad);
            assert_eq!(mistakes.len(), 1, "{bad}: {mistakes:?}");
            assert!(
                mistakes[0].starts_with(&format!("app/src/usecase/lab/synths.rs:1 names {named}:")),
                "{mistakes:?}"
            );
            assert_eq!(app("app/src/http/lab.rs", bad), Vec::<String>::new());
        }
    }

    #[test]
    fn a_repository_that_is_missing_in_a_layer_is_found() {
        let mut files: BTreeMap<String, BTreeSet<String>> = LAYER_FOLDERS
            .iter()
            .map(|layer| (format!("{layer}/lab"), set(&["mod.rs", "synth.rs"])))
            .collect();
        let without = [("domain/src/lab", "relations.rs")];
        files
            .get_mut("domain/src/lab")
            .unwrap()
            .insert("relations.rs".to_owned());
        assert_eq!(namesake_mistakes(&files, &without), Vec::<String>::new());
        files
            .get_mut("adapters/postgres/src/lab")
            .unwrap()
            .remove("synth.rs");
        let mistakes = namesake_mistakes(&files, &without);
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert!(
            mistakes[0].starts_with("adapters/postgres/src/lab/synth.rs is missing:"),
            "{mistakes:?}"
        );
        files
            .get_mut("adapters/postgres/src/lab")
            .unwrap()
            .insert("synths.rs".to_owned());
        let mistakes = namesake_mistakes(&files, &without).join("\n");
        assert!(
            mistakes.contains("ports/src/lab/synths.rs is missing:"),
            "{mistakes}"
        );
        files.get_mut("domain/src/lab").unwrap().remove("relations.rs");
        assert!(
            namesake_mistakes(&files, &without)
                .iter()
                .any(|mistake| mistake.contains("an exception"))
        );
    }
}
