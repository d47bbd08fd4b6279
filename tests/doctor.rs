//! What `cutover doctor` finds in databases that have something wrong with them, and that it changes nothing.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on must fail, and say why"
)]

use std::collections::BTreeMap;
use std::path::Path;

use cutover::config::{Config, Flags};
use cutover::wiring::{Diagnosis, diagnose};
use cutover_ports::diagnosis::{Finding, Severity};
#[cfg(feature = "postgres")]
use cutover_tests::postgres::TestDatabase;
#[cfg(feature = "sqlite")]
use cutover_tests::store::TestFile;

/// The diagnoses with these settings, the SQLite file's first.
async fn doctor(sqlite: &Path, settings: &[(&str, &str)]) -> Vec<Diagnosis> {
    let mut flags = Flags::default();
    flags
        .settings
        .push(("lab.sqlite_path".to_owned(), sqlite.display().to_string(), "test"));
    for (key, value) in settings {
        flags
            .settings
            .push(((*key).to_owned(), (*value).to_owned(), "test"));
    }
    let config = Config::load(&flags, &BTreeMap::new()).unwrap();
    diagnose(&config).await.unwrap()
}

#[track_caller]
fn finding<'a>(diagnosis: &'a Diagnosis, severity: Severity, text: &str) -> &'a Finding {
    diagnosis
        .findings
        .iter()
        .find(|finding| finding.severity == severity && finding.text.contains(text))
        .unwrap_or_else(|| panic!("no {severity:?} of {text:?} in {diagnosis:#?}"))
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::*;

    #[tokio::test]
    async fn a_sound_file_is_sound_and_stays_as_it_is() {
        let file = TestFile::with_lab_schema().await;
        let before = std::fs::read(file.path()).unwrap();
        let diagnosis = doctor(&file.path(), &[]).await.remove(0);
        assert_eq!(diagnosis.severity(), Severity::Ok, "{diagnosis:#?}");
        finding(&diagnosis, Severity::Ok, "quick_check finds nothing wrong");
        finding(&diagnosis, Severity::Ok, "are free");
        assert_eq!(std::fs::read(file.path()).unwrap(), before);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_lies_beside_a_file_is_looked_for_where_the_file_is() {
        let file = TestFile::with_lab_schema().await;
        let open = file.raw();
        open.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE large AS SELECT zeroblob(300000)")
            .unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let link = elsewhere.path().join("link.db");
        std::os::unix::fs::symlink(file.path(), &link).unwrap();
        let diagnosis = doctor(&link, &[]).await.remove(0);
        let log = std::fs::metadata(format!("{}-wal", file.path().display())).unwrap();
        assert!(log.len() > 300_000);
        let journal = finding(&diagnosis, Severity::Ok, "write-ahead log, ");
        assert!(!journal.text.contains("log, 0 "), "{}", journal.text);
        finding(
            &diagnosis,
            Severity::Ok,
            &format!("{} is a SQLite database", link.display()),
        );
    }

    #[tokio::test]
    async fn broken_references_missing_tables_and_damage_are_told() {
        let file = TestFile::with_lab_schema().await;
        file.raw()
            .execute_batch(
                "PRAGMA foreign_keys = OFF; DROP TABLE chart_insights;
                CREATE TABLE child (id INTEGER PRIMARY KEY, parent TEXT REFERENCES synth_groups (id));
                INSERT INTO child VALUES (7, 'nowhere')",
            )
            .unwrap();
        let before = std::fs::read(file.path()).unwrap();
        let diagnosis = doctor(&file.path(), &[]).await.remove(0);
        finding(
            &diagnosis,
            Severity::Warning,
            "1 references lead nowhere: child (row 7) to synth_groups",
        );
        let missing = "parts of the lab's schema are missing: chart_insights (the table is missing)";
        let schema = finding(&diagnosis, Severity::Problem, missing);
        assert!(schema.advice.as_ref().unwrap().contains("cutover migrate check"));
        assert_eq!(std::fs::read(file.path()).unwrap(), before);
    }

    #[tokio::test]
    async fn an_empty_file_wants_a_migration() {
        let file = TestFile::empty();
        file.raw().execute_batch("CREATE TABLE mine (x)").unwrap();
        let diagnosis = doctor(&file.path(), &[]).await.remove(0);
        let tables = finding(&diagnosis, Severity::Warning, "17 of 17 are not there: ");
        assert!(tables.advice.as_ref().unwrap().contains("cutover migrate up"));
    }

    #[tokio::test]
    async fn what_is_no_database_is_told_as_such() {
        let file = TestFile::empty();
        let absent = doctor(&file.path(), &[]).await.remove(0);
        finding(&absent, Severity::Warning, "does not exist yet");
        let nowhere = doctor(Path::new("/no/such/directory/lab.db"), &[])
            .await
            .remove(0);
        finding(&nowhere, Severity::Problem, "nor does its directory");
        std::fs::write(
            file.path(),
            "just some text, long enough to be a header of a hundred bytes".repeat(3),
        )
        .unwrap();
        let text = doctor(&file.path(), &[]).await.remove(0);
        finding(&text, Severity::Unreachable, "not a SQLite database");
        // Damage in the middle of a file.
        let sound = TestFile::with_lab_schema().await;
        let mut bytes = std::fs::read(sound.path()).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 8192].fill(0x5a);
        std::fs::write(sound.path(), &bytes).unwrap();
        let damaged = doctor(&sound.path(), &[]).await.remove(0);
        assert!(damaged.severity() >= Severity::Problem, "{damaged:#?}");
        assert_eq!(std::fs::read(sound.path()).unwrap(), bytes);
    }

    #[tokio::test]
    async fn a_file_that_another_program_holds_is_unreachable() {
        let file = TestFile::with_lab_schema().await;
        let holder = file.raw();
        holder
            .execute_batch("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE")
            .unwrap();
        let diagnosis = doctor(&file.path(), &[("sqlite.busy_timeout_ms", "100")])
            .await
            .remove(0);
        finding(&diagnosis, Severity::Unreachable, "locked by another program");
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use super::*;

    /// The diagnosis of the PostgreSQL side.
    async fn doctor_of(url: &str, settings: &[(&str, &str)]) -> Diagnosis {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = settings.to_vec();
        settings.push(("postgres.url", url));
        let diagnosis = doctor(&directory.path().join("lab.db"), &settings)
            .await
            .pop()
            .unwrap();
        assert!(!format!("{diagnosis:?}").contains("sesame"), "{diagnosis:?}");
        diagnosis
    }

    #[tokio::test]
    async fn a_migrated_database_has_no_problem() {
        let database = cutover_tests::store::lab_database().await;
        let diagnosis = doctor_of(&database.url(), &[]).await;
        assert!(diagnosis.severity() <= Severity::Warning, "{diagnosis:#?}");
        finding(
            &diagnosis,
            Severity::Ok,
            "all 27 are there, to be read and written",
        );
        finding(&diagnosis, Severity::Ok, "UTF8");
        finding(&diagnosis, Severity::Ok, "clock agrees");
        finding(
            &diagnosis,
            Severity::Ok,
            "not encrypted, the server is on this machine",
        );
        finding(&diagnosis, Severity::Warning, "is a superuser");
    }

    #[tokio::test]
    async fn an_empty_database_wants_a_migration() {
        let database = TestDatabase::create().await;
        let diagnosis = doctor_of(&database.url(), &[]).await;
        finding(&diagnosis, Severity::Ok, "may make the schema cutover");
        let tables = finding(&diagnosis, Severity::Warning, "27 of 27 are not there: ");
        assert!(
            tables
                .advice
                .as_ref()
                .unwrap()
                .contains("cutover migrate up --on postgres")
        );
    }

    #[tokio::test]
    async fn a_role_without_rights_is_told_which_to_grant() {
        let database = cutover_tests::store::lab_database().await;
        let client = database.connect().await;
        let role = format!("poor_{}", database.name());
        client
            .batch_execute(&format!(
                "CREATE ROLE {role} LOGIN PASSWORD 'sesame' CONNECTION LIMIT 3;
                REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO {role};
                GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
                GRANT INSERT, UPDATE, DELETE ON synths TO {role}"
            ))
            .await
            .unwrap();
        let url = format!(
            "{}{}user={role}&password=sesame",
            database.url(),
            if database.url().contains('?') { '&' } else { '?' }
        );
        let diagnosis = doctor_of(&url, &[]).await;
        // Least rights: only migrations make tables, and these are all there.
        finding(
            &diagnosis,
            Severity::Ok,
            "may not make tables in the schema public",
        );
        let own = finding(&diagnosis, Severity::Problem, "may not use the schema cutover");
        assert_eq!(
            own.advice.as_deref(),
            Some(
                format!(
                    "GRANT USAGE ON SCHEMA cutover TO \"{role}\"; \
                     GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA cutover TO \"{role}\""
                )
                .as_str()
            )
        );
        let tables = finding(
            &diagnosis,
            Severity::Problem,
            "may not INSERT, UPDATE, DELETE on ",
        );
        assert!(
            tables.text.contains("synth_groups") && !tables.text.contains(" synths,"),
            "{tables:?}"
        );
        finding(&diagnosis, Severity::Problem, "the server allows 3");
        client
            .batch_execute(&format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, cutover TO {role};
                GRANT USAGE ON SEQUENCE conversations_position_seq TO {role}"
            ))
            .await
            .unwrap();
        let diagnosis = doctor_of(&url, &[]).await;
        let sequences = finding(&diagnosis, Severity::Problem, "rows cannot be inserted");
        assert_eq!(
            sequences.advice.as_deref(),
            Some(
                format!(
                    "run cutover migrate up --on postgres as the owner, or GRANT USAGE ON SEQUENCE messages_position_seq TO {role}"
                )
                .as_str()
            )
        );
        client
            .batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn another_encoding_and_a_read_only_database_are_problems() {
        let database = TestDatabase::create().await;
        let client = database.connect().await;
        let name = format!("{}_latin", database.name());
        client
            .batch_execute(&format!(
                "CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            ))
            .await
            .unwrap();
        client
            .batch_execute(&format!(
                "ALTER DATABASE {name} SET default_transaction_read_only = on"
            ))
            .await
            .unwrap();
        let diagnosis = doctor_of(&database.url().replace(database.name(), &name), &[]).await;
        finding(&diagnosis, Severity::Problem, "LATIN1");
        finding(&diagnosis, Severity::Problem, "takes no writes");
        let told = format!("{diagnosis:?}");
        assert!(
            !told.contains("the schema cutover"),
            "there is none, and none can be made: {told}"
        );
        client
            .batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)"))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_unreachable() {
        let diagnosis = doctor_of("postgres://me:sesame@127.0.0.1:1/lab", &[]).await;
        assert_eq!(diagnosis.severity(), Severity::Unreachable);
        let connection = finding(
            &diagnosis,
            Severity::Unreachable,
            "postgres://me@127.0.0.1:1/lab cannot be reached",
        );
        assert!(
            connection
                .advice
                .as_ref()
                .unwrap()
                .contains("check host and port")
        );
    }
}
