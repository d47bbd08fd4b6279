//! `/lab/experiments`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use cutover_domain::lab::analysis_run::AnalysisRun;
use cutover_domain::lab::experiment::{
    DESCRIPTION_MAX, ExperimentChange, HYPOTHESIS_MAX, NAME_MAX, ScorecardData, ScorecardDimension,
};
use serde_json::{Value, json};

use super::{page_json, page_request, stored};
use crate::http::App;
use crate::http::error::HttpError;
use crate::http::request::{Body, Fields, Key, Length, Mistakes, Parameters};
use crate::usecase::lab::experiments::{
    ExperimentDetail, Experiments, GuidedExperiment, Interview, ListedExperiment, NewExperiment,
};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/", post(create))
        .route("/list", get(list))
        .route("/{id}", get(detail).put(update).delete(delete))
        .route("/{id}/scorecard", put(update_scorecard))
}

fn use_case(app: &App) -> Experiments {
    Experiments::new(app.routing.lab(), Arc::clone(&app.clock), Arc::clone(&app.ids))
}

async fn create(State(app): State<App>, Body(body): Body) -> Result<(StatusCode, Json<Value>), HttpError> {
    let mut mistakes = Mistakes::default();
    let new = new_experiment(&body, &mut mistakes);
    mistakes.finish()?;
    let made = use_case(&app).create(new).await?;
    Ok((StatusCode::CREATED, Json(guided_json(&made))))
}

fn new_experiment(body: &Value, mistakes: &mut Mistakes) -> NewExperiment {
    let Some(fields) = Fields::of_body(body, mistakes) else {
        return NewExperiment::default();
    };
    NewExperiment {
        name: fields
            .text("name", Length::at_most(NAME_MAX), mistakes)
            .unwrap_or_default(),
        hypothesis: fields
            .text("hypothesis", Length::at_most(HYPOTHESIS_MAX), mistakes)
            .unwrap_or_default(),
        description: fields.optional_text("description", Length::at_most(DESCRIPTION_MAX), mistakes),
        scorecard: fields.present("scorecard_data").and_then(|value| {
            let fields = Fields::of(value, fields.at("scorecard_data"), mistakes)?;
            scorecard(&fields, mistakes)
        }),
    }
}

/// The scorecard in `fields`; `None` if a mistake was found.
fn scorecard(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Option<ScorecardData> {
    let any = Length::default();
    let feature_name = fields.text("feature_name", any, mistakes);
    let scenario = if fields.has("scenario") {
        fields.text("scenario", any, mistakes)
    } else {
        Some("baseline".to_owned())
    };
    let description_text = fields.text("description_text", any, mistakes);
    let description_media_urls = fields.texts("description_media_urls", mistakes);
    let complexity = dimension(fields, "complexity", mistakes);
    let initial_effort = dimension(fields, "initial_effort", mistakes);
    let perceived_risk = dimension(fields, "perceived_risk", mistakes);
    let time_to_value = dimension(fields, "time_to_value", mistakes);
    let justification = fields.optional_text("justification", any, mistakes);
    let impact_hypotheses = fields.texts("impact_hypotheses", mistakes);
    Some(ScorecardData {
        feature_name: feature_name?,
        scenario: scenario?,
        description_text: description_text?,
        description_media_urls,
        complexity: complexity?,
        initial_effort: initial_effort?,
        perceived_risk: perceived_risk?,
        time_to_value: time_to_value?,
        justification,
        impact_hypotheses,
    })
}

fn dimension(fields: &Fields<'_>, name: &str, mistakes: &mut Mistakes) -> Option<ScorecardDimension> {
    let value = fields.required(name, mistakes)?;
    let fields = Fields::of(value, fields.at(name), mistakes)?;
    let score = fields.fraction("score", mistakes);
    let rules_applied = fields.texts("rules_applied", mistakes);
    let lower_bound = fields.optional_fraction("lower_bound", mistakes);
    let upper_bound = fields.optional_fraction("upper_bound", mistakes);
    Some(ScorecardDimension {
        score: score?,
        rules_applied,
        lower_bound,
        upper_bound,
    })
}

async fn list(State(app): State<App>, parameters: Parameters) -> Result<Json<Value>, HttpError> {
    let mut mistakes = Mistakes::default();
    let request = page_request(&parameters, &mut mistakes);
    mistakes.finish()?;
    let page = use_case(&app).list(request).await?;
    Ok(page_json(request, &page, listed_json))
}

async fn detail(State(app): State<App>, Key(id): Key) -> Result<Json<Value>, HttpError> {
    Ok(Json(detail_json(&use_case(&app).detail(&id).await?)))
}

async fn update(State(app): State<App>, Key(id): Key, Body(body): Body) -> Result<Json<Value>, HttpError> {
    let mut mistakes = Mistakes::default();
    let change = Fields::of_body(&body, &mut mistakes).map(|fields| ExperimentChange {
        name: fields.optional_text("name", Length::at_most(NAME_MAX), &mut mistakes),
        hypothesis: fields.optional_text("hypothesis", Length::at_most(HYPOTHESIS_MAX), &mut mistakes),
        description: fields.optional_text("description", Length::at_most(DESCRIPTION_MAX), &mut mistakes),
    });
    mistakes.finish()?;
    Ok(Json(guided_json(
        &use_case(&app).update(&id, &change.unwrap_or_default()).await?,
    )))
}

async fn update_scorecard(
    State(app): State<App>,
    Key(id): Key,
    Body(body): Body,
) -> Result<Json<Value>, HttpError> {
    let mut mistakes = Mistakes::default();
    let fields = Fields::of_body(&body, &mut mistakes);
    let scorecard = fields.and_then(|fields| scorecard(&fields, &mut mistakes));
    mistakes.finish()?;
    // Without a mistake there is a scorecard.
    let scorecard = scorecard.ok_or_else(|| HttpError::Invalid(Vec::new()))?;
    Ok(Json(guided_json(
        &use_case(&app).update_scorecard(&id, &scorecard).await?,
    )))
}

async fn delete(State(app): State<App>, Key(id): Key) -> Result<StatusCode, HttpError> {
    use_case(&app).delete(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn guided_json(guided: &GuidedExperiment) -> Value {
    let experiment = &guided.experiment;
    let scorecard = experiment.scorecard();
    json!({
        "id": experiment.id,
        "name": experiment.name,
        "hypothesis": experiment.hypothesis,
        "description": experiment.description,
        "scorecard_data": scorecard.map(scorecard_json),
        "has_scorecard": scorecard.is_some(),
        "has_interview_guide": guided.has_interview_guide,
        "created_at": stored::time(&experiment.created_at),
        "updated_at": stored::opt_time(experiment.updated_at.as_ref()),
    })
}

/// A scorecard in the order of its keys, with its defaults; one that is incomplete is shown as it is.
fn scorecard_json(document: &cutover_domain::json::Json) -> Value {
    let typed = document
        .view::<ScorecardData>()
        .ok()
        .and_then(|scorecard| serde_json::to_value(scorecard).ok());
    typed.unwrap_or_else(|| document.value())
}

fn listed_json(listed: &ListedExperiment) -> Value {
    let experiment = &listed.experiment;
    json!({
        "id": experiment.id,
        "name": experiment.name,
        "hypothesis": experiment.hypothesis,
        "description": experiment.description,
        "has_scorecard": experiment.has_scorecard,
        "has_analysis": listed.has_analysis,
        "has_interview_guide": listed.has_interview_guide,
        "interview_count": listed.interview_count,
        "created_at": stored::time(&experiment.created_at),
        "updated_at": stored::opt_time(experiment.updated_at.as_ref()),
    })
}

fn detail_json(detail: &ExperimentDetail) -> Value {
    let mut json = guided_json(&detail.guided);
    if let Some(object) = json.as_object_mut() {
        object.insert(
            "analysis".to_owned(),
            detail.analysis.as_ref().map_or(Value::Null, analysis_json),
        );
        object.insert(
            "interviews".to_owned(),
            detail.interviews.iter().map(interview_json).collect(),
        );
        object.insert("interview_count".to_owned(), detail.interviews.len().into());
    }
    json
}

fn analysis_json(run: &AnalysisRun) -> Value {
    let rates = |outcomes: Value| {
        if outcomes.is_null() {
            return Value::Null;
        }
        let rate = |name: &str| outcomes.get(name).cloned().unwrap_or(Value::Null);
        json!({
            "did_not_try_rate": rate("did_not_try_rate"),
            "failed_rate": rate("failed_rate"),
            "success_rate": rate("success_rate"),
        })
    };
    let config = run.config.value();
    json!({
        "id": run.id,
        "simulation_id": run.id,
        "status": stored::text_enum(&run.status),
        "started_at": stored::time(&run.started_at),
        "completed_at": stored::opt_time(run.completed_at.as_ref()),
        "total_synths": stored::opt_number(run.total_synths.as_ref()),
        "n_executions": config.get("n_executions").cloned().unwrap_or_else(|| 100.into()),
        "execution_time_seconds": stored::opt_number(run.execution_time_seconds.as_ref()),
        "aggregated_outcomes": rates(stored::opt_json(run.aggregated_outcomes.as_ref())),
    })
}

fn interview_json(interview: &Interview) -> Value {
    let execution = &interview.execution;
    json!({
        "exec_id": execution.exec_id,
        "topic_name": execution.topic_name,
        "status": stored::text_enum(&execution.status),
        "synth_count": stored::number(&execution.synth_count),
        "total_turns": interview.total_turns,
        "has_summary": interview.has_summary,
        "has_prfaq": interview.has_prfaq,
        "additional_context": execution.additional_context,
        "started_at": stored::time(&execution.started_at),
        "completed_at": stored::opt_time(execution.completed_at.as_ref()),
    })
}
