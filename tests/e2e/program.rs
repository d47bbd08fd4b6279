//! Running the program: once to its end, or as a service.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// Longer than anything here takes, shorter than somebody's patience with a hanging test.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A working directory of its own, in which nothing of this machine's environment is set.
#[derive(Debug)]
pub(crate) struct Place {
    directory: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The files in it, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn command<A: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(&str, &str)],
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cutover"));
        command
            .args(arguments)
            .env_clear()
            .envs(environment.iter().copied())
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the program to its end.
    pub(crate) async fn run<A: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Ended {
        self.run_in(arguments, &[]).await
    }

    /// Runs the program to its end with these environment variables.
    pub(crate) async fn run_in<A: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(&str, &str)],
    ) -> Ended {
        let begun = Instant::now();
        let output = tokio::time::timeout(PATIENCE, self.command(arguments, environment).output());
        let output = output.await.expect("the program ends").unwrap();
        Ended::new(&output, begun.elapsed())
    }

    /// Runs the program to its end as another user of the machine.
    pub(crate) async fn run_by<A: AsRef<std::ffi::OsStr>>(
        &self,
        user: Option<u32>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Ended {
        let mut command = self.command(arguments, &[]);
        if let Some(user) = user {
            command.uid(user);
        }
        let begun = Instant::now();
        let output = tokio::time::timeout(PATIENCE, command.output()).await;
        Ended::new(&output.expect("the program ends").unwrap(), begun.elapsed())
    }

    /// Starts the service with every repository on a PostgreSQL database that it makes the schemas in.
    pub(crate) async fn serve_on_postgres(&self, url: &str) -> Service {
        self.run(["migrate", "up", "--on", "postgres", "--postgres", url])
            .await
            .with(0);
        self.serve(&["--postgres", url, "--repository", "default=postgres"])
            .await
    }

    /// Starts the service on a port of the system's choice and waits until it says that it serves.
    pub(crate) async fn serve(&self, arguments: &[&str]) -> Service {
        let all = ["serve", "--listen", "127.0.0.1:0"].iter().chain(arguments);
        let mut service = Service::spawn(&mut self.command(all, &[]));
        if !service.serves().await {
            let status = service.child.wait().await.unwrap();
            panic!("the service ended with {status}:\n{}", service.log());
        }
        service
    }
}

impl Ended {
    fn new(output: &Output, took: Duration) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the program writes UTF-8");
        let ended = Self {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            took,
        };
        for stream in [&ended.stdout, &ended.stderr] {
            assert!(!stream.contains("panicked"), "{ended:?}");
        }
        ended
    }

    /// Ended with this code.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "standard output:\n{}\nstandard error:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Standard output as the one JSON document that it must be.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// The lines on standard error that are the program's own word, not its log.
    pub(crate) fn said(&self) -> Vec<&str> {
        self.stderr
            .lines()
            .filter(|line| !line.contains(" INFO ") && !line.contains(" WARN "))
            .collect()
    }
}

/// A running service. Killed with the value.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    log: Arc<Mutex<String>>,
    address: watch::Receiver<String>,
}

impl Service {
    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (found, address) = watch::channel(String::new());
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let kept = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some((_, address)) = line.split_once(" serving address=") {
                    found.send_replace(address.to_owned());
                } else if let Some((_, rest)) = line.split_once(r#""serving","address":""#) {
                    found.send_replace(rest.split('"').next().unwrap().to_owned());
                }
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        Self { child, log, address }
    }

    /// Waits until the service serves; false if it ends instead.
    async fn serves(&mut self) -> bool {
        let found = self.address.wait_for(|address| !address.is_empty());
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("it does not start")).is_ok()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        self.address.borrow().clone()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("the service runs")
    }

    /// Sends it a signal: `TERM`, `INT`, `KILL`.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.await.unwrap().success());
    }

    /// Waits for its end: the exit code and the log.
    pub(crate) async fn ended(mut self) -> (Option<i32>, String) {
        let status = tokio::time::timeout(PATIENCE, self.child.wait());
        let status = status.await.expect("the service ends").unwrap();
        // The log's last lines are read when the pipe closes, and then the sender is gone.
        while self.address.changed().await.is_ok() {}
        let log = self.log();
        assert!(!log.contains("panicked"), "{log}");
        (status.code(), log)
    }

    /// Stops it as a supervisor does, and expects a clean end.
    pub(crate) async fn stop(self) -> String {
        self.signal("TERM").await;
        let (code, log) = self.ended().await;
        assert_eq!(code, Some(0), "{log}");
        log
    }
}
