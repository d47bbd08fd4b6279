//! Every method of every repository, with random arguments.

use cutover_domain::lab::analysis_cache::CacheEntry;
use cutover_domain::lab::analysis_run::{AnalysisProgress, AnalysisRun, AnalysisStatus};
use cutover_domain::lab::chart_insight::SimulationInsight;
use cutover_domain::lab::experiment::{Experiment, ExperimentChange, ExperimentStatus};
use cutover_domain::lab::experiment_document::{
    DocumentProgress, DocumentStatus, DocumentType, ExperimentDocument, PendingDocument,
};
use cutover_domain::lab::exploration::{
    Exploration, ExplorationStatus, ExplorationStep, NodeChange, NodeStatus, ScenarioNode,
};
use cutover_domain::lab::interview_guide::{InterviewGuide, InterviewGuideChange};
use cutover_domain::lab::prfaq::{
    Prfaq, PrfaqOrder, PrfaqProgress, PrfaqSort, PrfaqStatus, PrfaqSummary, ValidationStatus,
};
use cutover_domain::lab::region_analysis::RegionAnalysis;
use cutover_domain::lab::research_execution::{
    ExecutionOrder, ExecutionProgress, ExecutionSort, ExecutionStatus, ResearchExecution, Transcript,
    TranscriptSummary, interview_topic,
};
use cutover_domain::lab::scorecard::FeatureScorecard;
use cutover_domain::lab::sensitivity::SensitivityResult;
use cutover_domain::lab::simulation::{SimulationFilter, SimulationRun};
use cutover_domain::lab::synth::{SortDirection, Synth, SynthListing, SynthSort, SynthSummary};
use cutover_domain::lab::synth_group::SynthGroup;
use cutover_domain::lab::synth_outcome::{OutcomeStatistics, SynthOutcome};
use cutover_domain::stored::Stored;
use cutover_domain::time::Timestamp;
use cutover_ports::PageRequest;

use super::random::Random;
use super::{Errors, Pair};

/// Makes one call on both sides and compares what comes back. The arguments are written out twice, so they are values
/// or references, never calls.
macro_rules! both {
    ($pair:ident, $repository:ident.$method:ident($($argument:expr),* $(,)?)) => {
        both!($pair, $repository.$method($($argument),*), Errors::Alike)
    };
    ($pair:ident, $repository:ident.$method:ident($($argument:expr),* $(,)?), $errors:expr) => {{
        let sqlite = $pair.sqlite.$repository.$method($($argument),*).await;
        let postgres = $pair.postgres.$repository.$method($($argument),*).await;
        let arguments: &[String] = &[$(format!("{:?}", $argument)),*];
        let call = format!(
            concat!(stringify!($repository), ".", stringify!($method), "({})"),
            arguments.join(", ")
        );
        $pair.compare(&call, &sqlite, &postgres, $errors);
        sqlite.ok()
    }};
}

const EXPERIMENTS: &str = "exp_";
const RUNS: &str = "ana_";
const GROUPS: &str = "grp_";
const SYNTHS: &str = "synth_";
const EXECUTIONS: &str = "batch_";
const DOCUMENTS: &str = "doc_";
const EXPLORATIONS: &str = "expl_";
const SCORECARDS: &str = "card_";
const SIMULATIONS: &str = "sim_";
const RESULTS: &str = "sens_";
const REGIONS: &str = "region_";
const INSIGHTS: &str = "ins_";

/// Rows for the first calls to find.
pub(crate) async fn populate(pair: &mut Pair) {
    for _ in 0..4 {
        write_experiment(pair).await;
        write_run(pair).await;
        write_group(pair).await;
        write_scorecard(pair).await;
    }
}

/// One call, or a few that belong together.
pub(crate) async fn any(pair: &mut Pair) {
    match pair.random.below(32) {
        0..2 => write_experiment(pair).await,
        2 => read_experiments(pair).await,
        3..5 => write_run(pair).await,
        5 => read_runs(pair).await,
        6 => write_outcomes(pair).await,
        7 => read_outcomes(pair).await,
        8 => write_cache(pair).await,
        9 => read_cache(pair).await,
        10 => write_group(pair).await,
        11 => write_synth(pair).await,
        12 => read_synths(pair).await,
        13..15 => write_execution(pair).await,
        15 => read_executions(pair).await,
        16 => write_transcript(pair).await,
        17 => read_transcripts(pair).await,
        18 => guide(pair).await,
        19..21 => write_document(pair).await,
        21 => read_documents(pair).await,
        22 => write_exploration(pair).await,
        23..25 => write_nodes(pair).await,
        25 => read_exploration(pair).await,
        26 => write_prfaq(pair).await,
        27 => read_prfaqs(pair).await,
        28 => insight(pair).await,
        29 => region(pair).await,
        30 => write_scorecard(pair).await,
        _ => simulation(pair).await,
    }
}

/// Everything that the lists give, at the end.
pub(crate) async fn read_all(pair: &mut Pair) {
    let all = PageRequest::first(10_000);
    both!(pair, experiments.list(all));
    both!(pair, synth_groups.list(all));
    both!(pair, synths.list(&SynthListing::default(), all));
    both!(pair, scorecards.list(all));
    both!(pair, simulations.list(&SimulationFilter::default(), all));
    both!(pair, prfaqs.list(PrfaqOrder::default(), all));
    let executions = both!(pair, research_executions.list(ExecutionOrder::default(), all));
    for execution in executions.into_iter().flat_map(|page| page.items) {
        both!(
            pair,
            research_executions.read_transcripts(&execution.exec_id, all)
        );
    }
    for number in 0..6 {
        let id = |prefix: &str| format!("{prefix}{number:08x}");
        both!(pair, experiments.find(&id(EXPERIMENTS)));
        both!(pair, analysis_runs.find_by_experiment(&id(EXPERIMENTS)));
        both!(pair, synth_outcomes.list(&id(RUNS), all));
        both!(pair, analysis_cache.list(&id(RUNS), ""));
        both!(pair, interview_guides.get(&id(EXPERIMENTS)));
        for document_type in DocumentType::ALL {
            both!(pair, experiment_documents.find(&id(EXPERIMENTS), *document_type));
        }
        both!(pair, explorations.list_by_experiment(&id(EXPERIMENTS)));
        both!(pair, explorations.nodes(&id(EXPLORATIONS)));
        both!(pair, chart_insights.list_by_simulation(&id(SIMULATIONS)));
        both!(pair, region_analyses.list(&id(SIMULATIONS)));
        both!(pair, sensitivity_results.get(&id(RESULTS)));
    }
}

fn direction(random: &mut Random) -> SortDirection {
    random.one_of(SortDirection::ALL)
}

fn opt_time(random: &mut Random) -> Option<Stored<Timestamp>> {
    random.opt(Random::time).map(Stored::Known)
}

fn opt_integer(random: &mut Random) -> Option<Stored<i64>> {
    random.opt(Random::integer).map(Stored::Known)
}

fn ids(random: &mut Random, prefix: &str) -> Vec<String> {
    random.some(5, |random| random.id(prefix))
}

async fn write_experiment(pair: &mut Pair) {
    let r = &mut pair.random;
    let (id, now) = (r.id(EXPERIMENTS), r.time());
    match r.below(6) {
        0..3 => {
            let experiment = Experiment {
                id,
                name: r.text(),
                hypothesis: r.text(),
                description: r.opt_text(),
                scorecard_data: r.opt(Random::json),
                status: r.one_of(ExperimentStatus::ALL).into(),
                created_at: now.into(),
                updated_at: opt_time(r),
            };
            both!(pair, experiments.insert(&experiment));
        }
        3 => {
            let change = ExperimentChange {
                name: r.opt_text(),
                hypothesis: r.opt_text(),
                description: r.opt_text(),
            };
            both!(pair, experiments.update(&id, &change, now));
        }
        4 => {
            let scorecard = r.json();
            both!(pair, experiments.update_scorecard(&id, &scorecard, now));
        }
        _ => {
            both!(pair, experiments.delete(&id, now));
        }
    }
}

async fn read_experiments(pair: &mut Pair) {
    let (id, page) = (pair.random.id(EXPERIMENTS), pair.random.page());
    both!(pair, experiments.get(&id));
    both!(pair, experiments.find(&id));
    both!(pair, experiments.list(page));
}

async fn write_run(pair: &mut Pair) {
    let r = &mut pair.random;
    let (id, experiment_id) = (r.id(RUNS), r.id(EXPERIMENTS));
    let run = AnalysisRun {
        id: id.clone(),
        experiment_id: experiment_id.clone(),
        scenario_id: r.text(),
        config: r.json(),
        status: r.one_of(AnalysisStatus::ALL).into(),
        started_at: r.time().into(),
        completed_at: opt_time(r),
        total_synths: opt_integer(r),
        aggregated_outcomes: r.opt(Random::json),
        execution_time_seconds: r.opt(Random::real).map(Stored::Known),
    };
    let progress = AnalysisProgress {
        status: r.one_of(AnalysisStatus::ALL),
        completed_at: r.opt(Random::time),
        total_synths: r.opt(Random::integer),
        aggregated_outcomes: r.opt(Random::json),
        execution_time_seconds: r.opt(Random::real),
    };
    match r.below(12) {
        0..6 => {
            both!(pair, analysis_runs.insert(&run), Errors::Variant);
        }
        6..8 => {
            // A replacement has an id of its own.
            if both!(pair, analysis_runs.get(&id)).flatten().is_none() {
                both!(pair, analysis_runs.replace(&run), Errors::Variant);
            }
        }
        8..10 => {
            both!(pair, analysis_runs.update(&id, &progress));
        }
        10 => {
            both!(pair, analysis_runs.delete(&id));
        }
        _ => {
            both!(pair, analysis_runs.delete_by_experiment(&experiment_id));
        }
    }
}

async fn read_runs(pair: &mut Pair) {
    let r = &mut pair.random;
    let (id, experiment_id) = (r.id(RUNS), r.id(EXPERIMENTS));
    let (runs, experiments) = (ids(r, RUNS), ids(r, EXPERIMENTS));
    both!(pair, analysis_runs.get(&id));
    both!(pair, analysis_runs.find_by_experiment(&experiment_id));
    both!(pair, analysis_runs.runs_by_experiments(&experiments));
    both!(pair, analysis_runs.latest_completed_id(&experiment_id));
    both!(pair, analysis_runs.latest_completed_among(&runs));
}

async fn write_outcomes(pair: &mut Pair) {
    let r = &mut pair.random;
    let outcomes = r.some(4, |r| SynthOutcome {
        id: r.opt(|r| r.id("out_")),
        analysis_id: r.id(RUNS),
        synth_id: r.id(SYNTHS),
        did_not_try_rate: r.rate().into(),
        failed_rate: r.rate().into(),
        success_rate: r.rate().into(),
        synth_attributes: r.opt(Random::json),
    });
    let run = r.id(RUNS);
    // Of several mistakes in a batch either side may name another one.
    let errors = if outcomes.len() < 2 {
        Errors::Variant
    } else {
        Errors::Any
    };
    match r.below(8) {
        0..3 => {
            both!(pair, synth_outcomes.insert(&outcomes), errors);
        }
        3..7 => {
            both!(pair, synth_outcomes.save(&outcomes), errors);
        }
        _ => {
            both!(pair, synth_outcomes.delete(&run));
        }
    }
}

async fn read_outcomes(pair: &mut Pair) {
    let r = &mut pair.random;
    let (id, run, synth) = (r.id("out_"), r.id(RUNS), r.id(SYNTHS));
    let (page, count) = (r.page(), r.below(5));
    both!(pair, synth_outcomes.get(&id));
    both!(pair, synth_outcomes.find(&run, &synth));
    both!(pair, synth_outcomes.list(&run, page));
    both!(pair, synth_outcomes.analyses_of_synth(&synth));
    both!(pair, synth_outcomes.count(&run));
    both!(pair, synth_outcomes.extremes(&run, count));
    // Both add up in their own way, so the last digits of a mean may differ.
    let rounded = |statistics: Option<OutcomeStatistics>| {
        statistics.map(|statistics| {
            let means = statistics.means;
            let rates = [means.did_not_try_rate, means.failed_rate, means.success_rate];
            (
                rates.map(|rate| (rate * 1e12).round() / 1e12 + 0.0),
                statistics.synth_count,
            )
        })
    };
    let sqlite = pair.sqlite.synth_outcomes.statistics(&run).await.map(rounded);
    let postgres = pair.postgres.synth_outcomes.statistics(&run).await.map(rounded);
    let call = format!("synth_outcomes.statistics({run:?})");
    pair.compare(&call, &sqlite, &postgres, Errors::Alike);
}

async fn write_cache(pair: &mut Pair) {
    let r = &mut pair.random;
    let entries = r.some(3, |r| CacheEntry {
        analysis_id: r.id(RUNS),
        cache_key: cache_key(r),
        data: r.json(),
        params: r.opt(Random::json),
        computed_at: r.time().into(),
    });
    let (run, key) = (r.id(RUNS), cache_key(r));
    match r.below(6) {
        0..4 => {
            both!(pair, analysis_cache.save(&entries));
        }
        4 => {
            both!(pair, analysis_cache.delete(&run, &key));
        }
        _ => {
            both!(pair, analysis_cache.delete_all(&run));
        }
    }
}

fn cache_key(random: &mut Random) -> String {
    let known = [
        "insight_pdp",
        "insight_é",
        "INSIGHT_x",
        "clustering_k3",
        "heatmap",
        "",
    ];
    random.one_of(&known).to_owned()
}

async fn read_cache(pair: &mut Pair) {
    let r = &mut pair.random;
    let (run, key) = (r.id(RUNS), cache_key(r));
    let prefix = r.one_of(&["", "insight_", "i", "_", "%", "é", "insight_é"]);
    both!(pair, analysis_cache.get(&run, &key));
    both!(pair, analysis_cache.list(&run, prefix));
}

async fn write_group(pair: &mut Pair) {
    let r = &mut pair.random;
    let group = SynthGroup {
        id: r.id(GROUPS),
        name: r.text(),
        description: r.opt_text(),
        created_at: r.time().into(),
    };
    let page = r.page();
    match r.below(6) {
        0..2 => {
            both!(pair, synth_groups.insert(&group));
        }
        2 => {
            both!(pair, synth_groups.ensure(&group));
        }
        3 => {
            both!(pair, synth_groups.delete(&group.id));
        }
        4 => {
            both!(pair, synth_groups.get(&group.id));
        }
        _ => {
            both!(pair, synth_groups.list(page));
        }
    }
}

async fn write_synth(pair: &mut Pair) {
    let r = &mut pair.random;
    let synth = Synth {
        summary: SynthSummary {
            id: r.id(SYNTHS),
            synth_group_id: r.opt(|r| r.id(GROUPS)),
            nome: r.text(),
            descricao: r.opt_text(),
            link_photo: r.opt_text(),
            avatar_path: r.opt_text(),
            created_at: r.time().into(),
            version: r.opt_text(),
        },
        data: r.opt(Random::json),
    };
    let path = r.text();
    if r.once_in(5) {
        both!(pair, synths.update_avatar_path(&synth.summary.id, &path));
    } else {
        both!(pair, synths.save(&synth));
    }
}

async fn read_synths(pair: &mut Pair) {
    let r = &mut pair.random;
    let (id, group) = (r.id(SYNTHS), r.id(GROUPS));
    let (synths, groups) = (ids(r, SYNTHS), ids(r, GROUPS));
    let listing = SynthListing {
        synth_group_id: r.opt(|r| r.id(GROUPS)),
        sort: r.one_of(SynthSort::ALL),
        direction: direction(r),
    };
    let page = r.page();
    both!(pair, synths.get(&id));
    both!(pair, synths.get_many(&synths));
    both!(pair, synths.list(&listing, page));
    both!(pair, synths.list_by_group(&group));
    both!(pair, synths.counts_by_group(&groups));
    both!(pair, synths.names_by_id(&synths));
    both!(pair, synths.count());
}

async fn write_execution(pair: &mut Pair) {
    let r = &mut pair.random;
    let experiment_id = r.opt(|r| r.id(EXPERIMENTS));
    let topic_name = match &experiment_id {
        Some(id) if r.once_in(2) => interview_topic(id, r.once_in(2)),
        _ => r.text(),
    };
    let execution = ResearchExecution {
        exec_id: r.id(EXECUTIONS),
        experiment_id,
        topic_name,
        status: r.one_of(ExecutionStatus::ALL).into(),
        synth_count: r.integer().into(),
        successful_count: opt_integer(r),
        failed_count: opt_integer(r),
        model: r.opt_text(),
        max_turns: opt_integer(r),
        started_at: r.time().into(),
        completed_at: opt_time(r),
        additional_context: r.opt_text(),
    };
    let progress = ExecutionProgress {
        status: r.one_of(ExecutionStatus::ALL),
        successful_count: r.opt(Random::integer),
        failed_count: r.opt(Random::integer),
        completed_at: r.opt(Random::time),
    };
    if r.once_in(3) {
        both!(pair, research_executions.update(&execution.exec_id, &progress));
    } else {
        both!(pair, research_executions.insert(&execution));
    }
}

async fn read_executions(pair: &mut Pair) {
    let r = &mut pair.random;
    let (id, experiment_id) = (r.id(EXECUTIONS), r.id(EXPERIMENTS));
    let (executions, experiments) = (ids(r, EXECUTIONS), ids(r, EXPERIMENTS));
    let order = ExecutionOrder {
        sort: r.one_of(ExecutionSort::ALL),
        direction: direction(r),
    };
    let page = r.page();
    both!(pair, research_executions.get(&id));
    both!(pair, research_executions.list(order, page));
    both!(
        pair,
        research_executions.newest_by_experiment(&experiment_id, page.limit)
    );
    both!(pair, research_executions.latest_automatic(&experiment_id));
    both!(pair, research_executions.counts_by_experiment(&experiments));
    both!(pair, research_executions.with_summary(&executions));
    both!(pair, research_executions.additional_contexts(&executions));
    both!(pair, research_executions.topics(&executions));
    both!(pair, research_executions.total_turns(&executions));
}

async fn write_transcript(pair: &mut Pair) {
    let r = &mut pair.random;
    let transcript = Transcript {
        id: r.opt(|r| r.id("t_")),
        exec_id: r.id(EXECUTIONS),
        summary: TranscriptSummary {
            synth_id: r.id(SYNTHS),
            synth_name: r.text(),
            status: r.text(),
            turn_count: opt_integer(r),
            timestamp: r.time().into(),
        },
        messages: r.opt(Random::json),
    };
    both!(
        pair,
        research_executions.insert_transcript(&transcript),
        Errors::Variant
    );
}

async fn read_transcripts(pair: &mut Pair) {
    let r = &mut pair.random;
    let (id, synth, page) = (r.id(EXECUTIONS), r.id(SYNTHS), r.page());
    both!(pair, research_executions.get_transcript(&id, &synth));
    both!(pair, research_executions.list_transcripts(&id, page));
    both!(pair, research_executions.read_transcripts(&id, page));
}

async fn guide(pair: &mut Pair) {
    let r = &mut pair.random;
    let guide = InterviewGuide {
        experiment_id: r.id(EXPERIMENTS),
        context_definition: r.opt_text(),
        questions: r.opt_text(),
        context_examples: r.opt_text(),
        created_at: r.time().into(),
        updated_at: opt_time(r),
    };
    let change = InterviewGuideChange {
        context_definition: r.opt_text(),
        questions: r.opt_text(),
        context_examples: r.opt_text(),
    };
    let (now, some) = (r.time(), ids(r, EXPERIMENTS));
    match r.below(6) {
        0..2 => {
            both!(pair, interview_guides.insert(&guide));
        }
        2 => {
            both!(pair, interview_guides.update(&guide.experiment_id, &change, now));
        }
        3 => {
            both!(pair, interview_guides.delete(&guide.experiment_id));
        }
        4 => {
            both!(pair, interview_guides.get(&guide.experiment_id));
        }
        _ => {
            both!(pair, interview_guides.exists_for(&some));
            both!(pair, interview_guides.exists(&guide.experiment_id));
        }
    }
}

async fn write_document(pair: &mut Pair) {
    let r = &mut pair.random;
    let (id, experiment_id) = (r.id(DOCUMENTS), r.id(EXPERIMENTS));
    let document_type = r.one_of(DocumentType::ALL);
    match r.below(6) {
        0..2 => {
            let document = ExperimentDocument {
                id,
                experiment_id,
                document_type: document_type.into(),
                markdown_content: r.text(),
                metadata: r.opt(Random::json),
                generated_at: r.time().into(),
                model: r.opt_text(),
                status: r.one_of(DocumentStatus::ALL).into(),
                error_message: r.opt_text(),
            };
            both!(pair, experiment_documents.save(&document));
        }
        2..4 => {
            let pending = PendingDocument {
                id,
                experiment_id,
                document_type,
                model: r.text(),
                generated_at: r.time(),
            };
            both!(
                pair,
                experiment_documents.create_pending(&pending),
                Errors::Variant
            );
        }
        4 => {
            let progress = DocumentProgress {
                status: r.one_of(DocumentStatus::ALL),
                markdown_content: r.opt_text(),
                metadata: r.opt(Random::json),
                error_message: r.opt_text(),
                generated_at: r.opt(Random::time),
            };
            both!(
                pair,
                experiment_documents.update(&experiment_id, document_type, &progress)
            );
        }
        _ => {
            both!(pair, experiment_documents.delete(&experiment_id, document_type));
        }
    }
}

async fn read_documents(pair: &mut Pair) {
    let r = &mut pair.random;
    let (id, experiment_id) = (r.id(DOCUMENTS), r.id(EXPERIMENTS));
    let document_type = r.one_of(DocumentType::ALL);
    let some = ids(r, EXPERIMENTS);
    both!(pair, experiment_documents.get(&id));
    both!(pair, experiment_documents.find(&experiment_id, document_type));
    both!(pair, experiment_documents.list_by_experiment(&experiment_id));
    both!(pair, experiment_documents.markdown(&experiment_id, document_type));
    both!(pair, experiment_documents.completed_by_experiment(&some));
}

fn exploration(r: &mut Random) -> Exploration {
    let count = |r: &mut Random| r.one_of(&[0, 1, 5, i64::MAX, -1]);
    let small = |r: &mut Random| {
        if r.once_in(6) {
            count(r)
        } else {
            i64::from(r.below(6))
        }
    };
    Exploration {
        id: r.id(EXPLORATIONS),
        experiment_id: r.id(EXPERIMENTS),
        baseline_analysis_id: r.id(RUNS),
        goal: r.json(),
        config: r.json(),
        status: r.one_of(ExplorationStatus::ALL).into(),
        current_depth: small(r).into(),
        total_nodes: small(r).into(),
        total_llm_calls: small(r).into(),
        best_success_rate: r.opt(Random::rate).map(Stored::Known),
        started_at: r.time().into(),
        completed_at: opt_time(r),
    }
}

fn node_id(r: &mut Random) -> String {
    if r.once_in(20) {
        return r.text();
    }
    format!("node_{:08x}", r.below(40))
}

fn node(r: &mut Random) -> ScenarioNode {
    ScenarioNode {
        id: node_id(r),
        exploration_id: r.id(EXPLORATIONS),
        parent_id: r.opt(node_id),
        depth: i64::from(r.below(4)).into(),
        action_applied: r.opt_text(),
        action_category: r.opt_text(),
        rationale: r.opt_text(),
        short_action: r.opt_text(),
        scorecard_params: r.json(),
        simulation_results: r.opt(Random::json),
        execution_time_seconds: r.opt(Random::real).map(Stored::Known),
        node_status: r.one_of(NodeStatus::ALL).into(),
        created_at: r.time().into(),
    }
}

async fn write_exploration(pair: &mut Pair) {
    let r = &mut pair.random;
    let exploration = exploration(r);
    if r.once_in(3) {
        both!(pair, explorations.update(&exploration));
        return;
    }
    let root = ScenarioNode {
        exploration_id: exploration.id.clone(),
        parent_id: r.opt(node_id).filter(|_| r.once_in(10)),
        depth: 0.into(),
        ..node(r)
    };
    both!(pair, explorations.start(&exploration, &root));
}

async fn write_nodes(pair: &mut Pair) {
    let r = &mut pair.random;
    match r.below(4) {
        0 => {
            let node = node(r);
            both!(pair, explorations.insert_node(&node));
        }
        1 => {
            let (id, change) = (
                node_id(r),
                NodeChange {
                    scorecard_params: r.opt(Random::json),
                    simulation_results: r.opt(Random::json),
                    execution_time_seconds: r.opt(Random::real),
                    node_status: r.opt(|r| r.one_of(NodeStatus::ALL)),
                },
            );
            both!(pair, explorations.update_node(&id, &change));
        }
        _ => advance(pair).await,
    }
}

/// A step of a search that exists, if there is one, so that some succeed.
async fn advance(pair: &mut Pair) {
    let r = &mut pair.random;
    let exploration = exploration(r);
    let id = exploration.id.clone();
    let known = both!(pair, explorations.nodes(&id)).unwrap_or_default();
    let r = &mut pair.random;
    let mut new_nodes: Vec<ScenarioNode> = Vec::new();
    for _ in 0..r.below(4) {
        let candidates: Vec<&ScenarioNode> = known.iter().chain(&new_nodes).collect();
        let parent = (!candidates.is_empty() && !r.once_in(10)).then(|| r.one_of(&candidates).clone());
        let depth = parent
            .as_ref()
            .and_then(|parent| parent.depth.known())
            .map_or(0, |depth| depth + 1);
        new_nodes.push(ScenarioNode {
            exploration_id: id.clone(),
            parent_id: parent.map(|parent| parent.id),
            depth: depth.into(),
            ..node(r)
        });
    }
    let mut node_statuses = Vec::new();
    for node in known.iter().chain(&new_nodes) {
        if r.once_in(2) {
            node_statuses.push((node.id.clone(), r.one_of(NodeStatus::ALL)));
        }
    }
    if r.once_in(20) {
        node_statuses.push((node_id(r), r.one_of(NodeStatus::ALL)));
    }
    let step = ExplorationStep {
        exploration,
        new_nodes,
        node_statuses,
    };
    both!(pair, explorations.advance(&step), Errors::Any);
}

async fn read_exploration(pair: &mut Pair) {
    let r = &mut pair.random;
    let (id, experiment_id, node) = (r.id(EXPLORATIONS), r.id(EXPERIMENTS), node_id(r));
    both!(pair, explorations.get(&id));
    both!(pair, explorations.list_by_experiment(&experiment_id));
    both!(pair, explorations.get_node(&node));
    both!(pair, explorations.nodes(&id));
    both!(pair, explorations.frontier(&id));
    both!(pair, explorations.root(&id));
    both!(pair, explorations.winner(&id));
    both!(pair, explorations.path_to(&node));
    both!(pair, explorations.children(&node));
    both!(pair, explorations.node_counts(&id));
    both!(pair, explorations.best_node(&id));
}

async fn write_prfaq(pair: &mut Pair) {
    let r = &mut pair.random;
    let exec_id = r.id(EXECUTIONS);
    match r.below(4) {
        0 => {
            let prfaq = Prfaq {
                summary: PrfaqSummary {
                    exec_id,
                    generated_at: opt_time(r),
                    model: r.opt_text(),
                    validation_status: r.opt(|r| r.one_of(ValidationStatus::ALL).into()),
                    confidence_score: r.opt(Random::real).map(Stored::Known),
                    headline: r.opt_text(),
                    one_liner: r.opt_text(),
                    faq_count: opt_integer(r),
                    status: r.opt(|r| r.one_of(PrfaqStatus::ALL).into()),
                    started_at: opt_time(r),
                },
                markdown_content: r.opt_text(),
                json_content: r.opt(Random::json),
                error_message: r.opt_text(),
            };
            both!(pair, prfaqs.save(&prfaq));
        }
        1..3 => {
            let (model, now) = (r.text(), r.time());
            both!(pair, prfaqs.create_pending(&exec_id, &model, now));
        }
        _ => {
            let progress = PrfaqProgress {
                status: r.one_of(PrfaqStatus::ALL),
                generated_at: r.opt(Random::time),
                error_message: r.opt_text(),
                markdown_content: r.opt_text(),
                json_content: r.opt(Random::json),
                headline: r.opt_text(),
                one_liner: r.opt_text(),
                faq_count: r.opt(Random::integer),
                validation_status: r.opt(|r| r.one_of(ValidationStatus::ALL)),
                confidence_score: r.opt(Random::real),
            };
            both!(pair, prfaqs.update(&exec_id, &progress));
        }
    }
}

async fn read_prfaqs(pair: &mut Pair) {
    let r = &mut pair.random;
    let (id, some, page) = (r.id(EXECUTIONS), ids(r, EXECUTIONS), r.page());
    let order = PrfaqOrder {
        sort: r.one_of(PrfaqSort::ALL),
        direction: direction(r),
    };
    both!(pair, prfaqs.get(&id));
    both!(pair, prfaqs.list(order, page));
    both!(pair, prfaqs.completed_among(&some));
}

async fn insight(pair: &mut Pair) {
    let r = &mut pair.random;
    let insight = SimulationInsight {
        id: r.id(INSIGHTS),
        simulation_id: r.id(SIMULATIONS),
        insight_type: r.one_of(&["executive_summary", "sankey", "É", ""]).to_owned(),
        response_json: r.json(),
        created_at: r.time().into(),
        updated_at: r.time().into(),
    };
    let (simulation, kind) = (&insight.simulation_id, &insight.insight_type);
    match r.below(8) {
        0..4 => {
            both!(pair, chart_insights.save(&insight), Errors::Variant);
        }
        4 => {
            both!(pair, chart_insights.get(simulation, kind));
        }
        5 => {
            both!(pair, chart_insights.list_by_simulation(simulation));
        }
        6 => {
            both!(pair, chart_insights.delete(simulation, kind));
        }
        _ => {
            both!(pair, chart_insights.delete_by_simulation(simulation));
        }
    }
}

async fn region(pair: &mut Pair) {
    let r = &mut pair.random;
    let simulation = r.id(SIMULATIONS);
    let regions = r.some(3, |r| RegionAnalysis {
        id: r.id(REGIONS),
        rules: r.json(),
        rule_text: r.text(),
        synth_count: r.integer().into(),
        synth_percentage: r.real().into(),
        did_not_try_rate: r.real().into(),
        failed_rate: r.real().into(),
        success_rate: r.real().into(),
        failure_delta: r.real().into(),
    });
    match r.below(4) {
        0..2 => {
            both!(
                pair,
                region_analyses.replace_for_simulation(&simulation, &regions),
                Errors::Any
            );
        }
        2 => {
            both!(pair, region_analyses.list(&simulation));
        }
        _ => {
            both!(pair, region_analyses.delete(&simulation));
        }
    }
}

async fn write_scorecard(pair: &mut Pair) {
    let r = &mut pair.random;
    let scorecard = FeatureScorecard {
        id: r.id(SCORECARDS),
        experiment_id: r.opt(|r| r.id(EXPERIMENTS)),
        data: r.json(),
        created_at: r.time().into(),
        updated_at: opt_time(r),
    };
    let (now, page, experiment_id) = (r.time(), r.page(), r.id(EXPERIMENTS));
    match r.below(8) {
        0..3 => {
            both!(pair, scorecards.insert(&scorecard));
        }
        3 => {
            both!(pair, scorecards.update(&scorecard.id, &scorecard.data, now));
        }
        4 => {
            both!(pair, scorecards.delete(&scorecard.id));
        }
        5 => {
            both!(pair, scorecards.get(&scorecard.id));
        }
        6 => {
            both!(pair, scorecards.list(page));
        }
        _ => {
            both!(pair, scorecards.list_by_experiment(&experiment_id, page));
            both!(pair, scorecards.ids_by_experiment(&experiment_id));
        }
    }
}

async fn simulation(pair: &mut Pair) {
    let r = &mut pair.random;
    let run = SimulationRun {
        id: r.id(SIMULATIONS),
        scorecard_id: r.id(SCORECARDS),
        scenario_id: r.one_of(&["baseline", "crisis", ""]).to_owned(),
        config: r.json(),
        status: r.one_of(AnalysisStatus::ALL).into(),
        started_at: r.time().into(),
        completed_at: opt_time(r),
        total_synths: opt_integer(r),
        aggregated_outcomes: r.opt(Random::json),
        execution_time_seconds: r.opt(Random::real).map(Stored::Known),
    };
    match r.below(8) {
        0..3 => {
            both!(pair, simulations.insert(&run));
        }
        3 => {
            both!(pair, simulations.update(&run));
        }
        4 => {
            let filter = SimulationFilter {
                scorecard_id: r.opt(|r| r.id(SCORECARDS)),
                scenario_id: r.opt(|r| r.one_of(&["baseline", "crisis", "x"]).to_owned()),
                status: r.opt(|r| r.one_of(&["completed", "failed", "x"]).to_owned()),
            };
            let (page, scorecards) = (r.page(), ids(r, SCORECARDS));
            both!(pair, simulations.get(&run.id));
            both!(pair, simulations.list(&filter, page));
            both!(pair, simulations.list_by_scorecards(&scorecards, page));
        }
        _ => sensitivity(pair, &run.id).await,
    }
}

async fn sensitivity(pair: &mut Pair, simulation_id: &str) {
    let r = &mut pair.random;
    let result = SensitivityResult {
        id: r.id(RESULTS),
        simulation_id: simulation_id.to_owned(),
        analyzed_at: r.time().into(),
        deltas_used: r.json(),
        baseline_success: r.real().into(),
        most_sensitive_dimension: r.text(),
        dimensions: r.json(),
        created_at: r.time().into(),
    };
    match r.below(5) {
        0..2 => {
            both!(pair, sensitivity_results.insert(&result));
        }
        2 => {
            both!(pair, sensitivity_results.get(&result.id));
        }
        3 => {
            both!(pair, sensitivity_results.latest_by_simulation(simulation_id));
        }
        _ => {
            both!(pair, sensitivity_results.delete_by_simulation(simulation_id));
        }
    }
}
