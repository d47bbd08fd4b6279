//! The folder of the uploaded files: each lies in it under its id, and nowhere else.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_domain::writer::is_uuid;
use tokio::fs::{self, File};
use tokio::io::{self, AsyncSeekExt as _, AsyncWriteExt as _};

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
        make_folder(self.0).await?;
        let path = self.0.join(format!("{name}{UNFINISHED}"));
        Ok(Pending {
            file: new_file(&path).await?,
            path,
            kept: false,
        })
    }

    /// Removes the unfinished files that nobody has written to for `age`: a process that was killed has left them.
    pub(super) async fn remove_abandoned(&self, age: Duration) -> std::io::Result<()> {
        let mut entries = match fs::read_dir(self.0).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        while let Some(entry) = entries.next_entry().await? {
            if !entry.file_name().to_str().is_some_and(is_unfinished) {
                continue;
            }
            match remove_if_older(&entry, age).await {
                // Its upload has ended meanwhile, or another instance was faster.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        Ok(())
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
            // Without a folder, or with something else in its place, no file is there.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            // Longer than any name can be.
            Err(error) if error.kind() == ErrorKind::InvalidFilename => Ok(None),
            Err(error) => Err(error),
        }
    }
}

async fn new_file(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true).open(path).await
}

/// Makes a folder, and those above it that are not there, so that they are there after a power cut as well.
async fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut changed = Vec::new();
    for missing in folder.ancestors() {
        if fs::try_exists(missing).await? {
            break;
        }
        changed.extend(missing.parent());
    }
    fs::create_dir_all(folder).await?;
    for above in changed {
        sync_folder(above).await?;
    }
    Ok(())
}

/// Waits until the names in a folder are on the disk: what is written to a file is found again by its name only. Some systems do not
/// offer that for every folder.
async fn sync_folder(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let is_here = folder.as_os_str().is_empty();
        let folder = if is_here { Path::new(".") } else { folder };
        let synced = async { File::open(folder).await?.sync_all().await };
        match synced.await {
            Err(error) if is_not_offered(error.kind()) => {}
            synced => synced?,
        }
    }
    Ok(())
}

#[cfg(unix)]
fn is_not_offered(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported
    )
}

async fn remove_if_older(entry: &fs::DirEntry, age: Duration) -> std::io::Result<()> {
    let found = entry.metadata().await?;
    // A time to come is no age.
    if found.is_file() && found.modified()?.elapsed().is_ok_and(|since| since > age) {
        fs::remove_file(entry.path()).await?;
        tracing::info!(path = %entry.path().display(), "an upload that was never finished is removed");
    }
    Ok(())
}

/// Whether a file's name is one that `begin` gives: of an id, and of a number.
fn is_unfinished(name: &str) -> bool {
    let stem = name
        .strip_suffix(UNFINISHED)
        .and_then(|stem| stem.split_once('.'));
    stem.is_some_and(|(id, number)| {
        is_uuid(id) && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
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
        match fs::rename(&self.path, &whole).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.restore().await?;
                fs::rename(&self.path, &whole).await?;
            }
            renamed => renamed?,
        }
        self.path = whole;
        if let Some(folder) = self.path.parent() {
            sync_folder(folder).await?;
        }
        self.kept = true;
        Ok(())
    }

    /// Writes the file once more: somebody took it away, or its folder, but what was written is there for whoever has it open.
    async fn restore(&mut self) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            make_folder(folder).await?;
        }
        let mut restored = new_file(&self.path).await?;
        self.file.rewind().await?;
        io::copy(&mut self.file, &mut restored).await?;
        restored.flush().await?;
        restored.sync_all().await?;
        self.file = restored;
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != ErrorKind::NotFound
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

    /// What happens to the names in a folder, and to it, in this order.
    #[cfg(target_os = "linux")]
    struct Watched(std::os::fd::OwnedFd);

    #[cfg(target_os = "linux")]
    impl Watched {
        fn new(folder: &Path) -> Self {
            use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
            let watch = init(CreateFlags::NONBLOCK).unwrap();
            let flags = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::OPEN;
            add_watch(&watch, folder, flags).unwrap();
            Self(watch)
        }

        /// What came into the folder, or that it was opened itself.
        fn events(&self) -> Vec<String> {
            use rustix::fs::inotify::{ReadFlags, Reader};
            let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
            let mut reader = Reader::new(&self.0, &mut buffer);
            let mut events = Vec::new();
            while let Ok(event) = reader.next() {
                let name = event.file_name().map(|name| name.to_str().unwrap());
                let is_opened = event.events().contains(ReadFlags::OPEN);
                match name {
                    Some(name) if !is_opened => events.push(name.to_owned()),
                    None if is_opened => events.push("opened".to_owned()),
                    _ => {}
                }
            }
            events
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_folder_is_synced_behind_every_new_name_in_it() {
        let place = tempfile::tempdir().unwrap();
        let above = Watched::new(place.path());
        let folder = place.path().join("a/b");
        let uploads = Uploads(&folder);
        let pending = uploads.begin("x.1").await.unwrap();
        assert_eq!(above.events(), ["a", "opened"]);
        let within = Watched::new(&folder);
        pending.keep("x").await.unwrap();
        assert_eq!(within.events(), ["x", "opened"]);
        drop(uploads.begin("y.1").await.unwrap());
        assert_eq!(within.events(), ["y.1.part"]);
        assert!(above.events().is_empty(), "it was there");
        let nowhere = sync_folder(&place.path().join("nowhere")).await;
        assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn what_somebody_takes_away_meanwhile_is_kept_all_the_same() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("uploads");
        let uploads = Uploads(&folder);
        for take_away in [
            |folder: &Path| std::fs::remove_dir_all(folder).unwrap(),
            |folder: &Path| std::fs::rename(folder, folder.with_extension("old")).unwrap(),
            |folder: &Path| std::fs::remove_file(folder.join("x.1.part")).unwrap(),
        ] {
            let mut pending = uploads.begin("x.1").await.unwrap();
            pending.write(b"12").await.unwrap();
            take_away(&folder);
            pending.write(b"3").await.unwrap();
            pending.keep("x").await.unwrap();
            assert_eq!(std::fs::read(folder.join("x")).unwrap(), b"123");
            assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        }
    }

    #[tokio::test]
    async fn what_nobody_writes_to_any_more_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = Uploads(folder.path());
        let id = "00000000-0000-4000-8000-000000000001";
        let abandoned = format!("{id}.1.part");
        let others = [
            format!("{id}.2.part"),
            format!("{id}.part"),
            id.to_owned(),
            "notes.1.part".to_owned(),
        ];
        for name in others.iter().chain([&abandoned]) {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let hour = Duration::from_hours(1);
        let before = std::time::SystemTime::now() - hour * 2;
        for name in others[1..].iter().chain([&abandoned]) {
            let file = std::fs::File::options()
                .write(true)
                .open(folder.path().join(name));
            file.unwrap().set_modified(before).unwrap();
        }
        uploads.remove_abandoned(hour).await.unwrap();
        for name in &others {
            assert!(folder.path().join(name).exists(), "{name}");
        }
        assert!(!folder.path().join(&abandoned).exists());
        Uploads(&folder.path().join("nowhere"))
            .remove_abandoned(hour)
            .await
            .unwrap();
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
