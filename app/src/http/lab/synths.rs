//! `/lab/synths`.

use std::path::{Path as FilePath, PathBuf};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use cutover_domain::lab::synth as domain;
use cutover_domain::lab::synth::{
    CURRENT_VERSION, Deficiencias, Demografia, Psicografia, SynthListing, SynthSort, observable_label,
};
use cutover_domain::lab::synth_filter::SynthSearch;
use cutover_domain::lab::synth_outcome::Observables;
use cutover_domain::stored::TextEnum as _;
use cutover_domain::time::Timestamp;
use cutover_ports::{Page, PageRequest};
use percent_encoding::{AsciiSet, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{PageOf, PageQuery, SortQuery};
use super::picture::Picture;
use super::stored::{Document, Time, is_nothing, lenient_fraction};
use crate::http::App;
use crate::http::error::{Failure, HttpError};
use crate::http::json::Json;
use crate::http::number::{finite, integer};
use crate::http::paths::ESCAPED;
use crate::http::request::{BodyAfterAll, Fields, Key, Length, Mistakes, Parameters};
use crate::http::schema::Bytes;
use crate::usecase::UseCaseError;
use crate::usecase::lab::synths::Synths;

const TAG: &str = "Lab: synths";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(fields))
        .routes(routes!(search))
        .routes(routes!(detail))
        .routes(routes!(avatar))
}

/// A synth.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the keys are the application's own")]
struct Synth<'a> {
    /// Its id: six lower-case letters and digits.
    id: &'a str,
    /// Its group.
    synth_group_id: Option<&'a str>,
    /// Its name.
    nome: &'a str,
    /// Its description.
    descricao: Option<&'a str>,
    /// Where a photo can be fetched.
    link_photo: Option<&'a str>,
    /// Where its avatar lies.
    avatar_path: Option<&'a str>,
    /// When it was made.
    created_at: Time,
    /// The version of its document.
    version: &'a str,
}

/// A synth and what its document says.
#[derive(Serialize, ToSchema)]
struct SynthDetail<'a> {
    /// What lists show.
    #[serde(flatten)]
    synth: Synth<'a>,
    /// Who it is.
    #[schema(value_type = Option<Document<Demografia>>)]
    demografia: Value,
    /// How it thinks.
    #[schema(value_type = Option<Document<Psicografia>>)]
    psicografia: Value,
    /// What it finds hard.
    #[schema(value_type = Option<Document<Deficiencias>>)]
    deficiencias: Value,
    /// What can be seen of it.
    #[schema(value_type = Option<Document<Observables>>)]
    observables: Value,
    /// The same for people.
    simulation_attributes: Option<SimulationAttributes>,
}

/// What can be seen of a synth, for people.
#[derive(Serialize, ToSchema)]
struct SimulationAttributes {
    /// One by one; none where one of them is no number from 0 to 1.
    observables_formatted: Vec<Observable>,
    /// As they are stored.
    #[schema(value_type = Object)]
    raw: Value,
}

/// One thing that can be seen of a synth.
#[derive(Serialize, ToSchema)]
struct Observable {
    /// Its key.
    key: &'static str,
    /// Its name.
    name: &'static str,
    /// From 0 to 1.
    value: f64,
    /// The same in words.
    label: &'static str,
    /// What it is.
    description: &'static str,
}

/// A field that synths can have.
#[derive(Serialize, ToSchema)]
struct SynthField {
    /// Its name, with that of the document it stands in.
    name: &'static str,
    /// The type of its values.
    r#type: &'static str,
    /// What it is.
    description: &'static str,
    /// The keys of an object.
    nested_fields: Option<Vec<&'static str>>,
}

impl<'a> From<&'a domain::SynthSummary> for Synth<'a> {
    fn from(synth: &'a domain::SynthSummary) -> Self {
        Self {
            id: &synth.id,
            synth_group_id: synth.synth_group_id.as_deref(),
            nome: &synth.nome,
            descricao: synth.descricao.as_deref(),
            link_photo: synth.link_photo.as_deref(),
            avatar_path: synth.avatar_path.as_deref(),
            created_at: Time::from(&synth.created_at),
            version: synth.version.as_deref().unwrap_or(CURRENT_VERSION),
        }
    }
}

impl<'a> From<&'a domain::Synth> for SynthDetail<'a> {
    fn from(synth: &'a domain::Synth) -> Self {
        let data = synth
            .data
            .as_ref()
            .map_or(Value::Null, cutover_domain::json::Json::canonical);
        let part = |name: &str, shape: &'static [(&'static str, Shape)]| {
            shaped(data.get(name), Shape::Object(shape))
        };
        let mut summary = Synth::from(&synth.summary);
        // A synth alone has the current version for an empty one as well.
        if summary.version.is_empty() {
            summary.version = CURRENT_VERSION;
        }
        Self {
            synth: summary,
            demografia: part("demografia", DEMOGRAFIA),
            psicografia: part("psicografia", PSICOGRAFIA),
            deficiencias: part("deficiencias", DEFICIENCIAS),
            simulation_attributes: data
                .get("simulation_attributes")
                .and_then(SimulationAttributes::of),
            observables: data
                .get("observables")
                .filter(|observables| observables.is_object())
                .map_or(Value::Null, |observables| {
                    known_first(observables, &OBSERVABLES.map(|(key, ..)| key))
                }),
        }
    }
}

/// An object with the keys that the application knows in its order, then what else there is.
fn known_first(value: &Value, known: &[&str]) -> Value {
    let Value::Object(object) = value else {
        return value.clone();
    };
    let first = known.iter().filter_map(|key| object.get_key_value(*key));
    let others = object.iter().filter(|(key, _)| !known.contains(&key.as_str()));
    let members = first.chain(others);
    Value::Object(members.map(|(key, value)| (key.clone(), value.clone())).collect())
}

impl SimulationAttributes {
    /// Of what the document says of them, if it names observables: one that it does not name has its usual value, and where one is no
    /// number from 0 to 1 none is shown.
    fn of(stored: &Value) -> Option<Self> {
        let observables = stored.get("observables").filter(|value| !is_nothing(value))?;
        let shown = OBSERVABLES.into_iter().map(|(key, name, description, usual)| {
            let value = match observables.as_object()?.get(key) {
                Some(value) => lenient_fraction(value)?,
                None => usual,
            };
            Some(Observable {
                key,
                name,
                value,
                label: observable_label(value),
                description,
            })
        });
        let mut raw = known_first(stored, &["observables", "latent_traits"]);
        raw["observables"] = known_first(observables, &OBSERVABLES.map(|(key, ..)| key));
        if let Some(traits) = stored.get("latent_traits") {
            raw["latent_traits"] = known_first(traits, &LATENT_TRAITS);
        }
        Some(Self {
            observables_formatted: shown.collect::<Option<_>>().unwrap_or_default(),
            raw,
        })
    }
}

/// Which synths, and what of them.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct SynthsQuery {
    /// The keys that are filled, separated by commas; the others have their defaults.
    #[param(required = false, example = "nome,created_at")]
    fields: Option<String>,
    /// Only those of this group.
    #[param(required = false)]
    synth_group_id: Option<String>,
}

impl SynthsQuery {
    fn read(parameters: &Parameters) -> Self {
        let fields = parameters.text("fields").filter(|fields| !fields.is_empty());
        Self {
            fields: fields.map(str::to_owned),
            synth_group_id: parameters.wanted("synth_group_id"),
        }
    }

    fn listing(&self, order: &SortQuery) -> SynthListing {
        let default = SynthListing::default();
        let sort = order.sort_by.as_deref().and_then(SynthSort::from_text);
        SynthListing {
            synth_group_id: self.synth_group_id.clone(),
            // Without an order of the client's the newest come first, whatever the direction.
            direction: sort.map_or(default.direction, |_| order.direction()),
            sort: sort.unwrap_or(default.sort),
        }
    }
}

/// A page of synths.
#[utoipa::path(
    get, path = "/synths/list", tag = TAG, params(PageQuery, SortQuery, SynthsQuery),
    responses((status = 200, body = PageOf<Synth>))
)]
async fn list(State(app): State<App>, parameters: Parameters) -> Result<Response, HttpError> {
    let mut mistakes = Mistakes::default();
    let request = PageQuery::read(&parameters, &mut mistakes);
    let order = SortQuery::read(&parameters, &mut mistakes);
    let order = mistakes.finish(Some(order))?;
    let query = SynthsQuery::read(&parameters);
    let page = Synths::new(&app.routing.lab())
        .list(query.listing(&order), request)
        .await?;
    // A client that leaves out `created_at` gets the time of its question, as from the original.
    Ok(shown(request, &page, query.fields.as_deref(), app.clock.now()))
}

/// A page of synths, of each the selected fields if some are; a time that is not is `now`.
fn shown(
    request: PageRequest,
    page: &Page<domain::SynthSummary>,
    fields: Option<&str>,
    now: Timestamp,
) -> Response {
    let synths = page.items.iter().map(|synth| {
        let synth = Synth::from(synth);
        match fields {
            Some(fields) => synth.select(fields, Time::of(now)),
            None => synth,
        }
    });
    Json(PageOf::of(request, page.total, synths)).into_response()
}

impl<'a> Synth<'a> {
    /// Keeps the selected fields (a comma-separated list; `id` always) and gives the others their defaults.
    fn select(self, fields: &str, now: Time) -> Self {
        let has = |name: &str| fields.split(',').any(|field| field.trim() == name);
        let keep = |name: &str, value: Option<&'a str>| value.filter(|_| has(name));
        Self {
            id: self.id,
            synth_group_id: keep("synth_group_id", self.synth_group_id),
            nome: keep("nome", Some(self.nome)).unwrap_or_default(),
            descricao: keep("descricao", self.descricao),
            link_photo: keep("link_photo", self.link_photo),
            avatar_path: keep("avatar_path", self.avatar_path),
            created_at: if has("created_at") { self.created_at } else { now },
            version: keep("version", Some(self.version)).unwrap_or("2.0.0"),
        }
    }
}

/// What synths are searched for; without any of these, all.
#[derive(ToSchema)]
struct SynthsToFind {
    /// A condition in SQL's language, at most 1000 characters. See the operation for what of it is understood.
    #[schema(example = "json_extract(data, '$.demografia.idade') > 30")]
    where_clause: Option<String>,
    /// A whole query, of which the same is understood; it wins over the condition.
    #[schema(example = "SELECT * FROM synths WHERE nome LIKE 'a%' ORDER BY nome")]
    query: Option<String>,
}

/// A page of the synths that a condition lets through.
///
/// Conditions compare (`=`, `<>`, `!=`, `<`, `<=`, `>`, `>=`, `LIKE`, `IN`, `BETWEEN`, `IS`, `IS NULL`, each with `NOT`) a column or
/// `json_extract(data, '$.…')` with a text in single quotation marks, a number, `TRUE` or `FALSE`, and are joined by `AND`, `OR`,
/// `NOT` and parentheses. A query is `SELECT * FROM synths WHERE … ORDER BY …`, or names columns in place of `*`. Nothing else of
/// SQL is understood, and no text of a search becomes SQL.
#[utoipa::path(
    post, path = "/synths/search", tag = TAG, params(PageQuery), request_body = SynthsToFind,
    responses(
        (status = 200, body = PageOf<Synth>),
        (status = 422, body = Failure, description = "The search is not understood."),
    )
)]
async fn search(
    State(app): State<App>,
    parameters: Parameters,
    body: BodyAfterAll,
) -> Result<Response, HttpError> {
    let mut mistakes = Mistakes::default();
    let request = PageQuery::read(&parameters, &mut mistakes);
    let wish = SynthsToFind::read(&body, &mut mistakes);
    let search = mistakes.finish(wish)?.search()?;
    let page = Synths::new(&app.routing.lab()).search(&search, request).await?;
    let names = search
        .columns
        .iter()
        .map(|column| column.as_str())
        .collect::<Vec<_>>();
    let fields = names.join(",");
    let fields = Some(fields.as_str()).filter(|fields| !fields.is_empty());
    Ok(shown(request, &page, fields, app.clock.now()))
}

impl SynthsToFind {
    fn read(body: &BodyAfterAll, mistakes: &mut Mistakes) -> Option<Self> {
        let fields = Fields::of_needed_body(body, mistakes)?;
        let mut text = |name| {
            let text = fields.optional_text(name, Length::default(), mistakes);
            text.filter(|text| !text.is_empty())
        };
        Some(Self {
            where_clause: text("where_clause"),
            query: text("query"),
        })
    }

    fn search(&self) -> Result<SynthSearch, HttpError> {
        let (text, search) = match (&self.query, &self.where_clause) {
            (Some(query), _) => (query, SynthSearch::query(query)),
            (None, Some(condition)) => (condition, SynthSearch::where_clause(condition)),
            (None, None) => return Ok(SynthSearch::default()),
        };
        search.map_err(|error| HttpError::invalid_query(&error.to_string(), text))
    }
}

/// The fields that synths can have.
#[utoipa::path(get, path = "/synths/fields", tag = TAG, responses((status = 200, body = Vec<SynthField>)))]
async fn fields() -> Json<Vec<SynthField>> {
    let field = |name, r#type, description| SynthField {
        name,
        r#type,
        description,
        nested_fields: None,
    };
    let object = |name, description, nested| SynthField {
        nested_fields: Some(nested),
        ..field(name, "object", description)
    };
    let mut demografia = names(DEMOGRAFIA);
    // It can be searched for, although a synth is shown without it.
    demografia.insert(2, "identidade_genero");
    Json(vec![
        field("id", "string", "Identifier of six characters"),
        field("nome", "string", "Display name"),
        field("descricao", "string", "Short description"),
        field("created_at", "datetime", "When the synth was made"),
        object("data.demografia", "Demographics", demografia),
        object("data.psicografia", "Psychographics", names(PSICOGRAFIA)),
        object("data.deficiencias", "Disabilities", names(DEFICIENCIAS)),
        object(
            "data.observables",
            "Observable attributes",
            OBSERVABLES.map(|(key, ..)| key).to_vec(),
        ),
    ])
}

/// A synth and what its document says.
#[utoipa::path(
    get, path = "/synths/{id}", tag = TAG, params(("id" = String, Path)),
    responses((status = 200, body = SynthDetail), (status = 404, body = Failure))
)]
async fn detail(State(app): State<App>, Key(id): Key) -> Result<Response, HttpError> {
    let synth = Synths::new(&app.routing.lab())
        .get(&id)
        .await
        .map_err(|error| no_synth(error, &id))?;
    Ok(Json(SynthDetail::from(&synth)).into_response())
}

/// What the original's framework escapes in a link that it leads to. What is escaped already stays as it is.
const ESCAPED_IN_LINK: &AsciiSet = &ESCAPED
    .remove(b'%')
    .remove(b'#')
    .remove(b'?')
    .remove(b'[')
    .remove(b']');

/// A synth's picture: its avatar, or else where its photo is.
#[utoipa::path(
    get, path = "/synths/{id}/avatar", tag = TAG, params(("id" = String, Path)),
    responses(
        (status = 200, body = inline(Bytes), content_type = "image/png"),
        (status = 206, body = inline(Bytes), content_type = "image/png", description = "The part that `Range` asks for."),
        (status = 307, description = "The photo is elsewhere."),
        (status = 400, body = String, content_type = "text/plain", description = "`Range` is not understood."),
        (status = 404, body = Failure),
        (status = 416, description = "The picture ends before the part that `Range` asks for."),
    )
)]
async fn avatar(State(app): State<App>, Key(id): Key, headers: HeaderMap) -> Result<Response, HttpError> {
    let synth = Synths::new(&app.routing.lab())
        .get(&id)
        .await
        .map_err(|error| no_synth(error, &id))?
        .summary;
    let path = synth
        .avatar_path
        .as_deref()
        .map_or_else(|| PathBuf::from(format!("{}.png", synth.id)), PathBuf::from);
    if let Some(picture) = read_avatar(&app.avatars, &path).await {
        return Ok(picture.answer(&format!("{id}.png"), &headers));
    }
    if let Some(link) = synth
        .link_photo
        .as_deref()
        .filter(|link| link.starts_with("http"))
    {
        let link = utf8_percent_encode(link, ESCAPED_IN_LINK).to_string();
        return Ok(Redirect::temporary(&link).into_response());
    }
    let message = format!("Avatar not found for synth {id} and no fallback link_photo available");
    Err(HttpError::Detail(StatusCode::NOT_FOUND, message))
}

/// The picture, if it lies in the avatars' folder: a stored path may come from another machine, and its directories are
/// not trusted.
async fn read_avatar(folder: &FilePath, stored: &FilePath) -> Option<Picture> {
    let file = folder.join(stored.file_name()?);
    let file = tokio::fs::canonicalize(file).await.ok()?;
    let folder = tokio::fs::canonicalize(folder).await.ok()?;
    if !file.starts_with(folder) {
        return None;
    }
    Picture::read(&file).await.ok()?
}

fn no_synth(error: UseCaseError, id: &str) -> HttpError {
    let message = format!("Synth not found: {id}");
    HttpError::coded(error, "SYNTH_NOT_FOUND", message, json!({ "synth_id": id }))
}

/// The parts of a document that clients see; unknown keys stay in the store.
#[derive(Clone, Copy)]
enum Shape {
    Plain,
    /// What a missing value is.
    Default(&'static str),
    /// A whole number of this range, in any spelling of the original's framework.
    Integer(i64, i64),
    /// A number that is not negative, likewise.
    Amount,
    List,
    /// An empty one is none.
    Object(&'static [(&'static str, Shape)]),
}

const DEMOGRAFIA: &[(&str, Shape)] = &[
    ("idade", Shape::Integer(0, 120)),
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
    ("renda_mensal", Shape::Amount),
    ("ocupacao", Shape::Plain),
    ("estado_civil", Shape::Plain),
    (
        "composicao_familiar",
        Shape::Object(&[("tipo", Shape::Plain), ("numero_pessoas", Shape::Integer(1, 15))]),
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

/// The observables: key, name and description in the language of the application, and what one is that is not named.
const OBSERVABLES: [(&str, &str, &str, f64); 5] = [
    (
        "digital_literacy",
        "Literacia Digital",
        "Familiaridade com tecnologia e interfaces digitais",
        0.5,
    ),
    (
        "similar_tool_experience",
        "Experiência com Ferramentas Similares",
        "Uso prévio de ferramentas ou produtos parecidos",
        0.5,
    ),
    (
        "motor_ability",
        "Capacidade Motora",
        "Habilidade física para interação com dispositivos",
        1.0,
    ),
    (
        "time_availability",
        "Disponibilidade de Tempo",
        "Tempo típico disponível para uso do produto",
        0.5,
    ),
    (
        "domain_expertise",
        "Conhecimento do Domínio",
        "Expertise na área de atuação do produto",
        0.5,
    ),
];

/// What follows from a synth's observables, in the order of the application.
const LATENT_TRAITS: [&str; 4] = [
    "capability_mean",
    "trust_mean",
    "friction_tolerance_mean",
    "exploration_prob",
];

fn names(shape: &[(&'static str, Shape)]) -> Vec<&'static str> {
    shape.iter().map(|(name, _)| *name).collect()
}

/// What a shape leaves of a value. A value of another form than expected is shown as it is.
fn shaped(value: Option<&Value>, shape: Shape) -> Value {
    let mut unread = Mistakes::default();
    match (shape, value) {
        (Shape::Default(default), None) => default.into(),
        (Shape::List, None | Some(Value::Null)) => json!([]),
        (Shape::Object(_), Some(value)) if is_nothing(value) => Value::Null,
        (Shape::Object(members), Some(Value::Object(object))) => {
            let members = members
                .iter()
                .map(|(name, shape)| ((*name).to_owned(), shaped(object.get(*name), *shape)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        (Shape::Integer(least, most), Some(value)) => {
            integer(value, &[], least..=most, &mut unread).map_or_else(|| value.clone(), Value::from)
        }
        (Shape::Amount, Some(value)) => finite(value, &[], &mut unread)
            .filter(|amount| *amount >= 0.0)
            .map_or_else(|| value.clone(), Value::from),
        (_, Some(value)) => value.clone(),
        (_, None) => Value::Null,
    }
}
