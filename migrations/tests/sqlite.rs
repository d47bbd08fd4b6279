//! Migrating SQLite files.
#![cfg(feature = "sqlite")]

use cutover_migrations::{Context, Target, up};

#[tokio::test]
async fn up_makes_the_schema_and_once_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target::Sqlite {
        path: folder.path().join("lab.db"),
    };
    let first = up(&target, &Context::LAB, None).await.unwrap();
    assert_eq!(
        first.steps.iter().map(|step| step.version).collect::<Vec<_>>(),
        [1, 2]
    );
    let second = up(&target, &Context::LAB, None).await.unwrap();
    assert!(second.steps.is_empty());
    assert_eq!(second.version, 2);
}

#[tokio::test]
async fn runs_at_once_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.db");
    let runs = (0..6).map(|_| {
        let target = Target::Sqlite { path: path.clone() };
        tokio::spawn(async move { up(&target, &Context::LAB, None).await.unwrap().steps.len() })
    });
    let mut scripts = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        scripts.push(run.await.unwrap());
    }
    scripts.sort_unstable();
    assert_eq!(scripts, [0, 0, 0, 0, 0, 2]);
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["lab.db"], "no side file stays behind");
}
