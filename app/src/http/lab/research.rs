//! `/lab/research`, `/lab/prfaq` and the automatic interviews of an experiment.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::IntoResponse;
use cutover_domain::lab::prfaq::{PrfaqOrder, PrfaqSort, PrfaqSummary, ValidationStatus};
use cutover_domain::lab::research_execution::{
    DEFAULT_MAX_TURNS, ExecutionOrder, ExecutionSort, Message, ResearchExecution, Transcript,
    TranscriptSummary,
};
use cutover_domain::stored::TextEnum as _;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{PageOf, PageQuery, SortQuery};
use super::stored::{Document, Scalar, Time, opt, shown_model};
use crate::http::App;
use crate::http::error::{Failure, HttpError};
use crate::http::json::Json;
use crate::http::request::{Key, Keys, Mistakes, Parameters};
use crate::usecase::UseCaseError;
use crate::usecase::lab::research::{ExecutionDetail, OnTopic, Research};

const TAG: &str = "Lab: research";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(detail))
        .routes(routes!(transcripts))
        .routes(routes!(transcript))
        .routes(routes!(stream))
        .routes(routes!(latest_automatic))
        .routes(routes!(list_prfaqs))
        .routes(routes!(prfaq))
        .routes(routes!(prfaq_markdown))
}

fn use_case(app: &App) -> Research {
    Research::new(app.routing.lab())
}

fn no_execution(error: UseCaseError, exec_id: &str) -> HttpError {
    let message = format!("Research execution not found: {exec_id}");
    HttpError::coded(
        error,
        "EXECUTION_NOT_FOUND",
        message,
        json!({ "exec_id": exec_id }),
    )
}

/// A round of interviews.
#[derive(Serialize, ToSchema)]
struct Execution {
    /// Its id.
    exec_id: String,
    /// The experiment, if it belongs to one.
    experiment_id: Option<String>,
    /// Its topic.
    topic_name: String,
    /// `pending`, `running`, `generating_summary`, `completed` or `failed`.
    status: Scalar,
    /// Interviews planned.
    synth_count: Scalar,
    /// When it was started.
    started_at: Time,
    /// When it ended.
    completed_at: Option<Time>,
}

/// A round of interviews and what was written about it.
#[derive(Serialize, ToSchema)]
#[schema(as = ExecutionDetail)]
struct Detail {
    /// The round.
    #[serde(flatten)]
    execution: Execution,
    /// Interviews that went well.
    successful_count: Scalar,
    /// Interviews that did not.
    failed_count: Scalar,
    /// The language model.
    model: String,
    /// How often both sides speak.
    max_turns: Scalar,
    /// Whether there is a summary among the experiment's documents.
    summary_available: bool,
    /// Whether there is a PR/FAQ among the experiment's documents.
    prfaq_available: bool,
}

/// A round that was started by itself.
#[derive(Serialize, ToSchema)]
struct AutomaticExecution {
    /// Its id.
    exec_id: String,
    /// `pending`, `running`, `generating_summary`, `completed` or `failed`.
    status: Scalar,
    /// Its topic.
    topic_name: String,
    /// Interviews planned.
    synth_count: Scalar,
    /// When it was started.
    started_at: Time,
}

/// A transcript without what was said.
#[derive(Serialize, ToSchema)]
struct ListedTranscript {
    /// The synth, which may be gone.
    synth_id: String,
    /// Its name at the time.
    synth_name: String,
    /// How often both sides spoke; 0 where nothing is stored.
    turn_count: Scalar,
    /// When it was written.
    timestamp: Time,
    /// `completed`, as a rule.
    status: String,
}

/// What was said in one interview.
#[derive(Serialize, ToSchema)]
struct WholeTranscript {
    /// The round.
    exec_id: String,
    /// The synth, which may be gone.
    synth_id: String,
    /// Its name at the time.
    synth_name: String,
    /// How often both sides spoke; 0 where nothing is stored.
    turn_count: Scalar,
    /// When it was written.
    timestamp: Time,
    /// `completed`, as a rule.
    status: String,
    /// What was said.
    messages: Document<Vec<Message>>,
}

/// A PR/FAQ without its text.
#[derive(Serialize, ToSchema)]
#[schema(as = PrfaqSummary)]
struct ListedPrfaq {
    /// The round it is about.
    exec_id: String,
    /// The round's topic; none, if the round is gone.
    topic_name: Option<String>,
    /// Its headline.
    headline: Option<String>,
    /// The same in one line.
    one_liner: Option<String>,
    /// How many questions it answers; 0 where nothing is stored.
    faq_count: Scalar,
    /// When it was written; none, while it is being written.
    generated_at: Option<Time>,
    /// `valid`, `invalid` or `pending`; `valid` where nothing is stored.
    validation_status: Scalar,
    /// How sure the writer is, 0 to 1.
    confidence_score: Option<Scalar>,
}

impl From<ResearchExecution> for Execution {
    fn from(execution: ResearchExecution) -> Self {
        Self {
            status: Scalar::of_enum(&execution.status),
            synth_count: Scalar::from(&execution.synth_count),
            started_at: Time::from(&execution.started_at),
            completed_at: opt(execution.completed_at.as_ref()),
            exec_id: execution.exec_id,
            experiment_id: execution.experiment_id,
            topic_name: execution.topic_name,
        }
    }
}

impl From<ExecutionDetail> for Detail {
    fn from(detail: ExecutionDetail) -> Self {
        let execution = detail.execution;
        Self {
            successful_count: Scalar::or(execution.successful_count.as_ref(), 0),
            failed_count: Scalar::or(execution.failed_count.as_ref(), 0),
            model: shown_model(execution.model.clone()),
            max_turns: Scalar::or(execution.max_turns.as_ref(), DEFAULT_MAX_TURNS),
            summary_available: detail.summary_available,
            prfaq_available: detail.prfaq_available,
            execution: execution.into(),
        }
    }
}

impl From<ResearchExecution> for AutomaticExecution {
    fn from(execution: ResearchExecution) -> Self {
        Self {
            status: Scalar::of_enum(&execution.status),
            synth_count: Scalar::from(&execution.synth_count),
            started_at: Time::from(&execution.started_at),
            exec_id: execution.exec_id,
            topic_name: execution.topic_name,
        }
    }
}

impl From<TranscriptSummary> for ListedTranscript {
    fn from(transcript: TranscriptSummary) -> Self {
        Self {
            turn_count: Scalar::or(transcript.turn_count.as_ref(), 0),
            timestamp: Time::from(&transcript.timestamp),
            synth_id: transcript.synth_id,
            synth_name: transcript.synth_name,
            status: transcript.status,
        }
    }
}

impl From<Transcript> for WholeTranscript {
    fn from(transcript: Transcript) -> Self {
        let summary = transcript.summary;
        Self {
            exec_id: transcript.exec_id,
            turn_count: Scalar::or(summary.turn_count.as_ref(), 0),
            timestamp: Time::from(&summary.timestamp),
            synth_id: summary.synth_id,
            synth_name: summary.synth_name,
            status: summary.status,
            messages: said(transcript.messages.as_ref()),
        }
    }
}

/// What was said: nothing, where nothing is stored, or an empty object or text.
fn said(messages: Option<&cutover_domain::json::Json>) -> Document<Vec<Message>> {
    match Document::opt(messages) {
        Some(Document::Other(Value::Object(none))) if none.is_empty() => Document::Shaped(Vec::new()),
        Some(Document::Other(Value::String(none))) if none.is_empty() => Document::Shaped(Vec::new()),
        Some(messages) => messages,
        None => Document::Shaped(Vec::new()),
    }
}

impl From<OnTopic<PrfaqSummary>> for ListedPrfaq {
    fn from(on_topic: OnTopic<PrfaqSummary>) -> Self {
        let prfaq = on_topic.prfaq;
        Self {
            topic_name: on_topic.topic_name,
            faq_count: Scalar::or(prfaq.faq_count.as_ref(), 0),
            generated_at: opt(prfaq.generated_at.as_ref()),
            validation_status: Scalar::of_enum_or(prfaq.validation_status.as_ref(), ValidationStatus::Valid),
            confidence_score: opt(prfaq.confidence_score.as_ref()),
            exec_id: prfaq.exec_id,
            headline: prfaq.headline,
            one_liner: prfaq.one_liner,
        }
    }
}

/// A page of rounds of interviews, by `started_at` unless another column is named.
#[utoipa::path(
    get, path = "/research/list", tag = TAG, params(PageQuery, SortQuery),
    responses((status = 200, body = PageOf<Execution>))
)]
async fn list(State(app): State<App>, parameters: Parameters) -> Result<Json<PageOf<Execution>>, HttpError> {
    let mut mistakes = Mistakes::default();
    let request = PageQuery::read(&parameters, &mut mistakes);
    let sort = SortQuery::read(&parameters, &mut mistakes);
    let sort = mistakes.finish(Some(sort))?;
    let order = match sort.sort_by.as_deref() {
        Some(name) => ExecutionSort::from_text(name),
        None => Some(ExecutionSort::StartedAt),
    };
    let order = order.map_or_else(ExecutionOrder::default, |column| ExecutionOrder {
        sort: column,
        direction: sort.direction(),
    });
    let page = use_case(&app).list(order, request).await?;
    Ok(Json(PageOf::from_page(request, page)))
}

/// A round of interviews.
#[utoipa::path(
    get, path = "/research/{exec_id}", tag = TAG, params(("exec_id" = String, Path)),
    responses((status = 200, body = Detail), (status = 404, body = Failure))
)]
async fn detail(State(app): State<App>, Key(exec_id): Key) -> Result<Json<Detail>, HttpError> {
    let detail = use_case(&app).detail(&exec_id).await;
    let detail = detail.map_err(|error| no_execution(error, &exec_id))?;
    Ok(Json(detail.into()))
}

/// A page of the transcripts of a round, oldest first.
#[utoipa::path(
    get, path = "/research/{exec_id}/transcripts", tag = TAG, params(("exec_id" = String, Path), PageQuery),
    responses((status = 200, body = PageOf<ListedTranscript>), (status = 404, body = Failure))
)]
async fn transcripts(
    State(app): State<App>,
    Key(exec_id): Key,
    parameters: Parameters,
) -> Result<Json<PageOf<ListedTranscript>>, HttpError> {
    let mut mistakes = Mistakes::default();
    let request = PageQuery::read(&parameters, &mut mistakes);
    let request = mistakes.finish(Some(request))?;
    let page = use_case(&app)
        .transcripts(&exec_id, request)
        .await
        .map_err(|error| no_execution(error, &exec_id))?;
    Ok(Json(PageOf::from_page(request, page)))
}

/// What was said to one synth.
#[utoipa::path(
    get, path = "/research/{exec_id}/transcripts/{synth_id}", tag = TAG,
    params(("exec_id" = String, Path), ("synth_id" = String, Path)),
    responses((status = 200, body = WholeTranscript), (status = 404, body = Failure))
)]
async fn transcript(
    State(app): State<App>,
    Keys(exec_id, synth_id): Keys,
) -> Result<Json<WholeTranscript>, HttpError> {
    let transcript = use_case(&app).transcript(&exec_id, &synth_id).await;
    let transcript = transcript.map_err(|error| {
        let message = format!("Transcript not found for synth {synth_id} in execution {exec_id}");
        let details = json!({ "exec_id": exec_id, "synth_id": synth_id });
        HttpError::coded(error, "TRANSCRIPT_NOT_FOUND", message, details)
    })?;
    Ok(Json(transcript.into()))
}

/// What was said in the first 50 interviews of a round, as server-sent events.
///
/// An event `message` for each utterance, then `execution_completed` if the round is over. Nothing interviews here, so no
/// others follow.
#[utoipa::path(
    get, path = "/research/{exec_id}/stream", tag = TAG, params(("exec_id" = String, Path)),
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 404, body = Failure))
)]
async fn stream(State(app): State<App>, Key(exec_id): Key) -> Result<impl IntoResponse, HttpError> {
    let replay = use_case(&app).replay(&exec_id).await;
    let (execution, transcripts) = replay.map_err(|error| match error {
        UseCaseError::NotFound(_) => {
            HttpError::Detail(StatusCode::NOT_FOUND, "Execution not found".to_owned())
        }
        other => other.into(),
    })?;
    let mut events = String::new();
    for transcript in &transcripts {
        let synth = &transcript.summary;
        let Document::Shaped(messages) = said(transcript.messages.as_ref()) else {
            continue;
        };
        for (index, message) in messages.iter().enumerate() {
            let data = json!({
                "event_type": "message", "exec_id": exec_id, "synth_id": synth.synth_id,
                "turn_number": index + 1, "speaker": message.speaker, "text": message.text,
                "sentiment": null, "timestamp": Time::from(&synth.timestamp), "is_replay": true,
            });
            events += "event: message\ndata: ";
            events += &data.to_string();
            events += "\n\n";
        }
    }
    if execution.status.known().is_some_and(|status| status.is_final()) {
        events += "event: execution_completed\ndata: {}\n\n";
    }
    let headers = [
        (CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
        // A proxy before this service must not wait for the end either.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, events))
}

/// The newest round of interviews that was started for an experiment by itself; `null` if there is none.
#[utoipa::path(
    get, path = "/experiments/{id}/interviews/auto", tag = TAG, params(("id" = String, Path)),
    responses((status = 200, body = Option<AutomaticExecution>))
)]
async fn latest_automatic(
    State(app): State<App>,
    Key(id): Key,
) -> Result<Json<Option<AutomaticExecution>>, HttpError> {
    let execution = use_case(&app).latest_automatic(&id).await?;
    Ok(Json(execution.map(AutomaticExecution::from)))
}

/// A page of PR/FAQs, by `generated_at` unless another column is named.
#[utoipa::path(
    get, path = "/prfaq/list", tag = TAG, params(PageQuery, SortQuery),
    responses((status = 200, body = PageOf<ListedPrfaq>))
)]
async fn list_prfaqs(
    State(app): State<App>,
    parameters: Parameters,
) -> Result<Json<PageOf<ListedPrfaq>>, HttpError> {
    let mut mistakes = Mistakes::default();
    let request = PageQuery::read(&parameters, &mut mistakes);
    let sort = SortQuery::read(&parameters, &mut mistakes);
    let sort = mistakes.finish(Some(sort))?;
    let order = match sort.sort_by.as_deref() {
        Some(name) => PrfaqSort::from_text(name),
        None => Some(PrfaqSort::GeneratedAt),
    };
    let order = order.map_or_else(PrfaqOrder::default, |column| PrfaqOrder {
        sort: column,
        direction: sort.direction(),
    });
    let page = use_case(&app).list_prfaqs(order, request).await?;
    Ok(Json(PageOf::from_page(request, page)))
}

fn no_prfaq(error: UseCaseError, exec_id: &str) -> HttpError {
    let message = format!("PR-FAQ not found for execution: {exec_id}");
    HttpError::coded(error, "PRFAQ_NOT_FOUND", message, json!({ "exec_id": exec_id }))
}

/// The PR/FAQ of a round.
#[utoipa::path(
    get, path = "/prfaq/{exec_id}", tag = TAG, params(("exec_id" = String, Path)),
    responses((status = 200, body = ListedPrfaq), (status = 404, body = Failure))
)]
async fn prfaq(State(app): State<App>, Key(exec_id): Key) -> Result<Json<ListedPrfaq>, HttpError> {
    let found = use_case(&app).prfaq(&exec_id).await;
    let found = found.map_err(|error| no_prfaq(error, &exec_id))?;
    let summary = OnTopic {
        prfaq: found.prfaq.summary,
        topic_name: found.topic_name,
    };
    Ok(Json(summary.into()))
}

/// The text of a round's PR/FAQ.
#[utoipa::path(
    get, path = "/prfaq/{exec_id}/markdown", tag = TAG, params(("exec_id" = String, Path)),
    responses((status = 200, body = String, content_type = "text/markdown"), (status = 404, body = Failure))
)]
async fn prfaq_markdown(State(app): State<App>, Key(exec_id): Key) -> Result<impl IntoResponse, HttpError> {
    let found = use_case(&app).prfaq(&exec_id).await;
    let found = found.map_err(|error| no_prfaq(error, &exec_id))?;
    let text = found.prfaq.markdown_content.ok_or_else(|| {
        let message = format!("Markdown content not found for PR-FAQ: {exec_id}");
        HttpError::CodedDetail(StatusCode::NOT_FOUND, "MARKDOWN_NOT_FOUND", message)
    })?;
    Ok(([(CONTENT_TYPE, "text/markdown; charset=utf-8")], text))
}
