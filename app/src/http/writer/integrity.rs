//! `/writer/integrity`: whether every row has its file and every file its row.

use std::io::ErrorKind;

use axum::extract::State;
use serde::Serialize;
use tokio::fs;
use utoipa::ToSchema;

use super::files::use_case;
use super::uploads::{UNFINISHED, Uploads};
use super::{TAG, internal, refuse};
use crate::http::App;
use crate::http::error::HttpError;
use crate::http::json::Json;
use crate::usecase::writer::files::Files;

/// So many are looked at together.
const AT_ONCE: u32 = 500;
/// So many of each kind are named.
const NAMED: usize = 100;

/// How the rows and the folder of the uploads agree.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Integrity {
    /// Whether they do.
    ok: bool,
    /// Whether nothing but a folder is in the folder's place; none is made before the first upload.
    folder: bool,
    /// How many rows there are.
    files: u64,
    /// Rows whose file is not in the folder.
    missing: Named,
    /// Rows whose file has another length than it is noted with.
    wrong_size: Named,
    /// Files that no row knows of.
    orphans: Named,
    /// Files whose upload ended half-way, or is under way.
    unfinished: Named,
}

/// How many there are, and the names of the first hundred.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Named {
    /// How many there are.
    count: u64,
    /// The first hundred.
    names: Vec<String>,
}

impl Named {
    fn add(&mut self, name: &str) {
        self.count += 1;
        if self.names.len() < NAMED {
            self.names.push(name.to_owned());
        }
    }
}

/// Whether every row of a file has its file and every file its row.
#[utoipa::path(get, path = "/integrity", tag = TAG, responses((status = 200, body = Integrity)))]
pub(super) async fn integrity(State(app): State<App>) -> Result<Json<Integrity>, HttpError> {
    let files = use_case(&app);
    let folder = Uploads(&app.uploads);
    let mut found = Integrity::default();
    rows(&files, folder, &mut found).await?;
    entries(&files, folder, &mut found).await?;
    let wrong = [&found.missing, &found.wrong_size, &found.orphans];
    found.ok = found.folder && wrong.iter().all(|named| named.count == 0);
    Ok(Json(found))
}

async fn rows(files: &Files, folder: Uploads<'_>, found: &mut Integrity) -> Result<(), HttpError> {
    let mut after: Option<String> = None;
    loop {
        let page = files.list(after, AT_ONCE).await.map_err(refuse)?;
        for file in &page.files {
            found.files += 1;
            let noted = file.size.known().and_then(|size| u64::try_from(*size).ok());
            match folder.length(&file.id).await.map_err(|error| failed(&error))? {
                None => found.missing.add(&file.id),
                length if length != noted => found.wrong_size.add(&file.id),
                Some(_) => {}
            }
        }
        if page.next.is_none() {
            return Ok(());
        }
        after = page.next;
    }
}

async fn entries(files: &Files, folder: Uploads<'_>, found: &mut Integrity) -> Result<(), HttpError> {
    let entries = fs::read_dir(folder.0).await;
    let kind = entries.as_ref().map_err(std::io::Error::kind).err();
    found.folder = kind != Some(ErrorKind::NotADirectory);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(_) if matches!(kind, Some(ErrorKind::NotFound | ErrorKind::NotADirectory)) => return Ok(()),
        Err(error) => return Err(failed(&error)),
    };
    let mut batch: Vec<String> = Vec::new();
    loop {
        let entry = entries.next_entry().await.map_err(|error| failed(&error))?;
        let is_last = entry.is_none();
        if let Some(entry) = entry {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(UNFINISHED) {
                found.unfinished.add(&name);
            } else {
                batch.push(name);
            }
        }
        if is_last || batch.len() >= AT_ONCE as usize {
            let known = files.known(&batch).await.map_err(refuse)?;
            let orphans = batch.iter().filter(|name| !known.contains(*name));
            orphans.for_each(|name| found.orphans.add(name));
            batch.clear();
        }
        if is_last {
            return Ok(());
        }
    }
}

fn failed(error: &std::io::Error) -> HttpError {
    tracing::error!(%error, "the folder of the uploads cannot be read");
    internal()
}
