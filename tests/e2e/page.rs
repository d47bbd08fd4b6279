//! The status page as a browser shows it: a real Chromium, without a window.
//!
//! `CUTOVER_CHROMIUM` names another one. The pictures stay in `target/screenshots`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_tests::postgres::{TcpOptions, TestServer, TestServerOptions};
use cutover_tests::store::lab_database;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::http::Answer;
use crate::program::{Place, Service};
use crate::world;

/// A browser with nothing in it but what a test asks for.
struct Browser {
    profile: tempfile::TempDir,
}

impl Browser {
    fn new() -> Self {
        Self {
            profile: tempfile::tempdir().unwrap(),
        }
    }

    async fn run(&self, arguments: &[&str]) -> String {
        let program = std::env::var_os("CUTOVER_CHROMIUM").unwrap_or_else(|| "chromium".into());
        let output = Command::new(&program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args([
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--force-color-profile=srgb",
                "--enable-logging=stderr",
            ])
            .arg(format!("--user-data-dir={}", self.profile.path().display()))
            .args(arguments)
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(Duration::from_mins(2), output)
            .await
            .expect("the browser ends");
        let output = output.unwrap_or_else(|error| {
            panic!(
                "{}: {error}; install it (apt-get install chromium), tests/run does",
                program.display()
            )
        });
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{log}");
        // What the browser refuses, and what fails in a script, it tells its console.
        let console: Vec<&str> = log.lines().filter(|line| line.contains(":CONSOLE:")).collect();
        assert_eq!(console, [""; 0]);
        String::from_utf8(output.stdout).unwrap()
    }

    /// The page as it is after `milliseconds` of its own time.
    async fn dom(&self, url: &str, milliseconds: u32, more: &[&str]) -> String {
        let budget = format!("--virtual-time-budget={milliseconds}");
        let arguments = [more, &[&budget, "--dump-dom", url]].concat();
        self.run(&arguments).await
    }

    async fn picture(&self, url: &str, name: &str, size: (u32, u32), dark: bool) {
        let path = pictures().join(format!("{name}.png"));
        let screenshot = format!("--screenshot={}", path.display());
        let window = format!("--window-size={},{}", size.0, size.1);
        let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(!dark));
        self.run(&[&window, &scheme, &screenshot, url]).await;
        let bytes = std::fs::read(&path).unwrap();
        let side = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((side(16), side(20)), size, "{}", path.display());
    }
}

/// Where the pictures go.
fn pictures() -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_cutover"));
    let target = built.ancestors().nth(2).unwrap();
    let folder = target.join("screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn url(service: &Service) -> String {
    format!("http://{}/", service.address())
}

/// A service in the middle of a move, with something to see in every part of the page.
async fn in_the_middle(place: &Place, database: &str) -> Service {
    place.write(
        "cutover.toml",
        &format!("[sqlite]\npath = \"lab.db\"\n[postgres]\nurl = \"{database}\"\n[repositories]\ndefault = \"sqlite\"\n"),
    );
    place.run(["migrate", "up"]).await.with(0);
    world::populate_file(&place.path("lab.db"));
    place.run(["copy"]).await.with(0);
    place.run(["verify"]).await.with(0);
    world::file(&place.path("lab.db"))
        .execute_batch(
            "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;
             UPDATE synths SET synth_group_id = '<b>gone</b>' WHERE id = 'aaa111';
             UPDATE synths SET data = '{' WHERE id = 'ccc333';",
        )
        .unwrap();
    let service = place
        .serve(&[
            "--repository",
            "synth_groups=postgres",
            "--repository",
            "experiments=postgres",
        ])
        .await;
    for _ in 0..5 {
        service.get("/lab/synths/list").await.with(200);
        service.get("/lab/synth-groups/list").await.with(200);
        service.get("/lab/experiments/list").await.with(200);
    }
    service.ask("POST", "/ops/verify", None).await.with(403);
    service
}

#[tokio::test]
async fn a_browser_shows_how_things_stand() {
    let (place, database) = (Place::new(), lab_database().await);
    let service = in_the_middle(&place, &database.url()).await;
    let (browser, url) = (Browser::new(), url(&service));
    // The script has run: the content security policy lets it, and its line is not the one of the server.
    let page = browser.dom(&url, 1_000, &[]).await;
    assert!(page.contains("Updates itself every 5 seconds."), "{page}");
    for part in [
        "ready, data to look at",
        "Context lab",
        "schema lab: version 2 of 2",
        "<code>synth_groups</code>",
        "verified",
        "Rows that refer to rows which are not there",
        "json_valid",
        "95 % within",
        "readers of lab.db",
    ] {
        assert!(page.contains(part), "{part} is missing in:\n{page}");
    }
    // What a row holds is text.
    assert!(
        page.contains("&lt;b&gt;gone&lt;/b&gt;") && !page.contains("<b>gone"),
        "{page}"
    );
    // A row per table, and the ones that moved say so.
    let row = page
        .split("<tr")
        .find(|row| row.contains("<code>experiments</code>"))
        .unwrap();
    assert!(row.contains("PostgreSQL") && row.contains("ago"), "{row}");
    for (name, size) in [("phone", (390, 3600)), ("desktop", (1280, 1900))] {
        for (scheme, dark) in [("light", false), ("dark", true)] {
            browser
                .picture(&url, &format!("{name}-{scheme}"), size, dark)
                .await;
        }
    }
    let [light, dark] = ["phone-light", "phone-dark"]
        .map(|name| std::fs::read(pictures().join(format!("{name}.png"))).unwrap());
    assert!(light != dark, "both schemes look alike");
    service.stop().await;
}

/// Answers one request with `page`, as the service did, and none after it.
async fn serve_once(listener: TcpListener, page: Answer) {
    let text = page.text();
    let policy = page
        .headers
        .lines()
        .find(|line| line.starts_with("content-security-policy: "));
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\n{}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        policy.unwrap(),
        text.len()
    );
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        // A browser opens connections that it may need, too.
        let mut request = [0; 4096];
        if stream.read(&mut request).await.is_ok_and(|length| length > 0) {
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            return;
        }
    }
}

#[tokio::test]
async fn it_says_so_everywhere_when_the_service_is_gone() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    let page = service.get("/").await.with(200);
    service.stop().await;
    assert!(page.text().contains("<title>Cutover: ready</title>"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(serve_once(listener, page));
    let page = Browser::new().dom(&url, 8_000, &[]).await;
    serving.await.unwrap();
    assert!(page.contains("<title>Cutover: does not answer</title>"), "{page}");
    let first_tile = page.split("<li>").nth(1).unwrap();
    assert!(
        first_tile.contains("<span class=\"state bad\">does not answer</span>"),
        "{first_tile}"
    );
    assert!(page.contains("what is shown is old"), "{page}");
}

#[tokio::test]
async fn it_updates_itself() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    let (browser, url) = (Browser::new(), url(&service));
    let before = browser.dom(&url, 1_000, &[]).await;
    assert!(before.contains("Updates itself"), "{before}");
    let asked = |page: &str| {
        let line = page.lines().find(|line| {
            line.starts_with(r#"cutover_http_requests_total{method="GET",route="/",status="200"}"#)
        });
        line.unwrap().rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    let once = asked(&service.get("/metrics").await.text());
    browser.dom(&url, 16_000, &[]).await;
    let more = asked(&service.get("/metrics").await.text());
    assert!(more >= once + 3, "it was asked for {} times in 16 s", more - once);
    service.stop().await;
}

#[tokio::test]
async fn without_javascript_it_is_whole_and_loads_nothing_from_elsewhere() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    let answer = service.get("/").await.with(200);
    let page = answer.text();
    // Who reads it decides when it is loaded anew.
    assert!(page.contains(r#"<noscript><p><a href="/">Reload</a></p></noscript>"#));
    assert!(!page.contains("http-equiv"), "{page}");
    for part in [
        "<h1>Cutover</h1>",
        "Context lab",
        "<html lang=\"en\">",
        "name=\"viewport\"",
        "role=\"status\"",
        "<main>",
    ] {
        assert!(page.contains(part), "{part} is missing in:\n{page}");
    }
    let policy = answer
        .headers
        .lines()
        .find(|line| line.starts_with("content-security-policy: "))
        .unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    // Every script and style is one that the policy names, and none is in an attribute.
    let nonce = policy
        .split("script-src 'nonce-")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
    assert!(!page.contains(" style=") && !page.contains(" onclick") && !page.contains("//cdn"));
    assert_ne!(
        service.get("/").await.with(200).text().split("nonce=\"").nth(1),
        page.split("nonce=\"").nth(1)
    );
    // Nothing is nameless: every table has a caption, every section a heading.
    assert_eq!(page.matches("<table").count(), page.matches("<caption>").count());
    assert_eq!(
        page.matches("<section aria-labelledby").count(),
        page.matches("<h2 id=").count()
    );
    service.stop().await;
}

/// Whether a page fits a narrow screen with everything in it opened. A file may run a script that measures it; the browser's own window cannot
/// be as narrow.
async fn assert_it_fits_a_narrow_screen(place: &Place, page: &str) {
    let measure = "<script>for (const one of document.querySelectorAll('details')) one.open = true;
        parent.postMessage('measured ' + document.documentElement.scrollWidth + ' of ' + innerWidth, '*')</script>";
    let frame = "<title></title><script>onmessage = event => document.title = event.data</script>
        <iframe src=page.html style='width: 360px; height: 740px; border: 0'></iframe>";
    place.write(
        "page.html",
        &page.replace("</html>", &format!("{measure}</html>")),
    );
    place.write("frame.html", frame);
    let url = format!("file://{}", place.path("frame.html").display());
    let page = Browser::new().dom(&url, 1_000, &[]).await;
    let title = page.split("<title>measured ").nth(1).unwrap();
    let (needed, width) = title
        .split("</title>")
        .next()
        .unwrap()
        .split_once(" of ")
        .unwrap();
    let [needed, width] = [needed, width].map(|pixels| pixels.parse::<u32>().unwrap());
    assert!(width <= 360 && needed <= width, "{needed} of {width} pixels");
}

#[tokio::test]
async fn the_description_fits_a_narrow_screen() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    let docs = service.get("/docs").await.with(200).text();
    assert_it_fits_a_narrow_screen(&place, &docs).await;
    service.stop().await;
}

#[tokio::test]
async fn it_tells_of_troubles_without_making_any() {
    let mut server = TestServer::start(TestServerOptions {
        tcp: Some(TcpOptions::default()),
        ..TestServerOptions::default()
    })
    .await;
    let place = Place::new();
    let service = place.serve_on_postgres(&server.tcp_url()).await;
    service.get("/integrity").await.with(200);
    let page = service.get("/").await.with(200).text();
    assert!(page.contains("None runs at its time, only by hand"), "{page}");
    assert!(page.contains("state good\">whole</span>"), "{page}");
    server.kill_9().await;
    service.get("/").await.with(200);
    let page = service.get("/").await.with(200).text();
    // The report is from before.
    assert!(!page.contains("whole</span>"), "{page}");
    let integrity = page.split("<h2 id=\"integrity\">").nth(1).unwrap();
    let integrity = integrity.split("</section>").next().unwrap();
    assert!(
        integrity.contains("This is the last report, made <time"),
        "{integrity}"
    );
    assert!(
        page.contains("cannot be read</span> the store is unavailable"),
        "{page}"
    );
    assert_it_fits_a_narrow_screen(&place, &page).await;
    // Looking at it is no error of the service's.
    assert!(page.contains("<p>None since the start.</p>"), "{page}");
    service.get("/readyz").await.with(503);
    let page = service.get("/").await.with(200).text();
    assert!(page.contains("GET /readyz"), "{page}");
    // No heading stands two steps below the one before.
    assert!(!page.contains("<h3"), "{page}");
    service.stop().await;
}
