//! `/lab/synth-groups`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use cutover_domain::lab::synth::SynthSummary;
use cutover_domain::lab::synth_group::{SynthGroup, is_group_id};
use serde_json::{Value, json};

use super::{page_json, page_request, stored};
use crate::http::App;
use crate::http::error::HttpError;
use crate::http::request::{Body, Fields, Key, Length, Mistakes, Parameters};
use crate::usecase::lab::synth_groups::{NewGroup, SynthGroups};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/", post(create))
        .route("/list", get(list))
        .route("/{id}", get(detail).delete(delete))
}

fn use_case(app: &App) -> SynthGroups {
    SynthGroups::new(&app.routing.lab(), Arc::clone(&app.clock), Arc::clone(&app.ids))
}

async fn create(State(app): State<App>, Body(body): Body) -> Result<(StatusCode, Json<Value>), HttpError> {
    let mut mistakes = Mistakes::default();
    let new = new_group(&body, &mut mistakes);
    mistakes.finish()?;
    let made = use_case(&app).create(new).await?;
    Ok((
        StatusCode::CREATED,
        Json(group_json(&made.group, made.synth_count)),
    ))
}

fn new_group(body: &Value, mistakes: &mut Mistakes) -> NewGroup {
    let Some(fields) = Fields::of_body(body, mistakes) else {
        return NewGroup::default();
    };
    let id = fields.optional_text("id", Length::default(), mistakes);
    if let Some(id) = id.as_deref().filter(|id| !is_group_id(id)) {
        let pattern = "^grp_[a-f0-9]{8}$";
        let message = format!("String should match pattern '{pattern}'");
        mistakes.add(
            "string_pattern_mismatch",
            &fields.at("id"),
            &message,
            &id.into(),
            Some(json!({ "pattern": pattern })),
        );
    }
    NewGroup {
        id,
        name: fields
            .text("name", Length::at_least(1), mistakes)
            .unwrap_or_default(),
        description: fields.optional_text("description", Length::default(), mistakes),
    }
}

async fn list(State(app): State<App>, parameters: Parameters) -> Result<Json<Value>, HttpError> {
    let mut mistakes = Mistakes::default();
    let request = page_request(&parameters, &mut mistakes);
    mistakes.finish()?;
    let page = use_case(&app).list(request).await?;
    Ok(page_json(request, &page, |item| {
        group_json(&item.group, item.synth_count)
    }))
}

async fn detail(State(app): State<App>, Key(id): Key) -> Result<Json<Value>, HttpError> {
    let (group, synths) = use_case(&app).detail(&id).await?;
    let mut detail = group_json(&group, u64::try_from(synths.len()).unwrap_or(u64::MAX));
    if let Some(object) = detail.as_object_mut() {
        object.insert("synths".to_owned(), synths.iter().map(member_json).collect());
    }
    Ok(Json(detail))
}

async fn delete(State(app): State<App>, Key(id): Key) -> Result<StatusCode, HttpError> {
    use_case(&app).delete(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn group_json(group: &SynthGroup, synth_count: u64) -> Value {
    json!({
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "synth_count": synth_count,
        "created_at": stored::time(&group.created_at),
    })
}

fn member_json(synth: &SynthSummary) -> Value {
    json!({
        "id": synth.id,
        "nome": synth.nome,
        "descricao": synth.descricao,
        "avatar_path": synth.avatar_path,
        "synth_group_id": synth.synth_group_id,
        "created_at": stored::time(&synth.created_at),
    })
}
