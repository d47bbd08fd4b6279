//! `cutover serve`: the storage service.

use std::sync::Arc;

use clap::Args;
use cutover_ports::clock::{Clock, Ids as _};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::logging::{self, Observers};
use super::verify::verify_configured;
use crate::config::Config;
use crate::exit::{CliError, Exit};
use crate::http::{self, App, AppParts, MarketService, Observed};
use crate::integrity::Examinations;
use crate::jobs::Scheduler;
use crate::readiness::Readiness;
use crate::startup;
use crate::usecase::market::MarketRules;
use crate::verification::Verification;
use crate::wiring::{Databases, RandomIds, Routing, SystemClock, job_clock, price_source};

/// Serve the repositories over HTTP until SIGTERM or SIGINT.
#[derive(Debug, Clone, Args)]
pub(super) struct ServeArgs {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<String>,
    /// Start although a repository has rows in the other database that are not known to be where it is routed to
    #[arg(long)]
    pub(super) accept_empty: bool,
}

impl ServeArgs {
    /// What the flags set.
    pub(super) fn settings(&self) -> Vec<(&'static str, String, &'static str)> {
        let listen = self
            .listen
            .iter()
            .map(|address| ("server.listen", address.clone(), "--listen"));
        let accept = self
            .accept_empty
            .then(|| ("accept_empty", "true".to_owned(), "--accept-empty"));
        listen.chain(accept).collect()
    }
}

/// Opens the databases, listens, serves.
pub(super) async fn run(config: &Config) -> Result<Exit, CliError> {
    let Observers {
        metrics,
        recent,
        traces,
    } = logging::start_service(config)?;
    let databases = startup::open(config).await?;
    let routing = Arc::new(Routing::new(databases.repositories(config)?));
    let market = market_service(config, &routing, &databases).await?;
    let scheduler = market.scheduler.clone();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let shared = Arc::new(config.clone());
    let examinations = Examinations::new(Arc::clone(&shared), Arc::clone(&clock));
    let compared = Arc::clone(&shared);
    let compare = move || {
        let config = Arc::clone(&compared);
        async move {
            verify_configured(&config)
                .await
                .map_err(|error| error.to_string())
        }
    };
    let verification = Verification::new(compare, Arc::clone(&clock));
    let app = App::new(AppParts {
        routing,
        market,
        databases: databases.clone(),
        observed: Observed {
            metrics: metrics.clone(),
            recent,
            readiness: Readiness::new(Arc::clone(&shared), databases.clone()),
            examinations: examinations.clone(),
            verification: verification.clone(),
            config: shared,
            started: clock.now(),
        },
        clock,
        ids: Arc::new(RandomIds),
        avatars: config.lab.avatars.clone().into(),
        uploads: config.writer.uploads.clone().into(),
        upload_limit: config.writer.upload_limit,
        contexts: config
            .contexts()
            .iter()
            .map(|context| context.schema.name)
            .collect(),
    });
    let cannot_listen = |error: std::io::Error| {
        let address = config.server.listen;
        CliError::new(
            Exit::Usage,
            format!("cannot listen on {address}: {error}; choose another with --listen"),
        )
    };
    let listener = TcpListener::bind(config.server.listen)
        .await
        .map_err(cannot_listen)?;
    // With port 0 the system chooses one, and it is the chosen one that somebody needs to know.
    let address = listener.local_addr().map_err(cannot_listen)?;
    let stop = stop_signal().map_err(|error| CliError::new(Exit::Wrong, format!("no signals: {error}")))?;
    let mut upkeep = vec![
        tokio::spawn(metrics.keep_up()),
        tokio::spawn(examinations.clone().keep_up()),
    ];
    if config.writer.enabled {
        let (uploads, patience) = (
            config.writer.uploads.clone().into(),
            config.server.request_timeout,
        );
        upkeep.push(tokio::spawn(http::keep_tidy(uploads, patience)));
    }
    tracing::info!(%address, "serving");
    let stop_jobs = CancellationToken::new();
    let jobs = scheduler.map(|scheduler| {
        let stop = stop_jobs.clone();
        tokio::spawn(async move { scheduler.run(stop).await })
    });
    http::serve(listener, http::router(app), stop, &config.server).await;
    stop_jobs.cancel();
    if let Some(jobs) = jobs
        && tokio::time::timeout(config.server.shutdown_timeout, jobs)
            .await
            .is_err()
    {
        tracing::warn!("a job did not end in time; another instance will take it over");
    }
    // Whoever reads a file holds it open, and only the last one to close it brings the log into it.
    tokio::join!(verification.close(), examinations.close());
    for task in upkeep {
        task.abort();
    }
    databases.close().await;
    if let Some(traces) = traces {
        traces.finish().await;
    }
    tracing::info!("stopped");
    Ok(Exit::Done)
}

/// What the market's interface needs besides its repositories. Without the table of runs there are no jobs: a file of the
/// original application is served as it is.
async fn market_service(
    config: &Config,
    routing: &Arc<Routing>,
    databases: &Databases,
) -> Result<MarketService, CliError> {
    let market = &config.market;
    let prices = price_source(market)?;
    let rules = Arc::new(MarketRules {
        symbol: market.symbol.clone(),
        timetable: market.timetable.clone(),
        retention_days: market.retention_days,
    });
    let scheduler = match routing.market().job_runs.list(None, 1).await {
        Ok(_) if market.enabled => {
            let routing = Arc::clone(routing);
            Some(Arc::new(Scheduler::new(
                Arc::new(move || routing.market()),
                Arc::clone(&prices),
                job_clock(databases, market.routing.job_runs).await,
                Arc::clone(&rules),
                market.jobs.clone(),
                format!("{}-{}", std::process::id(), RandomIds.hex(8)),
            )))
        }
        Ok(_) => None,
        Err(error) => {
            if market.enabled {
                tracing::warn!(%error, "no jobs: their runs cannot be noted; run `cutover migrate up` first");
            }
            None
        }
    };
    Ok(MarketService {
        enabled: market.enabled,
        name: market.app_name.clone(),
        frontend_origin: market.frontend_origin.clone(),
        prices,
        rules,
        completed: Arc::default(),
        scheduler,
    })
}

/// Resolves when the process is asked to stop.
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
