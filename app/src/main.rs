//! The command `cutover`.

use cutover::cli::{self, Exit};

#[tokio::main]
async fn main() -> Exit {
    // A variable that is not UTF-8 is none of ours.
    let environment =
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    cli::run(std::env::args_os(), environment.collect()).await
}
