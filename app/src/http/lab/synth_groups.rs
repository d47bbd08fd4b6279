//! `/lab/synth-groups`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use cutover_domain::lab::synth::SynthSummary;
use cutover_domain::lab::synth_group::is_group_id;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{PageOf, PageQuery};
use super::stored::Time;
use crate::http::App;
use crate::http::error::{Failure, HttpError};
use crate::http::json::Json;
use crate::http::request::{Body, Fields, Key, Length, Mistakes, Parameters, text_of_pattern};
use crate::usecase::lab::synth_groups::{CountedGroup, NewGroup, SynthGroups};

const TAG: &str = "Lab: synth groups";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(list))
        .routes(routes!(detail, delete))
}

fn use_case(app: &App) -> SynthGroups {
    SynthGroups::new(&app.routing.lab(), Arc::clone(&app.clock), Arc::clone(&app.ids))
}

/// A group to be made.
#[derive(ToSchema)]
struct SynthGroupToMake {
    /// Its id; without one it gets a random one.
    #[schema(pattern = "^grp_[a-f0-9]{8}$")]
    id: Option<String>,
    /// Its name, which is not blank.
    #[schema(min_length = 1, pattern = r"\S")]
    name: String,
    /// Its description.
    description: Option<String>,
}

/// A group of synths.
#[derive(Serialize, ToSchema)]
struct SynthGroup {
    /// Its id.
    id: String,
    /// Its name; several groups may have the same.
    name: String,
    /// Its description.
    description: Option<String>,
    /// How many synths are in it.
    synth_count: u64,
    /// When it was made.
    created_at: Time,
}

/// A group and all its synths.
#[derive(Serialize, ToSchema)]
struct SynthGroupDetail {
    /// The group.
    #[serde(flatten)]
    group: SynthGroup,
    /// Its synths, newest first.
    synths: Vec<SynthGroupMember>,
}

/// A synth of a group.
#[derive(Serialize, ToSchema)]
struct SynthGroupMember {
    /// Its id.
    id: String,
    /// Its name.
    nome: String,
    /// Its description.
    descricao: Option<String>,
    /// Where its avatar lies.
    avatar_path: Option<String>,
    /// The group.
    synth_group_id: Option<String>,
    /// When it was made.
    created_at: Time,
}

impl From<CountedGroup> for SynthGroup {
    fn from(counted: CountedGroup) -> Self {
        Self {
            created_at: Time::from(&counted.group.created_at),
            id: counted.group.id,
            name: counted.group.name,
            description: counted.group.description,
            synth_count: counted.synth_count,
        }
    }
}

impl From<SynthSummary> for SynthGroupMember {
    fn from(synth: SynthSummary) -> Self {
        Self {
            created_at: Time::from(&synth.created_at),
            id: synth.id,
            nome: synth.nome,
            descricao: synth.descricao,
            avatar_path: synth.avatar_path,
            synth_group_id: synth.synth_group_id,
        }
    }
}

/// Make a group.
#[utoipa::path(
    post, path = "/synth-groups", tag = TAG, request_body = SynthGroupToMake,
    responses((status = 201, body = SynthGroup), (status = 409, body = Failure, description = "The id is taken."))
)]
async fn create(
    State(app): State<App>,
    Body(body): Body,
) -> Result<(StatusCode, Json<SynthGroup>), HttpError> {
    let mut mistakes = Mistakes::default();
    let group = SynthGroupToMake::read(&body, &mut mistakes);
    let group = mistakes.finish(group)?;
    let made = use_case(&app)
        .create(NewGroup {
            id: group.id,
            name: group.name,
            description: group.description,
        })
        .await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

impl SynthGroupToMake {
    fn read(body: &Value, mistakes: &mut Mistakes) -> Option<Self> {
        let fields = Fields::of_body(body, mistakes)?;
        let id = fields.present("id").and_then(|id| {
            let pattern = "^grp_[a-f0-9]{8}$";
            text_of_pattern(id, &fields.at("id"), pattern, is_group_id, mistakes)
        });
        let name = fields.text("name", Length::at_least(1), mistakes);
        let description = fields.optional_text("description", Length::default(), mistakes);
        Some(Self {
            id,
            name: name?,
            description,
        })
    }
}

/// A page of groups, newest first.
#[utoipa::path(get, path = "/synth-groups/list", tag = TAG, params(PageQuery), responses((status = 200, body = PageOf<SynthGroup>)))]
async fn list(State(app): State<App>, parameters: Parameters) -> Result<Json<PageOf<SynthGroup>>, HttpError> {
    let mut mistakes = Mistakes::default();
    let request = PageQuery::read(&parameters, &mut mistakes);
    let request = mistakes.finish(Some(request))?;
    let page = use_case(&app).list(request).await?;
    Ok(Json(PageOf::from_page(request, page)))
}

/// A group and all its synths.
#[utoipa::path(
    get, path = "/synth-groups/{id}", tag = TAG, params(("id" = String, Path)),
    responses((status = 200, body = SynthGroupDetail), (status = 404, body = Failure))
)]
async fn detail(State(app): State<App>, Key(id): Key) -> Result<Json<SynthGroupDetail>, HttpError> {
    let (group, synths) = use_case(&app).detail(&id).await?;
    let synth_count = synths.len() as u64;
    Ok(Json(SynthGroupDetail {
        group: CountedGroup { group, synth_count }.into(),
        synths: synths.into_iter().map(SynthGroupMember::from).collect(),
    }))
}

/// Delete a group; its synths stay, without one.
#[utoipa::path(
    delete, path = "/synth-groups/{id}", tag = TAG, params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Failure))
)]
async fn delete(State(app): State<App>, Key(id): Key) -> Result<StatusCode, HttpError> {
    use_case(&app).delete(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
