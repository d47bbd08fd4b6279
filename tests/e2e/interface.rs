//! What clients of the original send and get: statuses, bodies, key order; the same words from both databases.

use cutover_tests::store::lab_database;
use serde_json::{Value, json};

use crate::hostile::scorecard;
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
        &json!({"name": " Novos 🦜\n"}),
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
    let formatted = json!({"key": "motor_ability", "name": "Capacidade Motora", "value": 0.5, "label": "Médio",
        "description": "Facilidade de interação física com interfaces"});
    object.insert(
        "simulation_attributes".to_owned(),
        json!({"observables_formatted": [formatted], "raw": {"motor_ability": 0.5}}),
    );
    talk.get("/lab/synths/aaa111", detail).await;
    talk.ask("GET", "/lab/synths/bbb222", &Value::Null, 200, None)
        .await;
    talk.ask("GET", "/lab/synths/ccc333", &Value::Null, 200, None)
        .await;
    let unknown =
        json!({"error": {"code": "SYNTH_NOT_FOUND", "message": "Synth with ID 'zzz999' not found"}});
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
    synths(&mut talk).await;
    groups(&mut talk).await;
    experiments(&mut talk).await;
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
