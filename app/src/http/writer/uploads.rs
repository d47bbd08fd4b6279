//! The folder of the uploaded files: each lies in it under its id, and nowhere else.

use std::path::{Path, PathBuf};

use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt as _;

/// The folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Uploads<'a>(pub(super) &'a Path);

/// A file that is being uploaded. It lies under a name of its own until it is whole, and goes with this value if it is not kept.
#[derive(Debug)]
pub(super) struct Pending {
    file: File,
    path: PathBuf,
    kept: bool,
}

/// How the names of unfinished files end.
pub(super) const UNFINISHED: &str = ".part";

impl Uploads<'_> {
    /// Begins a file. The folder is made if it is not there: somebody may have removed it since the last time.
    pub(super) async fn begin(&self, name: &str) -> std::io::Result<Pending> {
        fs::create_dir_all(self.0).await?;
        let path = self.0.join(format!("{name}{UNFINISHED}"));
        let file = File::options().write(true).create_new(true).open(&path).await?;
        Ok(Pending {
            file,
            path,
            kept: false,
        })
    }

    /// Removes a file that nobody knows of.
    pub(super) async fn remove(&self, id: &str) -> std::io::Result<()> {
        fs::remove_file(self.0.join(id)).await
    }

    /// The length of a file, if it is there. An id of an old row may be any text; one that is no plain name is no file's.
    pub(super) async fn length(&self, id: &str) -> std::io::Result<Option<u64>> {
        let plain = !id.is_empty() && !id.contains(['/', '\\', '\0']) && id != "." && id != "..";
        if !plain {
            return Ok(None);
        }
        match fs::symlink_metadata(self.0.join(id)).await {
            Ok(found) => Ok(found.is_file().then_some(found.len())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            // Longer than any name can be.
            Err(error) if error.kind() == std::io::ErrorKind::InvalidFilename => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Pending {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes).await
    }

    /// Keeps the file, whole and on the disk, under its id.
    pub(super) async fn keep(mut self, id: &str) -> std::io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        let whole = self.path.with_file_name(id);
        fs::rename(&self.path, whole).await?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "an unfinished upload stays behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_kept_goes_and_what_is_kept_stays() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a/b");
        let uploads = Uploads(&below);
        let mut dropped = uploads.begin("x").await.unwrap();
        dropped.write(b"12").await.unwrap();
        drop(dropped);
        assert_eq!(std::fs::read_dir(&below).unwrap().count(), 0);
        std::fs::remove_dir_all(&below).unwrap();
        let mut kept = uploads.begin("x").await.unwrap();
        kept.write(b"12").await.unwrap();
        kept.write(b"3").await.unwrap();
        kept.keep("x").await.unwrap();
        assert_eq!(std::fs::read(below.join("x")).unwrap(), b"123");
        assert_eq!(uploads.length("x").await.unwrap(), Some(3));
        uploads.remove("x").await.unwrap();
        assert_eq!(uploads.length("x").await.unwrap(), None);
    }

    #[tokio::test]
    async fn no_id_leads_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        let below = folder.path().join("uploads");
        std::fs::create_dir(&below).unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), below.join("link")).unwrap();
        let absolute = folder.path().join("secret").display().to_string();
        for id in [
            "../secret",
            &absolute,
            "..",
            ".",
            "",
            "a\0b",
            "link",
            &"x".repeat(5000),
        ] {
            assert_eq!(Uploads(&below).length(id).await.unwrap(), None, "{id}");
        }
    }
}
