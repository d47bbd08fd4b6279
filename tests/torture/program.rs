//! Running the program to its end.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

/// Longer than anything here takes, shorter than somebody's patience with a hanging test.
const PATIENCE: Duration = Duration::from_mins(2);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program in `directory`, with nothing of this machine's environment set; as the user `uid` if one is given.
pub(crate) async fn run(directory: &Path, uid: Option<u32>, arguments: &[&OsStr]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cutover"));
    command
        .args(arguments)
        .env_clear()
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(uid) = uid {
        command.uid(uid).gid(uid);
    }
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output
        .unwrap_or_else(|_| panic!("{arguments:?} does not end"))
        .unwrap();
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes).unwrap_or_else(|error| panic!("{arguments:?} writes UTF-8: {error}"))
    };
    let ended = Ended {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    for stream in [&ended.stdout, &ended.stderr] {
        assert!(!stream.contains("panicked"), "{arguments:?}: {ended:?}");
    }
    ended
}

impl Ended {
    /// Ended with this code.
    #[track_caller]
    pub(crate) fn with(self, code: i32, what: &str) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "{what}\nstandard output:\n{}\nstandard error:\n{}",
            shortened(&self.stdout),
            shortened(&self.stderr)
        );
        self
    }

    /// Standard output as the one JSON document that it must be.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!(
                "standard output is no JSON document ({error}): {}\nstandard error:\n{}",
                self.stdout, self.stderr
            )
        })
    }
}

/// Enough of a text to see what is wrong.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(4_000) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
