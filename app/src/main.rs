//! The command `cutover`.

use std::io::Write as _;

use cutover::cli;
use cutover::exit::Exit;
use mimalloc::MiMalloc;
use tokio::runtime::Runtime;

/// Rows are allocated by the threads that read them and freed by those that answer. Where these share an arena, as with the
/// system's allocator, a GET of an experiment takes half as long again.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> Exit {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            writeln!(std::io::stderr(), "cutover: cannot start: {error}").unwrap_or_default();
            return Exit::Wrong;
        }
    };
    let exit = runtime.block_on(cli::run(std::env::args_os(), std::env::vars_os()));
    // The look-up of a host's name cannot be broken off, and nobody waits for it any more.
    runtime.shutdown_background();
    exit
}
