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

/// A repository of the lab: its name in the configuration, its tables, and where the routing keeps it.
#[derive(Debug, Clone, Copy)]
pub struct LabRoute {
    /// The name in `[repositories]`.
    pub name: &'static str,
    /// The tables that it alone reads and writes.
    pub tables: &'static [&'static str],
    /// Its backend in a routing.
    pub backend: fn(&LabRouting) -> Backend,
}

/// Every repository of the lab.
pub const LAB_ROUTES: &[LabRoute] = &[
    LabRoute {
        name: "analysis_cache",
        tables: &["analysis_cache"],
        backend: |r| r.analysis_cache,
    },
    LabRoute {
        name: "analysis_runs",
        tables: &["analysis_runs"],
        backend: |r| r.analysis_runs,
    },
    LabRoute {
        name: "chart_insights",
        tables: &["chart_insights"],
        backend: |r| r.chart_insights,
    },
    LabRoute {
        name: "experiment_documents",
        tables: &["experiment_documents"],
        backend: |r| r.experiment_documents,
    },
    LabRoute {
        name: "experiments",
        tables: &["experiments"],
        backend: |r| r.experiments,
    },
    LabRoute {
        name: "explorations",
        tables: &["explorations", "scenario_nodes"],
        backend: |r| r.explorations,
    },
    LabRoute {
        name: "interview_guides",
        tables: &["interview_guide"],
        backend: |r| r.interview_guides,
    },
    LabRoute {
        name: "prfaqs",
        tables: &["prfaq_metadata"],
        backend: |r| r.prfaqs,
    },
    LabRoute {
        name: "region_analyses",
        tables: &["region_analyses"],
        backend: |r| r.region_analyses,
    },
    LabRoute {
        name: "research_executions",
        tables: &["research_executions", "transcripts"],
        backend: |r| r.research_executions,
    },
    LabRoute {
        name: "scorecards",
        tables: &["feature_scorecards"],
        backend: |r| r.scorecards,
    },
    LabRoute {
        name: "sensitivity_results",
        tables: &["sensitivity_results"],
        backend: |r| r.sensitivity_results,
    },
    LabRoute {
        name: "simulations",
        tables: &["simulation_runs"],
        backend: |r| r.simulations,
    },
    LabRoute {
        name: "synth_groups",
        tables: &["synth_groups"],
        backend: |r| r.synth_groups,
    },
    LabRoute {
        name: "synth_outcomes",
        tables: &["synth_outcomes"],
        backend: |r| r.synth_outcomes,
    },
    LabRoute {
        name: "synths",
        tables: &["synths"],
        backend: |r| r.synths,
    },
];

impl LabRouting {
    /// Everything on one backend.
    pub fn all(backend: Backend) -> Self {
        Self::from_fn(|_| backend)
    }

    /// Each repository where `backend` says, by its configured name.
    pub fn from_fn(mut backend: impl FnMut(&'static str) -> Backend) -> Self {
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

    /// Whether any repository runs on `backend`.
    pub fn uses(&self, backend: Backend) -> bool {
        LAB_ROUTES.iter().any(|route| (route.backend)(self) == backend)
    }

    /// Where the repository that owns `table` runs, if one does.
    pub fn backend_of_table(&self, table: &str) -> Option<Backend> {
        LAB_ROUTES
            .iter()
            .find(|route| route.tables.contains(&table))
            .map(|route| (route.backend)(self))
    }

    /// Reads `repositories.<name>`, and `default` for the others.
    pub(super) fn from_settings(settings: &mut Settings, default: Backend) -> Self {
        Self::from_fn(|name| {
            settings
                .parsed(
                    &format!("repositories.{name}"),
                    "\"sqlite\" or \"postgres\"",
                    Backend::from_name,
                )
                .unwrap_or(default)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_repository_has_a_route_and_a_key() {
        for route in LAB_ROUTES {
            let only = LabRouting::from_fn(|name| {
                if name == route.name {
                    Backend::Postgres
                } else {
                    Backend::Sqlite
                }
            });
            assert_eq!((route.backend)(&only), Backend::Postgres, "{}", route.name);
            assert_eq!(
                LAB_ROUTES
                    .iter()
                    .filter(|r| (r.backend)(&only) == Backend::Postgres)
                    .count(),
                1
            );
            assert_eq!(only.backend_of_table(route.tables[0]), Some(Backend::Postgres));
        }
        let mut asked = 0;
        LabRouting::from_fn(|_| {
            asked += 1;
            Backend::Sqlite
        });
        assert_eq!(LAB_ROUTES.len(), asked);
    }
}
