//! Which backend each repository runs on.

use std::fmt;

use super::settings::Settings;

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// The embedded file.
    Sqlite,
    /// The server.
    Postgres,
}

impl Backend {
    /// Reads `sqlite` or `postgres`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            _ => None,
        }
    }
}

impl Backend {
    /// `sqlite` or `postgres`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The lab's routing: a field per repository, so that one without a route does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabRouting {
    /// Cached analysis results.
    pub analysis_cache: Backend,
    /// Analysis runs.
    pub analysis_runs: Backend,
    /// Chart insights.
    pub chart_insights: Backend,
    /// Experiment documents.
    pub experiment_documents: Backend,
    /// Experiments.
    pub experiments: Backend,
    /// Explorations with their scenario nodes.
    pub explorations: Backend,
    /// Interview guides.
    pub interview_guides: Backend,
    /// PR/FAQ documents.
    pub prfaqs: Backend,
    /// Region analyses.
    pub region_analyses: Backend,
    /// Research executions with their transcripts.
    pub research_executions: Backend,
    /// Feature scorecards.
    pub scorecards: Backend,
    /// Sensitivity results.
    pub sensitivity_results: Backend,
    /// Simulation runs.
    pub simulations: Backend,
    /// Groups of synths.
    pub synth_groups: Backend,
    /// Synth outcomes.
    pub synth_outcomes: Backend,
    /// Synths.
    pub synths: Backend,
}

/// The routing of a context: a struct with a field per repository, seen as a list.
pub trait ContextRouting: Copy + Sized + 'static {
    /// Every repository of the context. Their names and tables are those of no other context.
    const ROUTES: &'static [Route<Self>];

    /// Each repository where `backend` says, by its configured name.
    fn from_fn(backend: impl FnMut(&'static str) -> Backend) -> Self;

    /// Everything on one backend.
    fn all(backend: Backend) -> Self {
        Self::from_fn(|_| backend)
    }

    /// Every repository, and where it runs.
    fn repositories(&self) -> Vec<Repository> {
        let repository = |route: &Route<Self>| Repository {
            name: route.name,
            tables: route.tables,
            backend: (route.backend)(self),
        };
        Self::ROUTES.iter().map(repository).collect()
    }
}

/// A repository: its name in the configuration, its tables, and where the routing keeps it.
#[derive(Debug, Clone, Copy)]
pub struct Route<R> {
    /// The name in `[repositories]`.
    pub name: &'static str,
    /// The tables that it alone reads and writes.
    pub tables: &'static [&'static str],
    /// Its backend in a routing.
    pub backend: fn(&R) -> Backend,
}

const fn route<R>(
    name: &'static str,
    tables: &'static [&'static str],
    backend: fn(&R) -> Backend,
) -> Route<R> {
    Route {
        name,
        tables,
        backend,
    }
}

/// A repository, routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repository {
    /// The name in `[repositories]`.
    pub name: &'static str,
    /// The tables that it alone reads and writes.
    pub tables: &'static [&'static str],
    /// Where it runs.
    pub backend: Backend,
}

/// Reads `repositories.<name>` for each repository of a context, and `default` for the others.
pub(super) fn routing_from<R: ContextRouting>(settings: &mut Settings, default: Backend) -> R {
    R::from_fn(|name| {
        settings
            .parsed(
                &format!("repositories.{name}"),
                "\"sqlite\" or \"postgres\"",
                Backend::from_name,
            )
            .unwrap_or(default)
    })
}

impl ContextRouting for LabRouting {
    const ROUTES: &'static [Route<Self>] = &[
        route("analysis_cache", &["analysis_cache"], |r| r.analysis_cache),
        route("analysis_runs", &["analysis_runs"], |r| r.analysis_runs),
        route("chart_insights", &["chart_insights"], |r| r.chart_insights),
        route("experiment_documents", &["experiment_documents"], |r| {
            r.experiment_documents
        }),
        route("experiments", &["experiments"], |r| r.experiments),
        route("explorations", &["explorations", "scenario_nodes"], |r| {
            r.explorations
        }),
        route("interview_guides", &["interview_guide"], |r| r.interview_guides),
        route("prfaqs", &["prfaq_metadata"], |r| r.prfaqs),
        route("region_analyses", &["region_analyses"], |r| r.region_analyses),
        route(
            "research_executions",
            &["research_executions", "transcripts"],
            |r| r.research_executions,
        ),
        route("scorecards", &["feature_scorecards"], |r| r.scorecards),
        route("sensitivity_results", &["sensitivity_results"], |r| {
            r.sensitivity_results
        }),
        route("simulations", &["simulation_runs"], |r| r.simulations),
        route("synth_groups", &["synth_groups"], |r| r.synth_groups),
        route("synth_outcomes", &["synth_outcomes"], |r| r.synth_outcomes),
        route("synths", &["synths"], |r| r.synths),
    ];

    fn from_fn(mut backend: impl FnMut(&'static str) -> Backend) -> Self {
        Self {
            analysis_cache: backend("analysis_cache"),
            analysis_runs: backend("analysis_runs"),
            chart_insights: backend("chart_insights"),
            experiment_documents: backend("experiment_documents"),
            experiments: backend("experiments"),
            explorations: backend("explorations"),
            interview_guides: backend("interview_guides"),
            prfaqs: backend("prfaqs"),
            region_analyses: backend("region_analyses"),
            research_executions: backend("research_executions"),
            scorecards: backend("scorecards"),
            sensitivity_results: backend("sensitivity_results"),
            simulations: backend("simulations"),
            synth_groups: backend("synth_groups"),
            synth_outcomes: backend("synth_outcomes"),
            synths: backend("synths"),
        }
    }
}

/// The writer's routing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterRouting {
    /// Conversations with their messages.
    pub conversations: Backend,
    /// What is known of uploaded files.
    pub files: Backend,
}

impl ContextRouting for WriterRouting {
    const ROUTES: &'static [Route<Self>] = &[
        route("conversations", &["conversations", "messages"], |r| {
            r.conversations
        }),
        route("files", &["file_metadata"], |r| r.files),
    ];

    fn from_fn(mut backend: impl FnMut(&'static str) -> Backend) -> Self {
        Self {
            conversations: backend("conversations"),
            files: backend("files"),
        }
    }
}

/// The market's routing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarketRouting {
    /// What models predicted.
    pub ai_predictions: Backend,
    /// Models that predictions are compared with.
    pub baseline_models: Backend,
    /// The days with the logs of their prices.
    pub daily_predictions: Backend,
    /// Runs of the jobs.
    pub job_runs: Backend,
    /// How good models were.
    pub model_performance: Backend,
}

impl ContextRouting for MarketRouting {
    const ROUTES: &'static [Route<Self>] = &[
        route("ai_predictions", &["ai_predictions"], |r| r.ai_predictions),
        route("baseline_models", &["baseline_models"], |r| r.baseline_models),
        route("daily_predictions", &["daily_predictions", "price_logs"], |r| {
            r.daily_predictions
        }),
        route("job_runs", &["job_runs"], |r| r.job_runs),
        route("model_performance", &["model_performance"], |r| {
            r.model_performance
        }),
    ];

    fn from_fn(mut backend: impl FnMut(&'static str) -> Backend) -> Self {
        Self {
            ai_predictions: backend("ai_predictions"),
            baseline_models: backend("baseline_models"),
            daily_predictions: backend("daily_predictions"),
            job_runs: backend("job_runs"),
            model_performance: backend("model_performance"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_repository_has_a_route_and_a_key<R: ContextRouting>() {
        for route in R::ROUTES {
            let only = R::from_fn(|name| {
                if name == route.name {
                    Backend::Postgres
                } else {
                    Backend::Sqlite
                }
            });
            let moved: Vec<Repository> = only
                .repositories()
                .into_iter()
                .filter(|repository| repository.backend == Backend::Postgres)
                .collect();
            assert_eq!(moved.len(), 1, "{}", route.name);
            assert_eq!((moved[0].name, moved[0].tables), (route.name, route.tables));
        }
        let mut asked = 0;
        R::from_fn(|_| {
            asked += 1;
            Backend::Sqlite
        });
        assert_eq!(R::ROUTES.len(), asked);
    }

    #[test]
    fn every_repository_of_the_lab_has_a_route_and_a_key() {
        every_repository_has_a_route_and_a_key::<LabRouting>();
    }

    #[test]
    fn every_repository_of_the_writer_has_a_route_and_a_key() {
        every_repository_has_a_route_and_a_key::<WriterRouting>();
    }

    #[test]
    fn every_repository_of_the_market_has_a_route_and_a_key() {
        every_repository_has_a_route_and_a_key::<MarketRouting>();
    }

    #[test]
    fn no_two_contexts_share_a_name_or_a_table() {
        let mut all = LabRouting::all(Backend::Sqlite).repositories();
        all.extend(WriterRouting::all(Backend::Sqlite).repositories());
        all.extend(MarketRouting::all(Backend::Sqlite).repositories());
        let mut names: Vec<&str> = all.iter().map(|repository| repository.name).collect();
        let mut tables: Vec<&str> = all
            .iter()
            .flat_map(|repository| repository.tables.iter().copied())
            .collect();
        for found in [&mut names, &mut tables] {
            let count = found.len();
            found.sort_unstable();
            found.dedup();
            assert_eq!(found.len(), count);
        }
    }
}
