//! `/lab/synths`.

use std::path::{Path as FilePath, PathBuf};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use cutover_domain::lab::synth::{
    CURRENT_VERSION, SortDirection, Synth, SynthListing, SynthSort, SynthSummary, observable_label,
};
use cutover_domain::stored::TextEnum as _;
use serde_json::{Map, Value, json};

use super::{page_json, page_request, stored};
use crate::http::App;
use crate::http::error::HttpError;
use crate::http::request::{Body, Fields, Key, Length, Mistakes, Parameters};
use crate::usecase::UseCaseError;
use crate::usecase::lab::synths::Synths;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/list", get(list))
        .route("/fields", get(fields))
        .route("/search", post(search))
        .route("/{id}", get(detail))
        .route("/{id}/avatar", get(avatar))
}

async fn list(State(app): State<App>, parameters: Parameters) -> Result<Json<Value>, HttpError> {
    let mut mistakes = Mistakes::default();
    let request = page_request(&parameters, &mut mistakes);
    let listing = listing(&parameters, &mut mistakes);
    mistakes.finish()?;
    let page = Synths::new(&app.routing.lab()).list(listing, request).await?;
    let selected = parameters.text("fields").filter(|fields| !fields.is_empty());
    // A client that leaves out `created_at` gets the time of its question, as from the original.
    let now = app.clock.now().to_json_text();
    Ok(page_json(request, &page, |synth| {
        select(summary_json(synth), selected, &now)
    }))
}

/// An order that is not one of the columns is passed over, as the original does with what is no name.
fn listing(parameters: &Parameters, mistakes: &mut Mistakes) -> SynthListing {
    let default = SynthListing::default();
    let direction = parameters.text("sort_order").unwrap_or("desc");
    if SortDirection::from_text(direction).is_none() {
        let at = ["query".into(), "sort_order".into()];
        let pattern = "^(asc|desc)$";
        let message = format!("String should match pattern '{pattern}'");
        let context = Some(json!({ "pattern": pattern }));
        mistakes.add(
            "string_pattern_mismatch",
            &at,
            &message,
            &direction.into(),
            context,
        );
    }
    let sort = parameters.text("sort_by").and_then(SynthSort::from_text);
    SynthListing {
        synth_group_id: parameters.text("synth_group_id").map(str::to_owned),
        // Without an order of the client's the newest come first, whatever the direction.
        direction: sort
            .and(SortDirection::from_text(direction))
            .unwrap_or(default.direction),
        sort: sort.unwrap_or(default.sort),
    }
}

/// Keeps the selected fields (a comma-separated list; `id` always) and gives the others their defaults.
fn select(mut synth: Value, selected: Option<&str>, now: &str) -> Value {
    let (Some(selected), Some(object)) = (selected, synth.as_object_mut()) else {
        return synth;
    };
    for (name, value) in object.iter_mut() {
        if name != "id" && !selected.split(',').any(|field| field.trim() == name) {
            *value = match name.as_str() {
                "nome" => "".into(),
                "created_at" => now.into(),
                "version" => "2.0.0".into(),
                _ => Value::Null,
            };
        }
    }
    synth
}

/// Search by SQL text is not offered; without any condition it is the list.
async fn search(
    State(app): State<App>,
    parameters: Parameters,
    Body(body): Body,
) -> Result<Json<Value>, HttpError> {
    let mut mistakes = Mistakes::default();
    let request = page_request(&parameters, &mut mistakes);
    let mut filtered = false;
    if let Some(fields) = Fields::of_body(&body, &mut mistakes) {
        for name in ["where_clause", "query"] {
            filtered |= fields
                .optional_text(name, Length::default(), &mut mistakes)
                .is_some_and(|text| !text.is_empty());
        }
    }
    mistakes.finish()?;
    if filtered {
        let message = "Searching by a condition is not available; list the synths instead".to_owned();
        return Err(HttpError::Domain(
            StatusCode::NOT_IMPLEMENTED,
            "NOT_IMPLEMENTED",
            message,
        ));
    }
    let page = Synths::new(&app.routing.lab())
        .list(SynthListing::default(), request)
        .await?;
    Ok(page_json(request, &page, summary_json))
}

async fn fields() -> Json<Value> {
    let field = |name: &str, kind: &str, description: &str, nested: Option<Vec<&str>>| json!({ "name": name, "type": kind, "description": description, "nested_fields": nested });
    Json(json!([
        field("id", "string", "Identifier of six characters", None),
        field("nome", "string", "Display name", None),
        field("descricao", "string", "Short description", None),
        field("created_at", "datetime", "When the synth was made", None),
        field(
            "data.demografia",
            "object",
            "Demographics",
            Some(names(DEMOGRAFIA))
        ),
        field(
            "data.psicografia",
            "object",
            "Psychographics",
            Some(names(PSICOGRAFIA))
        ),
        field(
            "data.deficiencias",
            "object",
            "Disabilities",
            Some(names(DEFICIENCIAS))
        ),
        field(
            "data.observables",
            "object",
            "Observable attributes",
            Some(OBSERVABLES.map(|(key, ..)| key).to_vec())
        ),
    ]))
}

async fn detail(State(app): State<App>, Key(id): Key) -> Result<Json<Value>, HttpError> {
    let synth = Synths::new(&app.routing.lab())
        .get(&id)
        .await
        .map_err(synth_error)?;
    Ok(Json(detail_json(&synth)))
}

async fn avatar(State(app): State<App>, Key(id): Key) -> Result<Response, HttpError> {
    let synth = Synths::new(&app.routing.lab())
        .get(&id)
        .await
        .map_err(synth_error)?
        .summary;
    let path = synth
        .avatar_path
        .as_deref()
        .map_or_else(|| PathBuf::from(format!("{}.png", synth.id)), PathBuf::from);
    if let Some(picture) = read_avatar(&app.avatars, &path).await {
        return Ok(([(header::CONTENT_TYPE, "image/png")], picture).into_response());
    }
    if let Some(link) = synth
        .link_photo
        .as_deref()
        .filter(|link| link.starts_with("http"))
    {
        return Ok(Redirect::temporary(link).into_response());
    }
    let message = format!("Avatar of synth '{id}' not found");
    Err(HttpError::Domain(
        StatusCode::NOT_FOUND,
        "AVATAR_NOT_FOUND",
        message,
    ))
}

/// The picture, if it lies in the avatars' folder: a stored path may come from another machine, and its directories are
/// not trusted.
async fn read_avatar(folder: &FilePath, stored: &FilePath) -> Option<Vec<u8>> {
    let file = folder.join(stored.file_name()?);
    let file = tokio::fs::canonicalize(file).await.ok()?;
    let folder = tokio::fs::canonicalize(folder).await.ok()?;
    if !file.starts_with(folder) {
        return None;
    }
    tokio::fs::read(file).await.ok()
}

fn synth_error(error: UseCaseError) -> HttpError {
    match error {
        UseCaseError::NotFound { id, .. } => HttpError::Domain(
            StatusCode::NOT_FOUND,
            "SYNTH_NOT_FOUND",
            format!("Synth with ID '{id}' not found"),
        ),
        other => other.into(),
    }
}

fn summary_json(synth: &SynthSummary) -> Value {
    json!({
        "id": synth.id,
        "synth_group_id": synth.synth_group_id,
        "nome": synth.nome,
        "descricao": synth.descricao,
        "link_photo": synth.link_photo,
        "avatar_path": synth.avatar_path,
        "created_at": stored::time(&synth.created_at),
        "version": synth.version.as_deref().unwrap_or(CURRENT_VERSION),
    })
}

/// The parts of a document that clients see; unknown keys stay in the store.
#[derive(Clone, Copy)]
enum Shape {
    Plain,
    /// What a missing value is.
    Default(&'static str),
    List,
    Object(&'static [(&'static str, Shape)]),
}

const DEMOGRAFIA: &[(&str, Shape)] = &[
    ("idade", Shape::Plain),
    ("genero_biologico", Shape::Plain),
    ("raca_etnia", Shape::Plain),
    (
        "localizacao",
        Shape::Object(&[
            ("pais", Shape::Default("Brasil")),
            ("regiao", Shape::Plain),
            ("estado", Shape::Plain),
            ("cidade", Shape::Plain),
        ]),
    ),
    ("escolaridade", Shape::Plain),
    ("renda_mensal", Shape::Plain),
    ("ocupacao", Shape::Plain),
    ("estado_civil", Shape::Plain),
    (
        "composicao_familiar",
        Shape::Object(&[("tipo", Shape::Plain), ("numero_pessoas", Shape::Plain)]),
    ),
];
const PSICOGRAFIA: &[(&str, Shape)] = &[
    ("interesses", Shape::List),
    (
        "contrato_cognitivo",
        Shape::Object(&[
            ("tipo", Shape::Plain),
            ("perfil_cognitivo", Shape::Plain),
            ("regras", Shape::List),
            ("efeito_esperado", Shape::Plain),
        ]),
    ),
];
const DEFICIENCIA: Shape = Shape::Object(&[("tipo", Shape::Plain)]);
const DEFICIENCIAS: &[(&str, Shape)] = &[
    ("visual", DEFICIENCIA),
    ("auditiva", DEFICIENCIA),
    ("motora", DEFICIENCIA),
    ("cognitiva", DEFICIENCIA),
];

/// The observables: key, name and description in the language of the application.
const OBSERVABLES: [(&str, &str, &str); 5] = [
    (
        "digital_literacy",
        "Literacia Digital",
        "Facilidade no uso de tecnologias digitais",
    ),
    (
        "similar_tool_experience",
        "Experiência com Ferramentas Similares",
        "Uso anterior de ferramentas parecidas",
    ),
    (
        "motor_ability",
        "Capacidade Motora",
        "Facilidade de interação física com interfaces",
    ),
    (
        "time_availability",
        "Disponibilidade de Tempo",
        "Tempo disponível para aprender e usar",
    ),
    (
        "domain_expertise",
        "Conhecimento do Domínio",
        "Conhecimento do assunto da funcionalidade",
    ),
];

fn names(shape: &[(&'static str, Shape)]) -> Vec<&'static str> {
    shape.iter().map(|(name, _)| *name).collect()
}

fn detail_json(synth: &Synth) -> Value {
    let data = synth
        .data
        .as_ref()
        .map_or(Value::Null, cutover_domain::json::Json::value);
    let part =
        |name: &str, shape: &'static [(&'static str, Shape)]| shaped(data.get(name), Shape::Object(shape));
    let observables = data.get("observables").filter(|value| value.is_object());
    let mut detail = summary_json(&synth.summary);
    if let Some(object) = detail.as_object_mut() {
        object.insert("demografia".to_owned(), part("demografia", DEMOGRAFIA));
        object.insert("psicografia".to_owned(), part("psicografia", PSICOGRAFIA));
        object.insert("deficiencias".to_owned(), part("deficiencias", DEFICIENCIAS));
        object.insert(
            "observables".to_owned(),
            observables.cloned().unwrap_or(Value::Null),
        );
        object.insert(
            "simulation_attributes".to_owned(),
            observables.map_or(Value::Null, attributes_json),
        );
    }
    detail
}

/// What a shape leaves of a value. A value of another form than expected is shown as it is.
fn shaped(value: Option<&Value>, shape: Shape) -> Value {
    let value = value.filter(|value| !value.is_null());
    match (shape, value) {
        (Shape::Plain | Shape::Object(_), None) => Value::Null,
        (Shape::Default(default), None) => default.into(),
        (Shape::List, None) => json!([]),
        (Shape::Object(members), Some(Value::Object(object))) => {
            let members = members
                .iter()
                .map(|(name, shape)| ((*name).to_owned(), shaped(object.get(*name), *shape)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        (_, Some(value)) => value.clone(),
    }
}

fn attributes_json(observables: &Value) -> Value {
    let formatted = OBSERVABLES.iter().filter_map(|(key, name, description)| {
        let value = observables.get(key)?.as_f64()?;
        let label = observable_label(value);
        Some(json!({ "key": key, "name": name, "value": value, "label": label, "description": description }))
    });
    json!({ "observables_formatted": formatted.collect::<Vec<_>>(), "raw": observables })
}
