//! What clients of the original send and get: statuses, bodies, key order; the same words from both databases.

use cutover_tests::store::lab_database;
use serde_json::{Value, json};

use crate::hostile::scorecard;
use crate::http::{Answer, request};
use crate::program::{Place, Service};
use crate::world;

/// A conversation with a service. Ids that the service chose and times are replaced by names.
struct Conversation<'a> {
    service: &'a Service,
    ids: Vec<String>,
    said: Vec<String>,
}

impl Conversation<'_> {
    /// Asks; the answer must have this status and, when given, exactly this body.
    async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: &Value,
        status: u16,
        expected: Option<Value>,
    ) -> Value {
        let text = (!body.is_null()).then(|| body.to_string());
        let answer = self.service.ask(method, path, text.as_deref()).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.text());
        if answer.body.is_empty() {
            self.said
                .push(format!("{method} {} → {status}", self.with_names(path)));
            return Value::Null;
        }
        let json = answer.json();
        for id in [&json["id"]].into_iter().filter_map(Value::as_str) {
            let made = status == 201 && body["id"].is_null();
            if made {
                self.ids.push(id.to_owned());
            }
        }
        let masked = self.masked(&json).to_string();
        if let Some(expected) = expected {
            assert_eq!(masked, expected.to_string(), "{method} {path} {body}");
        }
        let path = self.with_names(path);
        self.said.push(format!("{method} {path} → {status} {masked}"));
        json
    }

    async fn get(&mut self, path: &str, expected: Value) -> Value {
        self.ask("GET", path, &Value::Null, 200, Some(expected)).await
    }

    fn with_names(&self, text: &str) -> String {
        let ids = self.ids.iter().enumerate();
        ids.fold(text.to_owned(), |text, (number, id)| {
            text.replace(id, &format!("<{number}>"))
        })
    }

    fn masked(&self, value: &Value) -> Value {
        match value {
            Value::String(text) if is_now(text) => "<now>".into(),
            Value::String(text) => self.with_names(text).into(),
            Value::Array(items) => items.iter().map(|item| self.masked(item)).collect(),
            Value::Object(object) => Value::Object(
                object
                    .iter()
                    .map(|(name, value)| (name.clone(), self.masked(value)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }
}

/// A time of this test's run, in the form of the original's answers.
fn is_now(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!(bytes.len(), 20 | 27)
        && text.ends_with('Z')
        && bytes[10] == b'T'
        && !text.starts_with("2025-")
        && !text.starts_with("2026-01-0")
}

fn missing(fields: &[&str], input: &Value) -> Value {
    let mistakes = fields.iter().map(
        |field| json!({"type": "missing", "loc": ["body", field], "msg": "Field required", "input": input}),
    );
    json!({"detail": mistakes.collect::<Vec<_>>()})
}

fn page(data: impl Into<Value>, total: u64, limit: u64, offset: u64, has_next: bool) -> Value {
    json!({"data": data.into(), "pagination": {"total": total, "limit": limit, "offset": offset, "has_next": has_next}})
}

async fn groups(talk: &mut Conversation<'_>) {
    let default = json!({"id": "grp_00000001", "name": "Default",
        "description": "Grupo padrão para synths sem grupo específico", "synth_count": 2,
        "created_at": "2025-12-31T00:00:00Z"});
    talk.get("/lab/synth-groups/list", page(json!([default]), 1, 50, 0, false))
        .await;

    let groups = "/lab/synth-groups";
    let made = json!({"id": "<0>", "name": "Novos 🦜", "description": null, "synth_count": 0, "created_at": "<now>"});
    talk.ask(
        "POST",
        groups,
        &json!({"name": " Novos 🦜\n\u{1f}"}),
        201,
        Some(made.clone()),
    )
    .await;
    let id = talk.ids[0].clone();
    assert!(id.starts_with("grp_") && id.len() == 12, "{id}");
    let chosen = json!({"id": "grp_0000beef", "name": "b", "description": "", "synth_count": 0, "created_at": "<now>"});
    talk.ask(
        "POST",
        groups,
        &json!({"id": "grp_0000beef", "name": "b", "description": " "}),
        201,
        Some(chosen.clone()),
    )
    .await;
    let conflict = json!({"detail": "synth_groups.id is in conflict with a row that is already there"});
    talk.ask(
        "POST",
        groups,
        &json!({"id": "grp_0000beef", "name": "c"}),
        409,
        Some(conflict),
    )
    .await;
    talk.ask(
        "POST",
        groups,
        &json!({}),
        422,
        Some(missing(&["name"], &json!({}))),
    )
    .await;
    let short = json!({"detail": [{"type": "string_too_short", "loc": ["body", "name"],
        "msg": "String should have at least 1 character", "input": "", "ctx": {"min_length": 1}}]});
    talk.ask("POST", groups, &json!({"name": ""}), 422, Some(short))
        .await;
    talk.ask("POST", groups, &json!({"name": " "}), 422, None).await;
    let two = json!({"detail": [
        {"type": "string_pattern_mismatch", "loc": ["body", "id"], "msg": "String should match pattern '^grp_[a-f0-9]{8}$'",
         "input": "x", "ctx": {"pattern": "^grp_[a-f0-9]{8}$"}},
        {"type": "string_type", "loc": ["body", "name"], "msg": "Input should be a valid string", "input": 1},
    ]});
    talk.ask("POST", groups, &json!({"id": "x", "name": 1}), 422, Some(two))
        .await;

    let newest_first = json!([chosen, made, default]);
    talk.get("/lab/synth-groups/list", page(newest_first, 3, 50, 0, false))
        .await;
    talk.get(
        "/lab/synth-groups/list?limit=1&offset=1",
        page(json!([made]), 3, 1, 1, true),
    )
    .await;
    talk.get(
        "/lab/synth-groups/list?offset=7",
        page(json!([]), 3, 50, 7, false),
    )
    .await;
    let member = |id: &str, nome: &str, descricao: Value, avatar: Value, at: &str| json!({"id": id, "nome": nome, "descricao": descricao, "avatar_path": avatar, "synth_group_id": "grp_00000001", "created_at": at});
    let mut detail = default.clone();
    detail["synths"] = json!([
        member(
            "bbb222",
            "Bruno",
            Value::Null,
            json!("../../../etc/passwd"),
            "2026-01-02T12:00:00Z"
        ),
        member(
            "aaa111",
            "Ana Ávila 🦜",
            json!("curta"),
            Value::Null,
            "2026-01-01T12:00:00.123456Z"
        ),
    ]);
    talk.get("/lab/synth-groups/grp_00000001", detail).await;
    let unknown = json!({"detail": "Synth group grp_ffffffff not found"});
    talk.ask(
        "GET",
        "/lab/synth-groups/grp_ffffffff",
        &Value::Null,
        404,
        Some(unknown.clone()),
    )
    .await;
    talk.ask(
        "DELETE",
        "/lab/synth-groups/grp_ffffffff",
        &Value::Null,
        404,
        Some(unknown),
    )
    .await;
    // A group is deleted, its synths stay.
    talk.ask(
        "DELETE",
        "/lab/synth-groups/grp_00000001",
        &Value::Null,
        204,
        None,
    )
    .await;
    let left = talk.ask("GET", "/lab/synths/list", &Value::Null, 200, None).await;
    let of_groups: Vec<&Value> = left["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|synth| &synth["synth_group_id"])
        .collect();
    assert_eq!(of_groups, [&Value::Null; 3]);
}

async fn synths(talk: &mut Conversation<'_>) {
    let summary = |id: &str,
                   group: Value,
                   nome: &str,
                   descricao: Value,
                   photo: Value,
                   avatar: Value,
                   at: &str,
                   version: &str| {
        json!({"id": id, "synth_group_id": group, "nome": nome, "descricao": descricao, "link_photo": photo,
               "avatar_path": avatar, "created_at": at, "version": version})
    };
    let ana = summary(
        "aaa111",
        json!("grp_00000001"),
        "Ana Ávila 🦜",
        json!("curta"),
        json!("https://example.org/a.png"),
        Value::Null,
        "2026-01-01T12:00:00.123456Z",
        "2.3.0",
    );
    let bruno = summary(
        "bbb222",
        json!("grp_00000001"),
        "Bruno",
        Value::Null,
        Value::Null,
        json!("../../../etc/passwd"),
        "2026-01-02T12:00:00Z",
        "2.3.0",
    );
    let carla = summary(
        "ccc333",
        Value::Null,
        "carla",
        json!(""),
        json!("javascript:alert(1)"),
        Value::Null,
        "2026-01-03T12:00:00Z",
        "2.0.0",
    );
    let all = page(json!([carla, bruno, ana]), 3, 50, 0, false);
    talk.get("/lab/synths/list", all.clone()).await;
    talk.get(
        "/lab/synths/list?sort_by=nome&sort_order=asc",
        page(json!([ana, bruno, carla]), 3, 50, 0, false),
    )
    .await;
    talk.get(
        "/lab/synths/list?sort_by=nome",
        page(json!([carla, bruno, ana]), 3, 50, 0, false),
    )
    .await;
    talk.get(
        "/lab/synths/list?limit=1&offset=2",
        page(json!([ana]), 3, 1, 2, false),
    )
    .await;
    talk.get(
        "/lab/synths/list?synth_group_id=grp_00000001&limit=1",
        page(json!([bruno]), 2, 1, 0, true),
    )
    .await;
    talk.get("/lab/synths/list?synth_group_id=", all.clone()).await;
    talk.get(
        "/lab/synths/list?synth_group_id=grp_nowhere",
        page(json!([]), 0, 50, 0, false),
    )
    .await;
    talk.ask("POST", "/lab/synths/search", &json!({}), 200, Some(all))
        .await;
    let mut selected = ana.clone();
    for (key, value) in [
        ("synth_group_id", Value::Null),
        ("descricao", Value::Null),
        ("link_photo", Value::Null),
        ("created_at", json!("<now>")),
        ("version", json!("2.0.0")),
    ] {
        selected[key] = value;
    }
    talk.get(
        "/lab/synths/list?fields=nome&limit=1&offset=2",
        page(json!([selected]), 3, 1, 2, false),
    )
    .await;

    let mut detail = ana.clone();
    let object = detail.as_object_mut().unwrap();
    let place = json!({"pais": "Brasil", "regiao": null, "estado": null, "cidade": "São Paulo"});
    object.insert("demografia".to_owned(), json!({"idade": 34, "genero_biologico": null, "raca_etnia": null, "localizacao": place,
        "escolaridade": null, "renda_mensal": null, "ocupacao": null, "estado_civil": null, "composicao_familiar": null}));
    object.insert("psicografia".to_owned(), Value::Null);
    object.insert("deficiencias".to_owned(), Value::Null);
    object.insert("observables".to_owned(), json!({"motor_ability": 0.5}));
    object.insert("simulation_attributes".to_owned(), Value::Null);
    talk.get("/lab/synths/aaa111", detail).await;
    talk.ask("GET", "/lab/synths/bbb222", &Value::Null, 200, None)
        .await;
    talk.ask("GET", "/lab/synths/ccc333", &Value::Null, 200, None)
        .await;
    let unknown = json!({"error": {"code": "SYNTH_NOT_FOUND", "message": "Synth not found: zzz999",
        "details": {"synth_id": "zzz999"}}});
    talk.ask(
        "GET",
        "/lab/synths/zzz999",
        &Value::Null,
        404,
        Some(unknown.clone()),
    )
    .await;
    talk.ask(
        "GET",
        "/lab/synths/zzz999/avatar",
        &Value::Null,
        404,
        Some(unknown),
    )
    .await;
    talk.ask(
        "GET",
        "/lab/synths/ccc333/avatar",
        &Value::Null,
        404,
        Some(json!({"detail": "Avatar not found for synth ccc333 and no fallback link_photo available"})),
    )
    .await;
    let fields = talk
        .ask("GET", "/lab/synths/fields", &Value::Null, 200, None)
        .await;
    let names: Vec<&str> = fields
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "id",
            "nome",
            "descricao",
            "created_at",
            "data.demografia",
            "data.psicografia",
            "data.deficiencias",
            "data.observables"
        ]
    );
    let nested = &fields[4]["nested_fields"];
    assert_eq!(
        (nested.as_array().unwrap().len(), &nested[2]),
        (10, &json!("identidade_genero"))
    );
    let answer = talk.service.get("/lab/synths/aaa111/avatar").await.with(307);
    assert!(
        answer.headers.contains("location: https://example.org/a.png"),
        "{}",
        answer.headers
    );
}

async fn experiments(talk: &mut Conversation<'_>) {
    let experiments = "/lab/experiments";
    talk.get("/lab/experiments/list", page(json!([]), 0, 50, 0, false))
        .await;
    let body = json!({"name": " Botão 🦜 ", "hypothesis": "h\n", "description": ""});
    let number = talk.ids.len();
    let mut plain = json!({"id": format!("<{number}>"), "name": "Botão 🦜", "hypothesis": "h", "description": null, "scorecard_data": null,
        "has_scorecard": false, "has_interview_guide": false, "created_at": "<now>", "updated_at": null});
    talk.ask("POST", experiments, &body, 201, Some(plain.clone()))
        .await;
    let id = talk.ids[number].clone();
    let path = format!("{experiments}/{id}");

    let dimension = |score: Value, rules: Value, upper: Value| json!({"score": score, "rules_applied": rules, "lower_bound": null, "upper_bound": upper});
    let stored = json!({"feature_name": "f", "scenario": "baseline", "description_text": "d", "description_media_urls": [],
        "complexity": dimension(json!(0.5), json!(["a"]), json!(1.0)),
        "initial_effort": dimension(json!(0.0), json!([]), Value::Null),
        "perceived_risk": dimension(json!(1.0), json!([]), Value::Null),
        "time_to_value": dimension(json!(0.25), json!([]), Value::Null),
        "justification": null, "impact_hypotheses": []});
    plain["scorecard_data"] = stored;
    plain["has_scorecard"] = json!(true);
    plain["updated_at"] = json!("<now>");
    talk.ask(
        "PUT",
        &format!("{path}/scorecard"),
        &scorecard("f"),
        200,
        Some(plain.clone()),
    )
    .await;
    plain["description"] = json!("x".repeat(2000));
    talk.ask(
        "PUT",
        &path,
        &json!({"description": "x".repeat(2000)}),
        200,
        Some(plain.clone()),
    )
    .await;
    talk.ask("PUT", &path, &json!({}), 200, Some(plain.clone())).await;
    let mut detail = plain.clone();
    let object = detail.as_object_mut().unwrap();
    object.insert("analysis".to_owned(), Value::Null);
    object.insert("interviews".to_owned(), json!([]));
    object.insert("interview_count".to_owned(), json!(0));
    talk.get(&path, detail).await;
    let listed = json!({"id": format!("<{number}>"), "name": "Botão 🦜", "hypothesis": "h", "description": "x".repeat(2000), "has_scorecard": true,
        "has_analysis": false, "has_interview_guide": false, "interview_count": 0, "created_at": "<now>", "updated_at": "<now>"});
    talk.get("/lab/experiments/list", page(json!([listed]), 1, 50, 0, false))
        .await;

    // Mistakes, all of them at once.
    talk.ask(
        "POST",
        experiments,
        &json!({}),
        422,
        Some(missing(&["name", "hypothesis"], &json!({}))),
    )
    .await;
    for wrong in [
        json!({"name": "x".repeat(101), "hypothesis": "h"}),
        json!({"name": "x", "hypothesis": "x".repeat(501)}),
        json!({"name": "x", "hypothesis": "h", "description": "x".repeat(2001)}),
        json!({"name": " ", "hypothesis": "h"}),
        json!({"name": "x", "hypothesis": "\t"}),
        json!({"name": "x", "hypothesis": "h", "scorecard_data": {}}),
        json!({"name": "x", "hypothesis": "h", "scorecard_data": []}),
    ] {
        talk.ask("POST", experiments, &wrong, 422, None).await;
    }
    // A hundred characters are a hundred, however many bytes they take.
    let wide = json!({"name": "🦜".repeat(100), "hypothesis": "é".repeat(500)});
    talk.ask("POST", experiments, &wide, 201, None).await;
    for (key, value) in [
        ("score", json!(1.01)),
        ("score", json!(-0.1)),
        ("score", json!("x")),
        ("lower_bound", json!(2)),
        ("rules_applied", json!("x")),
    ] {
        let mut wrong = scorecard("f");
        wrong["complexity"][key] = value;
        talk.ask("PUT", &format!("{path}/scorecard"), &wrong, 422, None)
            .await;
    }
    let mut crossed = scorecard("f");
    crossed["complexity"]["lower_bound"] = json!(0.9);
    crossed["complexity"]["upper_bound"] = json!(0.1);
    talk.ask("PUT", &format!("{path}/scorecard"), &crossed, 422, None)
        .await;
    talk.ask("PUT", &path, &json!({"name": "x".repeat(101)}), 422, None)
        .await;
    let after = talk.service.get(&path).await.with(200).json();
    assert_eq!(after["name"], plain["name"], "what was refused is not stored");

    talk.ask("DELETE", &path, &Value::Null, 204, None).await;
    for (method, path, body) in [
        ("DELETE", path.clone(), Value::Null),
        ("GET", path.clone(), Value::Null),
        ("PUT", path.clone(), json!({"name": "x"})),
        ("PUT", format!("{path}/scorecard"), scorecard("f")),
        ("GET", "/lab/experiments/exp_ffffffff".to_owned(), Value::Null),
    ] {
        let gone = talk.ask(method, &path, &body, 404, None).await;
        assert!(gone["detail"].is_string(), "{gone}");
    }
}

/// What is missing or wrong, in the original's words, and in which of its two forms.
async fn refusals(talk: &mut Conversation<'_>) {
    let coded = |code: &str, message: &str, details: Value| json!({"error": {"code": code, "message": message, "details": details}});
    let told = |text: &str| json!({ "detail": text });
    let execution = coded(
        "EXECUTION_NOT_FOUND",
        "Research execution not found: nope",
        json!({"exec_id": "nope"}),
    );
    let prfaq = coded(
        "PRFAQ_NOT_FOUND",
        "PR-FAQ not found for execution: nope",
        json!({"exec_id": "nope"}),
    );
    let no_analysis = told("No analysis found for experiment nope");
    let no_document = told("Document 'summary' not found for experiment nope");
    for (path, expected) in [
        ("/lab/research/nope", execution.clone()),
        ("/lab/research/nope/transcripts", execution),
        (
            "/lab/research/nope/transcripts/ana",
            coded(
                "TRANSCRIPT_NOT_FOUND",
                "Transcript not found for synth ana in execution nope",
                json!({"exec_id": "nope", "synth_id": "ana"}),
            ),
        ),
        ("/lab/research/nope/stream", told("Execution not found")),
        ("/lab/prfaq/nope", prfaq.clone()),
        ("/lab/prfaq/nope/markdown", prfaq),
        ("/lab/experiments/nope/analysis", no_analysis.clone()),
        ("/lab/experiments/nope/analysis/outcomes", no_analysis),
        ("/lab/experiments/nope/documents/summary", no_document.clone()),
        ("/lab/experiments/nope/documents/summary/markdown", no_document),
    ] {
        talk.ask("GET", path, &Value::Null, 404, Some(expected)).await;
    }
    words(talk).await;
    let document = "/lab/experiments/nope/documents/summary";
    let expected = told("Document summary not found for experiment nope");
    talk.ask("DELETE", document, &Value::Null, 404, Some(expected))
        .await;
    let scorecards = "/lab/simulation/scorecards";
    let empty = json!({"feature_name": "", "use_scenario": "u", "description_text": "",
        "complexity": {"score": 0.5, "min_uncertainty": 0.4, "max_uncertainty": 0.3}});
    let expected = told(
        "feature_name is required; description_text is required; complexity.min_uncertainty must be <= max_uncertainty",
    );
    talk.ask("POST", scorecards, &empty, 422, Some(expected)).await;
    for (path, body) in [
        ("/lab/experiments", json!({"name": " ", "hypothesis": "h"})),
        ("/lab/experiments", json!({"name": "\u{1f}", "hypothesis": "h"})),
        ("/lab/synth-groups", json!({"name": " "})),
        ("/lab/synth-groups", json!({"name": "\u{1c}\u{3000}"})),
    ] {
        let expected = told("name is required and cannot be empty");
        talk.ask("POST", path, &body, 422, Some(expected)).await;
    }
    let invalid = |reason: &str, query: &str| {
        let message = format!("Invalid query: {reason}");
        coded(
            "INVALID_QUERY",
            &message,
            json!({"reason": reason, "query": query}),
        )
    };
    let expected = invalid("Only SELECT queries are allowed", "DELETE FROM synths");
    let query = json!({"query": "DELETE FROM synths"});
    talk.ask("POST", "/lab/synths/search", &query, 422, Some(expected))
        .await;
    let reason = "WHERE clause exceeds max length of 1000 characters";
    let clause = json!({"where_clause": "x".repeat(1001)});
    let expected = invalid(reason, &"x".repeat(1000));
    talk.ask("POST", "/lab/synths/search", &clause, 422, Some(expected))
        .await;
}

/// Where one path has a word and another a parameter, a method that only the second has is meant for that one.
async fn words(talk: &mut Conversation<'_>) {
    let coded = |code: &str, message: &str, details: Value| json!({"error": {"code": code, "message": message, "details": details}});
    let told = |text: &str| json!({ "detail": text });
    let no_synth = coded(
        "SYNTH_NOT_FOUND",
        "Synth not found: search",
        json!({"synth_id": "search"}),
    );
    let no_execution = coded(
        "EXECUTION_NOT_FOUND",
        "Research execution not found: execute",
        json!({"exec_id": "execute"}),
    );
    let no_prfaq = coded(
        "PRFAQ_NOT_FOUND",
        "PR-FAQ not found for execution: generate",
        json!({"exec_id": "generate"}),
    );
    let no_list = told("Experiment list not found");
    let no_group = told("Synth group list not found");
    for (method, path, expected) in [
        ("GET", "/lab/synths/search", no_synth),
        ("PUT", "/lab/experiments/list", no_list.clone()),
        ("DELETE", "/lab/experiments/list", no_list),
        (
            "GET",
            "/lab/experiments/estimate-scorecard",
            told("Experiment estimate-scorecard not found"),
        ),
        ("DELETE", "/lab/synth-groups/list", no_group),
        (
            "GET",
            "/lab/simulation/simulations/compare",
            told("Simulation compare not found"),
        ),
        ("GET", "/lab/research/execute", no_execution),
        ("GET", "/lab/prfaq/generate", no_prfaq),
    ] {
        let body = if method == "PUT" { json!({}) } else { Value::Null };
        talk.ask(method, path, &body, 404, Some(expected)).await;
    }
    let not_allowed = told("Method Not Allowed");
    talk.ask(
        "PATCH",
        "/lab/synths/search",
        &Value::Null,
        405,
        Some(not_allowed),
    )
    .await;
    let no_type = |input: &str| {
        let expected = "'summary', 'prfaq' or 'executive_summary'";
        json!({"detail": [{"type": "enum", "loc": ["path", "document_type"],
            "msg": format!("Input should be {expected}"), "input": input, "ctx": {"expected": expected}}]})
    };
    for (method, path, input) in [
        ("DELETE", "availability", "availability"),
        ("GET", "bad", "bad"),
        ("POST", "bad/generate", "bad"),
    ] {
        let path = format!("/lab/experiments/nope/documents/{path}");
        talk.ask(method, &path, &Value::Null, 422, Some(no_type(input)))
            .await;
    }
    let executive = "/lab/experiments/nope/documents/executive_summary/generate";
    talk.ask("POST", executive, &Value::Null, 501, None).await;
}

/// Rounds, a transcript and documents without what has a default.
const UNTOLD: &str = "
    INSERT INTO experiments (id, name, hypothesis, created_at) VALUES ('exp_0000000a', 'n', 'h', '2026-01-01T12:00:00+00:00');
    INSERT INTO research_executions (exec_id, experiment_id, topic_name, status, synth_count, successful_count, failed_count,
        model, max_turns, started_at)
      VALUES ('batch_t_1', 'exp_0000000a', 't', 'completed', 1, NULL, NULL, '', 0, '2026-01-01T12:00:00+00:00');
    INSERT INTO transcripts (exec_id, synth_id, synth_name, turn_count, timestamp, status, messages)
      VALUES ('batch_t_1', 'aaa111', 'Ana', NULL, '2026-01-01T12:30:00+00:00', 'completed', '{}');
    INSERT INTO experiment_documents (id, experiment_id, document_type, markdown_content, generated_at, model, status)
      VALUES ('doc_0000000a', 'exp_0000000a', 'summary', 's', '2026-01-01T13:00:00+00:00', '', 'completed'),
        ('doc_0000000b', 'exp_0000000a', 'prfaq', '', '2026-01-01T12:00:00+00:00', NULL, 'generating');
    CREATE TABLE IF NOT EXISTS prfaq_metadata (exec_id TEXT PRIMARY KEY, generated_at TEXT, model TEXT, validation_status TEXT,
        confidence_score REAL, headline TEXT, one_liner TEXT, faq_count INTEGER, markdown_content TEXT, json_content TEXT,
        status TEXT, error_message TEXT, started_at TEXT);
    INSERT INTO prfaq_metadata (exec_id, status, generated_at) VALUES ('batch_t_1', 'completed', '2026-01-01T12:00:00+00:00')";

#[tokio::test]
async fn what_is_not_told_is_shown_as_the_original_does() {
    let (places, database) = ([Place::new(), Place::new()], lab_database().await);
    let [on_file, on_server] = world::serve_on_both(&places, &database).await;
    world::file(&places[0].path("cutover.db"))
        .execute_batch(UNTOLD)
        .unwrap();
    database.connect().await.batch_execute(UNTOLD).await.unwrap();
    for service in [on_file, on_server] {
        let mut talk = Conversation {
            service: &service,
            ids: Vec::new(),
            said: Vec::new(),
        };
        let round = json!({"exec_id": "batch_t_1", "experiment_id": "exp_0000000a", "topic_name": "t", "status": "completed",
            "synth_count": 1, "started_at": "2026-01-01T12:00:00Z", "completed_at": null, "successful_count": 0,
            "failed_count": 0, "model": "gpt-4o-mini", "max_turns": 6, "summary_available": true, "prfaq_available": false});
        talk.get("/lab/research/batch_t_1", round).await;
        let transcript = json!({"synth_id": "aaa111", "synth_name": "Ana", "turn_count": 0,
            "timestamp": "2026-01-01T12:30:00Z", "status": "completed"});
        let transcripts = "/lab/research/batch_t_1/transcripts";
        talk.get(transcripts, page(json!([transcript]), 1, 50, 0, false))
            .await;
        let whole = json!({"exec_id": "batch_t_1", "synth_id": "aaa111", "synth_name": "Ana", "turn_count": 0,
            "timestamp": "2026-01-01T12:30:00Z", "status": "completed", "messages": []});
        talk.get(&format!("{transcripts}/aaa111"), whole).await;
        let listed = |id: &str, kind: &str, status: &str, hour: u8| {
            json!({"id": id, "document_type": kind, "status": status,
                "generated_at": format!("2026-01-01T{hour}:00:00Z"), "model": "gpt-4o-mini"})
        };
        let documents = json!([
            listed("doc_0000000a", "summary", "completed", 13),
            listed("doc_0000000b", "prfaq", "generating", 12)
        ]);
        talk.get("/lab/experiments/exp_0000000a/documents", documents)
            .await;
        let available = |available: bool, status: &str, at: &str| json!({"available": available, "status": status, "generated_at": at});
        let availability = json!({
            "summary": available(true, "completed", "2026-01-01T13:00:00+00:00"),
            "prfaq": available(false, "generating", "2026-01-01T12:00:00+00:00"),
            "executive_summary": {"available": false, "status": null, "generated_at": null},
        });
        talk.get(
            "/lab/experiments/exp_0000000a/documents/availability",
            availability,
        )
        .await;
        let prfaq = json!({"exec_id": "batch_t_1", "topic_name": "t", "headline": null, "one_liner": null, "faq_count": 0,
            "generated_at": "2026-01-01T12:00:00Z", "validation_status": "valid", "confidence_score": null});
        talk.get("/lab/prfaq/batch_t_1", prfaq.clone()).await;
        talk.get("/lab/prfaq/list", page(json!([prfaq]), 1, 50, 0, false))
            .await;
        let no_text = json!({"detail": {"code": "MARKDOWN_NOT_FOUND",
            "message": "Markdown content not found for PR-FAQ: batch_t_1"}});
        talk.ask(
            "GET",
            "/lab/prfaq/batch_t_1/markdown",
            &Value::Null,
            404,
            Some(no_text),
        )
        .await;
        service.stop().await;
    }
}

async fn conversation(service: &Service) -> Vec<String> {
    let mut talk = Conversation {
        service,
        ids: Vec::new(),
        said: Vec::new(),
    };
    talk.get(
        "/lab/health",
        json!({"status": "healthy", "service": "synth-lab-api"}),
    )
    .await;
    talk.get(
        "/lab/",
        json!({"name": "synth-lab API", "version": "1.0.0", "docs": "/docs", "health": "/lab/health"}),
    )
    .await;
    synths(&mut talk).await;
    groups(&mut talk).await;
    experiments(&mut talk).await;
    refusals(&mut talk).await;
    talk.said
}

#[tokio::test]
async fn both_databases_give_a_client_the_same_answers() {
    let (places, database) = ([Place::new(), Place::new()], lab_database().await);
    let [on_file, on_server] = world::serve_on_both(&places, &database).await;
    let (file, server) = tokio::join!(conversation(&on_file), conversation(&on_server));
    for (file, server) in file.iter().zip(&server) {
        assert_eq!(file, server);
    }
    assert_eq!(file.len(), server.len());
    on_file.stop().await;
    on_server.stop().await;
}

/// Two scenarios, one of them played twice, with regions of some of them.
const RUNS: &str = r#"
    INSERT INTO feature_scorecards (id, data, created_at) VALUES ('0000000a', '{}', '2026-01-01T12:00:00+00:00');
    INSERT INTO simulation_runs (id, scorecard_id, scenario_id, config, status, started_at, aggregated_outcomes) VALUES
      ('sim_0000000a', '0000000a', 'crisis', '{}', 'completed', '2026-01-01T12:00:00+00:00',
       '{"success": 1, "failed": 0, "did_not_try": 0}'),
      ('sim_0000000b', '0000000a', 'baseline', '{}', 'running', '2026-01-01T12:00:00+00:00', NULL),
      ('sim_0000000c', '0000000a', 'crisis', '{}', 'failed', '2026-01-01T12:00:00+00:00', 'null');
    INSERT INTO region_analyses (id, simulation_id, rules, rule_text, synth_count, synth_percentage,
      did_not_try_rate, failed_rate, success_rate, failure_delta) VALUES
      ('region_0000000a', 'sim_0000000a', '[]', 'a < 0.5', 1, 10, 0.1, 0.2, 0.7, 0.3),
      ('region_0000000b', 'sim_0000000a', '[]', 'b < 0.5', 1, 10, 0.1, 0.1, 0.8, 0.2),
      ('region_0000000c', 'sim_0000000a', '[]', 'c < 0.5', 1, 10, 0.1, 0.2, 0.7, 0.1),
      ('region_0000000d', 'sim_0000000b', '[]', 'a < 0.5', 1, 10, 0.1, 0.21049, 0.68951, 0.3),
      ('region_0000000e', 'sim_0000000b', '[]', 'b < 0.5', 1, 10, 0.1, 0.9, 0, 0.2),
      ('region_0000000f', 'sim_0000000c', '[]', 'a < 0.5', 1, 10, 0.1, 0.25, 0.65, 0.3)"#;

async fn compared(service: &Service) -> Vec<Value> {
    let path = "/lab/simulation/simulations/compare";
    let mut answers = Vec::new();
    for ids in [["sim_0000000a", "sim_0000000b"], ["sim_0000000a", "sim_0000000c"]] {
        let answer = service.post(path, &json!({ "simulation_ids": ids })).await;
        answers.push(answer.with(200).json());
    }
    let unknown = service
        .post(path, &json!({"simulation_ids": ["sim_0000000a", "nope"]}))
        .await;
    answers.push(unknown.with(400).json());
    answers
}

#[tokio::test]
async fn runs_are_compared_by_how_often_their_regions_fail() {
    let (places, database) = ([Place::new(), Place::new()], lab_database().await);
    let [on_file, on_server] = world::serve_on_both(&places, &database).await;
    world::file(&places[0].path("cutover.db"))
        .execute_batch(RUNS)
        .unwrap();
    database.connect().await.batch_execute(RUNS).await.unwrap();
    for service in [&on_file, &on_server] {
        let rates = json!({"did_not_try": 0.0, "failed": 0.0, "success": 1.0});
        let expected = [
            json!({
                "simulations": [
                    {"id": "sim_0000000a", "scenario_id": "crisis", "aggregated_outcomes": rates},
                    {"id": "sim_0000000b", "scenario_id": "baseline", "aggregated_outcomes": {}},
                ],
                "most_affected_regions": [
                    {"rule_text": "b < 0.5", "outcomes_by_scenario": {"crisis": 0.1, "baseline": 0.9}},
                    {"rule_text": "a < 0.5", "outcomes_by_scenario": {"crisis": 0.2, "baseline": 0.21}},
                ],
            }),
            // Two runs of one scenario say nothing about scenarios.
            json!({
                "simulations": [
                    {"id": "sim_0000000a", "scenario_id": "crisis", "aggregated_outcomes": rates},
                    {"id": "sim_0000000c", "scenario_id": "crisis", "aggregated_outcomes": {}},
                ],
                "most_affected_regions": [],
            }),
            json!({"detail": "Simulation not found: nope"}),
        ];
        let came: Vec<String> = compared(service).await.iter().map(Value::to_string).collect();
        assert_eq!(came, expected.map(|answer| answer.to_string()));
    }
    on_file.stop().await;
    on_server.stop().await;
}

/// A round of one interview that is over.
const ROUND: &str = r#"
    INSERT INTO research_executions (exec_id, topic_name, status, synth_count, started_at)
      VALUES ('batch_t_1', 't', 'completed', 1, '2026-01-01T12:00:00+00:00');
    INSERT INTO transcripts (exec_id, synth_id, synth_name, turn_count, timestamp, status, messages)
      VALUES ('batch_t_1', 'aaa111', 'Ana', 1, '2026-01-01T12:30:00+00:00', 'completed',
      '[{"speaker": "Interviewer", "text": "Oi?", "internal_notes": "n"}, {"speaker": "Interviewee", "text": "Oi."}]')"#;

#[tokio::test]
async fn a_round_is_replayed_as_the_original_does() {
    let (places, database) = ([Place::new(), Place::new()], lab_database().await);
    let [on_file, on_server] = world::serve_on_both(&places, &database).await;
    world::file(&places[0].path("cutover.db"))
        .execute_batch(ROUND)
        .unwrap();
    database.connect().await.batch_execute(ROUND).await.unwrap();
    let event = |turn: u8, speaker: &str, text: &str| {
        let data = json!({"event_type": "message", "exec_id": "batch_t_1", "synth_id": "aaa111", "turn_number": turn,
            "speaker": speaker, "text": text, "sentiment": null, "timestamp": "2026-01-01T12:30:00Z", "is_replay": true});
        format!("event: message\ndata: {data}\n\n")
    };
    let events = [
        event(1, "Interviewer", "Oi?"),
        event(2, "Interviewee", "Oi."),
        "event: execution_completed\ndata: {}\n\n".to_owned(),
    ];
    for service in [on_file, on_server] {
        let answer = service.get("/lab/research/batch_t_1/stream").await.with(200);
        assert_eq!(answer.text(), events.concat());
        for header in [
            "content-type: text/event-stream; charset=utf-8",
            "x-accel-buffering: no",
        ] {
            assert!(
                answer.headers.lines().any(|line| line == header),
                "{}",
                answer.headers
            );
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn a_photo_elsewhere_is_led_to_as_the_original_does() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    let avatars = place.path("output/synths/avatar");
    std::fs::create_dir_all(avatars.join("dir000.png")).unwrap();
    std::fs::write(avatars.join("file00.png"), "a picture").unwrap();
    // What would be waited for without end, as nobody writes it.
    let made = std::process::Command::new("mkfifo")
        .arg(avatars.join("fifo00.png"))
        .status();
    assert!(made.unwrap().success());
    let file = world::file(&place.path("cutover.db"));
    for (id, link, location) in [
        (
            "plain0",
            "https://example.org/a.png?b=[c]&d=e%20f#g",
            Some("https://example.org/a.png?b=[c]&d=e%20f#g"),
        ),
        (
            "blank0",
            "http://x/a b\"<ü>{|}^`\\",
            Some("http://x/a%20b%22%3C%C3%BC%3E%7B%7C%7D%5E%60%5C"),
        ),
        (
            "break0",
            "http://x/\r\nset-cookie: a\u{7f}\t\u{1}",
            Some("http://x/%0D%0Aset-cookie:%20a%7F%09%01"),
        ),
        (
            "signs0",
            "http://x/_.-~:/%#?=@[]!$&'()*+,;",
            Some("http://x/_.-~:/%#?=@[]!$&'()*+,;"),
        ),
        ("other0", "ftp://x/a", None),
        ("fifo00", "http://x/fifo", Some("http://x/fifo")),
        ("dir000", "none", None),
    ] {
        file.execute(
            "INSERT INTO synths (id, nome, link_photo, created_at) VALUES (?1, 'n', ?2, '2026-01-01T00:00:00+00:00')",
            [id, link],
        )
        .unwrap();
        let answer = service.get(&format!("/lab/synths/{id}/avatar")).await;
        // Headers are read in small letters.
        let location = location.map(str::to_ascii_lowercase);
        let told = answer
            .headers
            .lines()
            .find_map(|line| line.strip_prefix("location: "));
        assert_eq!(
            (answer.status, told),
            (if location.is_some() { 307 } else { 404 }, location.as_deref()),
            "{id}"
        );
    }
    file.execute(
        "INSERT INTO synths (id, nome, avatar_path, created_at) VALUES ('file00', 'n', 'elsewhere/file00.png', '2026-01-01Z')",
        [],
    )
    .unwrap();
    let path = "/lab/synths/file00/avatar";
    let picture = service.get(path).await.with(200);
    assert_eq!(picture.text(), "a picture");
    let header = |answer: &Answer, name: &str| {
        let found = answer
            .headers
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")));
        found.map(str::to_owned)
    };
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-disposition", "attachment; filename=\"file00.png\""),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(header(&picture, name).as_deref(), Some(value));
    }
    let tag = header(&picture, "etag").unwrap();
    assert!(header(&picture, "last-modified").unwrap().ends_with(" gmt"));
    for (headers, status, text, range) in [
        ("range: bytes=2-4\r\n".to_owned(), 206, "pic", Some("bytes 2-4/9")),
        (
            format!("range: bytes=-4\r\nif-range: {tag}\r\n"),
            206,
            "ture",
            Some("bytes 5-8/9"),
        ),
        (
            "range: bytes=2-4\r\nif-range: \"old\"\r\n".to_owned(),
            200,
            "a picture",
            None,
        ),
        ("range: bytes=9-\r\n".to_owned(), 416, "", Some("bytes */9")),
        (
            "range: lines=1-2\r\n".to_owned(),
            400,
            "Only support bytes range",
            None,
        ),
    ] {
        let answer = service
            .send(&request("GET", path, &headers, b""))
            .await
            .with(status);
        assert_eq!(answer.text(), text, "{headers}");
        assert_eq!(header(&answer, "content-range").as_deref(), range, "{headers}");
    }
    service.stop().await;
}

/// Synths whose documents are not as the application writes them.
const DOCUMENTS: [(&str, &str); 3] = [
    (
        "shape0",
        r#"{"demografia": {"idade": "30", "renda_mensal": 1000, "localizacao": {}, "composicao_familiar": {"numero_pessoas": 3.0}},
            "psicografia": {}, "deficiencias": {"visual": {}, "motora": {"tipo": "leve"}}, "observables": {},
            "simulation_attributes": {"latent_traits": {"trust_mean": 1, "a": 2, "capability_mean": 0.5},
                "observables": {"a": 1, "time_availability": 1, "digital_literacy": "0.25"}}}"#,
    ),
    (
        "shape1",
        r#"{"demografia": [], "psicografia": {"contrato_cognitivo": {}}, "deficiencias": 0,
            "simulation_attributes": {"observables": {"motor_ability": 1.5}, "b": 1}}"#,
    ),
    (
        "shape2",
        r#"{"demografia": {"idade": 121, "renda_mensal": -1, "localizacao": {"pais": null}, "composicao_familiar": {"numero_pessoas": "x"}},
            "observables": {"motor_ability": 1}, "simulation_attributes": {"observables": {}}}"#,
    ),
];

#[tokio::test]
async fn a_synths_document_is_read_as_the_original_reads_it() {
    let (places, database) = ([Place::new(), Place::new()], lab_database().await);
    let [on_file, on_server] = world::serve_on_both(&places, &database).await;
    let rows = DOCUMENTS.map(|(id, data)| {
        format!(
            "INSERT INTO synths (id, nome, created_at, version, data) VALUES ('{id}', 'n', '2026-01-01T12:00:00+00:00', '', '{data}');"
        )
    });
    world::file(&places[0].path("cutover.db"))
        .execute_batch(&rows.concat())
        .unwrap();
    database
        .connect()
        .await
        .batch_execute(&rows.concat())
        .await
        .unwrap();
    let who = |idade: Value, place: Value, income: Value, family: Value| {
        json!({"idade": idade, "genero_biologico": null, "raca_etnia": null, "localizacao": place,
            "escolaridade": null, "renda_mensal": income, "ocupacao": null, "estado_civil": null, "composicao_familiar": family})
    };
    let seen = |key: &str, name: &str, value: f64, label: &str, description: &str| json!({"key": key, "name": name, "value": value, "label": label, "description": description});
    let formatted = json!([
        seen(
            "digital_literacy",
            "Literacia Digital",
            0.25,
            "Baixo",
            "Familiaridade com tecnologia e interfaces digitais"
        ),
        seen(
            "similar_tool_experience",
            "Experiência com Ferramentas Similares",
            0.5,
            "Médio",
            "Uso prévio de ferramentas ou produtos parecidos"
        ),
        seen(
            "motor_ability",
            "Capacidade Motora",
            1.0,
            "Muito Alto",
            "Habilidade física para interação com dispositivos"
        ),
        seen(
            "time_availability",
            "Disponibilidade de Tempo",
            1.0,
            "Muito Alto",
            "Tempo típico disponível para uso do produto"
        ),
        seen(
            "domain_expertise",
            "Conhecimento do Domínio",
            0.5,
            "Médio",
            "Expertise na área de atuação do produto"
        ),
    ]);
    let whole = json!({"observables": {"digital_literacy": "0.25", "time_availability": 1, "a": 1},
        "latent_traits": {"capability_mean": 0.5, "trust_mean": 1, "a": 2}});
    let place = json!({"pais": null, "regiao": null, "estado": null, "cidade": null});
    let family = |people: Value| json!({"tipo": null, "numero_pessoas": people});
    let expected = [
        json!({
            "demografia": who(json!(30), Value::Null, json!(1000.0), family(json!(3))),
            "psicografia": null,
            "deficiencias": {"visual": null, "auditiva": null, "motora": {"tipo": "leve"}, "cognitiva": null},
            "observables": {},
            "simulation_attributes": {"observables_formatted": formatted, "raw": whole},
        }),
        json!({
            "demografia": null,
            "psicografia": {"interesses": [], "contrato_cognitivo": null},
            "deficiencias": null,
            "observables": null,
            "simulation_attributes": {"observables_formatted": [], "raw": {"observables": {"motor_ability": 1.5}, "b": 1}},
        }),
        // What the original could not show is shown as it is.
        json!({
            "demografia": who(json!(121), place, json!(-1), family(json!("x"))),
            "psicografia": null,
            "deficiencias": null,
            "observables": {"motor_ability": 1},
            "simulation_attributes": null,
        }),
    ];
    for service in [on_file, on_server] {
        for ((id, _), expected) in DOCUMENTS.iter().zip(&expected) {
            let mut shown = service.get(&format!("/lab/synths/{id}")).await.with(200).json();
            assert_eq!(shown["version"], "2.3.0");
            let object = shown.as_object_mut().unwrap();
            object.retain(|key, _| expected.get(key).is_some());
            assert_eq!(shown.to_string(), expected.to_string(), "{id}");
        }
        service.stop().await;
    }
}

/// An experiment with a completed analysis of which two charts are kept, one of them empty.
const CHARTS: &str = r#"
    INSERT INTO experiments (id, name, hypothesis, created_at) VALUES ('exp_0000000a', 'n', 'h', '2026-01-01T12:00:00+00:00');
    INSERT INTO analysis_runs (id, experiment_id, config, status, started_at)
      VALUES ('ana_0000000a', 'exp_0000000a', '{}', 'completed', '2026-01-01T12:00:00+00:00');
    INSERT INTO analysis_cache (analysis_id, cache_key, data, computed_at) VALUES
      ('ana_0000000a', 'try_vs_success', '{"total": 1}', '2026-01-01T12:00:00+00:00'),
      ('ana_0000000a', 'distribution', '{"total": 2}', '2026-01-01T12:00:00+00:00'),
      ('ana_0000000a', 'scatter', '{}', '2026-01-01T12:00:00+00:00')"#;

#[tokio::test]
async fn a_chart_is_kept_for_its_usual_parameters_which_are_checked_first() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    world::file(&place.path("cutover.db"))
        .execute_batch(CHARTS)
        .unwrap();
    let charts = "/lab/experiments/exp_0000000a/analysis/charts";
    for (path, total) in [
        ("try-vs-success", 1),
        (
            "try-vs-success?attempt_rate_threshold=0.5&success_rate_threshold=0.50",
            1,
        ),
        ("distribution?sort_by=success_rate&order=desc&limit=50", 2),
        ("distribution?unknown=1", 2),
    ] {
        let chart = service.get(&format!("{charts}/{path}")).await.with(200).json();
        assert_eq!(chart, json!({ "total": total }), "{path}");
    }
    for path in [
        "try-vs-success?attempt_rate_threshold=0.4",
        "distribution?order=asc",
        "distribution?limit=51",
        "scatter",
    ] {
        let refusal = service.get(&format!("{charts}/{path}")).await.with(501).json();
        let message = refusal["error"]["message"].as_str().unwrap();
        assert!(message.contains("nothing that answers this request"), "{message}");
    }
    let refusal = service
        .get(&format!("{charts}/failure-heatmap?metric=bad"))
        .await
        .with(400);
    assert_eq!(
        refusal.json()["detail"],
        "Invalid metric: bad. Must be one of ['failed_rate', 'success_rate', 'did_not_try_rate']"
    );
    for (path, kind) in [
        (
            "try-vs-success?attempt_rate_threshold=1.1&success_rate_threshold=x",
            "less_than_equal",
        ),
        ("distribution?limit=1001", "less_than_equal"),
        ("failure-heatmap?bins=1&metric=bad", "greater_than_equal"),
        ("scatter?show_trendline=maybe", "bool_parsing"),
    ] {
        let path = format!("/lab/experiments/nope/analysis/charts/{path}");
        let refusal = service.get(&path).await.with(422).json();
        assert_eq!(refusal["detail"][0]["type"], kind, "{path}");
    }
    let simulation = "/lab/simulation/simulations/nope";
    for (path, status) in [
        (format!("{charts}/pie"), 404),
        (
            "/lab/experiments/exp_0000000a/analysis/clusters/pie".to_owned(),
            404,
        ),
        (
            "/lab/experiments/exp_0000000a/analysis/clusters/cut".to_owned(),
            405,
        ),
        (format!("{simulation}/charts/pie"), 404),
        (format!("{simulation}/clusters/pie"), 404),
        (format!("{simulation}/clusters/0/radar"), 501),
    ] {
        let refusal = service.get(&path).await.with(status);
        if status == 404 {
            assert_eq!(refusal.json(), json!({"detail": "Not Found"}), "{path}");
        }
    }
    service.stop().await;
}

/// A search that has reached its goal, and one that has not, each with a winner.
const SEARCHES: &str = r#"
    INSERT INTO experiments (id, name, hypothesis, created_at) VALUES ('exp_0000000a', 'n', 'h', '2026-01-01T12:00:00+00:00');
    INSERT INTO analysis_runs (id, experiment_id, config, status, started_at)
      VALUES ('ana_0000000a', 'exp_0000000a', '{}', 'completed', '2026-01-01T12:00:00+00:00');
    INSERT INTO explorations (id, experiment_id, baseline_analysis_id, goal, config, status, started_at) VALUES
      ('expl_0000000a', 'exp_0000000a', 'ana_0000000a', '{"value": 1}', '{}', 'goal_achieved', '2026-01-01T12:00:00+00:00'),
      ('expl_0000000b', 'exp_0000000a', 'ana_0000000a', '{"value": 1}', '{}', 'running', '2026-01-01T13:00:00+00:00');
    INSERT INTO scenario_nodes (id, exploration_id, parent_id, depth, scorecard_params, simulation_results, node_status, created_at) VALUES
      ('node_0000000a', 'expl_0000000a', NULL, 0, '{}', '{"success_rate": 0.25}', 'active', '2026-01-01T12:00:00+00:00'),
      ('node_0000000b', 'expl_0000000a', 'node_0000000a', 1, '{}', '{"success_rate": 0.75}', 'winner', '2026-01-01T12:00:00+00:00'),
      ('node_0000000c', 'expl_0000000b', NULL, 0, '{}', '{"success_rate": 0.25}', 'winner', '2026-01-01T12:00:00+00:00')"#;

#[tokio::test]
async fn the_way_to_a_goal_begins_at_nothing_and_is_shown_once_it_is_reached() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    world::file(&place.path("cutover.db"))
        .execute_batch(SEARCHES)
        .unwrap();
    let step = |depth: u8, rate: f64, better: f64| {
        json!({"depth": depth, "action": null, "category": null, "rationale": null,
            "success_rate": rate, "delta_success_rate": better})
    };
    let way = json!({"exploration_id": "expl_0000000a", "winner_node_id": "node_0000000b",
        "path": [step(0, 0.25, 0.25), step(1, 0.75, 0.5)], "total_improvement": 0.5});
    for (id, expected) in [("expl_0000000a", way), ("expl_0000000b", Value::Null)] {
        let path = format!("/lab/explorations/{id}/winning-path");
        assert_eq!(service.get(&path).await.with(200).json(), expected, "{id}");
    }
    let listed = service
        .get("/lab/experiments/exp_0000000a/explorations")
        .await
        .with(200);
    assert!(listed.text().contains(r#""goal_value":1.0"#), "{}", listed.text());
    service.stop().await;
}

/// A scorecard whose document spells times and scores in other ways than the application.
const SCORECARD: &str = r#"
    INSERT INTO feature_scorecards (id, data, created_at) VALUES ('0000000a',
      '{"identification": {"feature_name": "f", "use_scenario": "u"}, "description_text": "d", "complexity": {"score": 1},
        "initial_effort": {"score": "0.5"}, "perceived_risk": {"score": 2}, "time_to_value": {"score": 0},
        "created_at": "2025-12-15 10:00:00.5+00:00", "updated_at": "2025-12-15T10:00"}', '2026-01-01T12:00:00+00:00')"#;

#[tokio::test]
async fn a_scorecards_document_is_spelled_as_the_original_does() {
    let (places, database) = ([Place::new(), Place::new()], lab_database().await);
    let [on_file, on_server] = world::serve_on_both(&places, &database).await;
    world::file(&places[0].path("cutover.db"))
        .execute_batch(SCORECARD)
        .unwrap();
    database.connect().await.batch_execute(SCORECARD).await.unwrap();
    let expected = json!({"id": "0000000a", "feature_name": "f", "use_scenario": "u", "description_text": "d",
        "complexity_score": 1.0, "initial_effort_score": 0.5, "perceived_risk_score": 2, "time_to_value_score": 0.0,
        "justification": null, "impact_hypotheses": [], "created_at": "2025-12-15T10:00:00.500000Z",
        "updated_at": "2025-12-15T10:00:00"});
    for service in [on_file, on_server] {
        let shown = service.get("/lab/simulation/scorecards/0000000a").await.with(200);
        assert_eq!(shown.text(), expected.to_string());
        service.stop().await;
    }
}
