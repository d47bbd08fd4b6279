//! A few thousand requests made from the service's own description, sent to a file full of oddities and to its copy on
//! PostgreSQL: both must answer with the same bytes, no answer may be a failure of the service, and each must fit its schema.
//!
//! The market and the writer are asked in the same way, each database by itself: their files hold what PostgreSQL refuses.
//!
//! `CUTOVER_REQUESTS` sets how many (2000 without it), `CUTOVER_REQUESTS_SEED` the seed; the same seed makes the same requests.

use std::collections::BTreeMap;
use std::path::Path;

use cutover_tests::lab_file::{LabFile, Oddity};
use cutover_tests::postgres::TestDatabase;
use cutover_tests::store::lab_database;
use serde_json::{Map, Value, json};

use crate::http::Answer;
use crate::program::{Place, Service};
use crate::world;

/// A small generator (SplitMix64): the same seed gives the same requests for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Texts that hurt where they are not expected.
const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "É",
    "🦜",
    "null",
    "0",
    "-1",
    "1e309",
    "NaN",
    "true",
    "'; DROP TABLE synths; --",
    "%",
    "_",
    "\\",
    "\"",
    "{}",
    "../../etc/passwd",
    "$1",
    "?1",
    "a\tb",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "1e400",
    "a/b",
    "exp_00000001",
    "desc",
    "nome",
    "created_at",
];

/// More rows than [`LabFile`] has: what the application writes when all goes well, and what it wrote when not.
const ROWS: &str = r#"
    UPDATE experiments SET scorecard_data = '{"feature_name": "f", "description_text": "d", "complexity": {"score": 5e-1},
        "initial_effort": {"score": 0}, "perceived_risk": {"score": 1, "rules_applied": ["é"]}, "time_to_value": {"score": 0.25},
        "feature_name": "twice"}' WHERE id = 'exp_0000000a';
    UPDATE synth_outcomes SET synth_attributes = '{"latent_traits": {"trust_mean": 1, "capability_mean": 0.10, "exploration_prob": 1e-1,
        "friction_tolerance_mean": 0}, "observables": {"digital_literacy": 0.5, "similar_tool_experience": 0.5, "motor_ability": 0.5,
        "time_availability": 0.5, "domain_expertise": 0.5}}' WHERE synth_id = 's00002';
    UPDATE synth_outcomes SET synth_attributes = NULL, success_rate = 9e999 WHERE synth_id = 's00003';
    INSERT INTO analysis_cache VALUES
      ('ana_0000000a', 'insight_pdp', '{"chart_type": "pdp", "analysis_id": "ana_0000000a", "summary": "é 🦜", "status": "completed",
        "generation_timestamp": "2026-01-01T12:00:00.5+00:00"}', NULL, '2026-01-01 12:00:00'),
      ('ana_0000000a', 'insight_outliers', '{"z": 1, "caption": [1.0, 1e2]}', '{}', '2026-01-01 12:00:00'),
      ('ana_0000000a', 'insight_distribution', 'null', NULL, '2026-01-01 12:00:00'),
      ('ana_0000000a', 'clustering_k3', '{"n_clusters": 3, "method": "kmeans"}', '{"n_clusters": 3}', '2026-01-01 12:00:00'),
      ('ana_0000000a', 'clustering_k10', '{"n_clusters": 10}', NULL, '2026-01-01 12:00:00'),
      ('ana_0000000a', 'heatmap', '[1.0, {"x_axis": 1e1, "bin": 2}]', NULL, '2026-01-01 12:00:00'),
      ('ana_0000000a', 'try_vs_success', 'null', NULL, '2026-01-01 12:00:00'),
      ('ana_0000000a', 'executive_summary', '{"overview": "o", "status": "odd", "bb": 1, "a": 2}', NULL, '2026-01-01 12:00:00');
    INSERT INTO experiment_documents VALUES
      ('doc_aaaaaaa1', 'exp_0000000a', 'prfaq', '# é', '{"headline": "h", "exec_id": 1.50, "a": {"b": [], "aa": null}}',
        '2026-01-01 12:00:00', NULL, 'completed', NULL),
      ('doc_aaaaaaa2', 'exp_0000000a', 'executive_summary', '', '[]', '2026-01-01', 'm', 'generating', 'e');
    UPDATE explorations SET goal = '{"metric": "success_rate", "operator": ">=", "value": 5e-1}', config = '{"seed": 1e2, "beam_width": 2}'
        WHERE id = 'expl_0000000a';
    UPDATE scenario_nodes SET node_status = 'winner', simulation_results = '{"success_rate": 0.75, "fail_rate": 0.25, "did_not_try_rate": 0}'
        WHERE exploration_id = 'expl_0000000a' AND depth = 2;
    UPDATE scenario_nodes SET simulation_results = '{"success_rate": 1e-1}' WHERE exploration_id = 'expl_0000000a' AND depth < 2;
    UPDATE research_executions SET model = NULL, max_turns = NULL, successful_count = NULL, topic_name = 'exp_exp_00000003_auto'
        WHERE exec_id = 'batch_topic_3';
    UPDATE transcripts SET messages = '[{"text": "só texto"}, {"speaker": "S", "text": "t", "internal_notes": "n", "more": 1}]'
        WHERE synth_id = 's00002';
    UPDATE transcripts SET messages = '{"no": "list"}' WHERE synth_id = 's00003';
    UPDATE feature_scorecards SET data = '{"id": "00000004", "identification": {"feature_name": "f", "use_scenario": "s"},
        "description_text": "d", "complexity": {"score": 0.50}, "created_at": "2025-12-15T10:00:00Z", "impact_hypotheses": ["a", 1],
        "updated_at": "2025-12-15T10:00:00+00:00"}' WHERE id = '00000004';
    UPDATE simulation_runs SET status = 'completed', aggregated_outcomes = '{"success": 1, "failed": 0, "did_not_try": 0}'
        WHERE id <= 'sim_00000004';
    UPDATE synths SET data = '{"demografia": {"idade": 1e1, "localizacao": {"cidade": "x"}, "idade": 31.0}, "a b": TRUE,
        "observables": {"zeta": 1, "motor_ability": "0.5", "digital_literacy": 0.9}, "n": [1, {"b": 1, "a": 2}]}' WHERE 0;
    UPDATE synths SET data = '{"demografia": {"idade": 41.0, "localizacao": {"cidade": "Ávila"}}, "a b": true, "t": "Texto",
        "observables": {"zeta": 1, "motor_ability": "0.5", "digital_literacy": 0.9}}' WHERE id <= 's00009';
    UPDATE synths SET data = '{"demografia": [], "psicografia": {"contrato_cognitivo": 7}, "t": 12, "deficiencias": null, "a b": false}'
        WHERE id BETWEEN 's0000a' AND 's0000f';
    UPDATE synths SET data = NULL, nome = 'ção', descricao = '', version = NULL WHERE id BETWEEN 's00010' AND 's00014';
    UPDATE synths SET nome = 'É', descricao = 'Ana', created_at = '2025-12-15T10:00:00Z' WHERE id BETWEEN 's00015' AND 's00018';
"#;

/// Rows of the market that break the rules of their columns, as nothing in SQLite forbids.
const ODD_DAYS: &str = r#"
    INSERT INTO daily_predictions (id, date, "preMarket", "predLow", "predHigh", bias, open, close, "rangeHit", "absErrorToClose",
      created_at, updated_at, locked) VALUES
      (100, 'not a day', 'abc', 'x', 'y', 5, 'n/a', 'z', 'maybe', 't', 5, 'yesterday', 'perhaps'),
      (101, 20250813, 9e999, x'00ff', 1, 2.5, 'NaN', -9e999, 7, NULL, NULL, 1.5, 2),
      (102, '2025-08-14', '', '1e5', '600', NULL, 1, '600', 'yes', '', '', '2025-08-14T10:00:00Z', '');
    INSERT INTO ai_predictions (id, date, checkpoint, predicted_price, confidence, actual_price, prediction_error, created_at) VALUES
      (100, '2025-08-11', 'open', 'abc', 'high', 'z', 'q', 'when'), (101, '2025-08-11', 'dawn', 580, 0.5, 581, 9e999, NULL),
      (102, '2025-08-11', 'open', 580, 0.5, 581, 1, '2025-08-11 17:07:51'), (103, 'x', 'noon', 1, 1, 1, 0, '2025-08-11 17:07:51');
"#;

/// A conversation of another program's, and a file that nobody uploaded here.
const ODD_TALK: &str = r#"
    INSERT INTO conversations (id, title, created_at, updated_at) VALUES
      ('ffffffff-0000-4000-8000-000000000001', '', NULL, 'yesterday');
    INSERT INTO messages (id, conversation_id, role, content, created_at, attachments) VALUES
      ('m9', 'ffffffff-0000-4000-8000-000000000001', 'narrator', 'one', 'once', NULL),
      ('m1', 'ffffffff-0000-4000-8000-000000000001', 'assistant', 'two', NULL, '{"no": "list"}');
    INSERT INTO file_metadata VALUES ('f1', 'a.pdf', 'application/pdf', 'large', NULL);
"#;

/// The file as the original left it.
fn old_file(path: &Path) {
    let connection = LabFile::SMALL.create(path);
    for oddity in Oddity::KEPT {
        oddity.put(&connection);
    }
    connection.execute_batch(ROWS).unwrap();
}

/// The description, and what requests are made of.
struct Requests<'a> {
    document: &'a Value,
    random: Random,
    /// Ids that were made on the way, as each side calls them.
    made: Vec<[String; 2]>,
}

struct Asked {
    method: String,
    path: String,
    body: Option<String>,
    operation: Value,
}

impl Requests<'_> {
    fn operations(&self) -> Vec<(String, String, Value)> {
        let mut operations = Vec::new();
        for (path, item) in self.document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                operations.push((path.clone(), method.to_uppercase(), operation.clone()));
            }
        }
        operations
    }

    fn resolve(&self, schema: &Value) -> Value {
        match schema["$ref"].as_str() {
            Some(reference) => self.document.pointer(&reference[1..]).unwrap().clone(),
            None => schema.clone(),
        }
    }

    /// A key of the kind that stands behind this part of a path.
    fn key(&mut self, before: &str, name: &str) -> String {
        let number = 1 + self.random.below(22);
        if self.random.once_in(12) {
            return (*self.random.pick(TEXTS)).to_owned();
        }
        // Half of all is about what is richest.
        let number = if self.random.once_in(2) { 10 } else { number };
        match (before, name) {
            (_, "synth_id") => format!("s{number:05x}"),
            (_, "chart_type") => {
                (*self
                    .random
                    .pick(&["pdp", "outliers", "distribution", "shap_summary", "sankey"]))
                .to_owned()
            }
            (_, "document_type") => (*self
                .random
                .pick(&["summary", "prfaq", "executive_summary", "other"]))
            .to_owned(),
            (_, "day" | "date") => (*self.random.pick(&[
                "2025-01-02",
                "2025-08-11",
                "2025-08-14",
                "2025-02-30",
                "0",
                "1e18",
            ]))
            .to_owned(),
            (_, "checkpoint") => (*self.random.pick(&["open", "twoPM", "dusk"])).to_owned(),
            (_, "job_id") => (*self.random.pick(&["capture_noon", "daily_cleanup", "nap"])).to_owned(),
            (_, "conversation_id") => match self.made.last() {
                Some([id, _]) if self.random.once_in(2) => id.clone(),
                _ => "ffffffff-0000-4000-8000-000000000001".to_owned(),
            },
            (_, "file_id") => "f1".to_owned(),
            ("experiments", _) => format!("exp_{number:08x}"),
            ("synth-groups", _) => format!("grp_{number:08x}"),
            ("synths", _) => format!("s{number:05x}"),
            ("explorations", _) => format!("expl_{number:08x}"),
            ("research" | "prfaq", _) => format!("batch_topic_{number}"),
            ("scorecards", _) => format!("{number:08}"),
            ("simulations", _) => format!("sim_{number:08x}"),
            _ => "x".to_owned(),
        }
    }

    fn next(&mut self, operations: &[(String, String, Value)]) -> Asked {
        let (template, method, operation) = self.random.pick(operations).clone();
        let mut parts: Vec<String> = Vec::new();
        let mut before = String::new();
        for part in template.split('/') {
            let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            if let Some(name) = name {
                let key = self.key(&before, name);
                parts.push(encode(&key));
            } else {
                part.clone_into(&mut before);
                parts.push(part.to_owned());
            }
        }
        let mut path = parts.join("/");
        let mut between = '?';
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let is_given = parameter["required"] == true || self.random.once_in(2);
            if parameter["in"] == "query" && is_given {
                let value = self.parameter(parameter);
                path = format!(
                    "{path}{between}{}={}",
                    parameter["name"].as_str().unwrap(),
                    encode(&value)
                );
                between = '&';
            }
        }
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let body = schema.is_object().then(|| {
            if template.ends_with("/synths/search") && !self.random.once_in(8) {
                return self.search().to_string();
            }
            if self.random.once_in(40) {
                return (*self.random.pick(TEXTS)).to_owned();
            }
            let mut body = self.value(schema, 0);
            if self.random.once_in(4) {
                self.spoil(&mut body);
            }
            body.to_string()
        });
        Asked {
            method,
            path,
            body,
            operation,
        }
    }

    fn parameter(&mut self, parameter: &Value) -> String {
        if self.random.once_in(8) {
            return (*self.random.pick(TEXTS)).to_owned();
        }
        match parameter["name"].as_str().unwrap() {
            "sort_by" => (*self.random.pick(&[
                "id",
                "nome",
                "created_at",
                "version",
                "started_at",
                "topic_name",
                "max_turns",
                "1",
            ]))
            .to_owned(),
            "sort_order" => (*self.random.pick(&["asc", "desc", "up"])).to_owned(),
            "fields" => (*self.random.pick(&[
                "nome,descricao,created_at",
                "id, version,created_at",
                "created_at",
            ]))
            .to_owned(),
            "synth_group_id" => "grp_0000000b".to_owned(),
            "status" => (*self.random.pick(&["completed", "running", ""])).to_owned(),
            "scenario_id" => "crisis".to_owned(),
            "strategy_type" => (*self.random.pick(&["Iron Condor", "iron_butterfly", "Straddle"])).to_owned(),
            "start_date" | "end_date" => {
                (*self.random.pick(&["2025-01-01", "2025-08-11", "2025-08-32"])).to_owned()
            }
            "limit" => (*self
                .random
                .pick(&["1", "3", "20", "100", "200", "500", "0", "501"]))
            .to_owned(),
            "offset" => (*self.random.pick(&["0", "1", "7", "1000000", "-1"])).to_owned(),
            _ => (*self.random.pick(&["1", "0.5", "21", "x"])).to_owned(),
        }
    }

    /// A value that fits a schema.
    fn value(&mut self, schema: &Value, depth: usize) -> Value {
        let schema = self.resolve(schema);
        if let Some(alternatives) = schema["anyOf"].as_array() {
            let alternative = self.random.pick(alternatives).clone();
            return self.value(&alternative, depth);
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => self.random.pick(kinds).clone(),
            kind => kind.clone(),
        };
        let range = |name: &str, default: f64| schema[name].as_f64().unwrap_or(default);
        match kind.as_str() {
            Some("object") => {
                let mut object = Map::new();
                let required: Vec<&str> = schema["required"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                    if required.contains(&name.as_str()) || (depth < 4 && self.random.once_in(2)) {
                        let value = match name.as_str() {
                            "experiment_id" => format!("exp_{:08x}", 1 + self.random.below(20)).into(),
                            "simulation_ids" => {
                                json!(["sim_00000001", format!("sim_{:08x}", 1 + self.random.below(20))])
                            }
                            // A taken one now and then.
                            "id" if name == "id" => format!("grp_{:08x}", self.random.below(40)).into(),
                            _ => self.value(property, depth + 1),
                        };
                        object.insert(name.clone(), value);
                    }
                }
                Value::Object(object)
            }
            Some("array") => {
                let least = usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).unwrap();
                let count = least + self.random.below(3);
                (0..count)
                    .map(|_| self.value(&schema["items"], depth + 1))
                    .collect()
            }
            Some("integer") => {
                let bound = |name: &str, default| schema[name].as_i64().unwrap_or(default);
                let (low, high) = (bound("minimum", -5), bound("maximum", 1000));
                let span = usize::try_from((high - low).min(1_000_000)).unwrap() + 1;
                (low + i64::try_from(self.random.below(span)).unwrap()).into()
            }
            Some("number") => {
                let (low, high) = (range("minimum", -1.0), range("maximum", 1.0));
                (low + (high - low) * (self.random.below(9) as f64) / 8.0).into()
            }
            Some("boolean") => self.random.once_in(2).into(),
            Some("string") if schema["enum"].is_array() => {
                self.random.pick(schema["enum"].as_array().unwrap()).clone()
            }
            Some("string") if schema["format"] == "date" => {
                (*self.random.pick(&["2025-08-11", "2025-08-15", "2025-12-25"])).into()
            }
            Some("string") => {
                let longest = usize::try_from(schema["maxLength"].as_u64().unwrap_or(30)).unwrap();
                let text = "Olá 🦜 ".repeat(1 + self.random.below(4));
                text.chars().take(longest).collect::<String>().into()
            }
            _ => Value::Null,
        }
    }

    /// Replaces something in a value by something else.
    fn spoil(&mut self, value: &mut Value) {
        if !self.random.once_in(3) {
            if let Value::Object(members) = value
                && !members.is_empty()
            {
                let index = self.random.below(members.len());
                return self.spoil(members.values_mut().nth(index).unwrap());
            }
            if let Value::Array(items) = value
                && !items.is_empty()
            {
                let index = self.random.below(items.len());
                return self.spoil(&mut items[index]);
            }
        }
        let others = [
            Value::Null,
            json!(true),
            json!(-1),
            json!(1.5),
            json!(1e300),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(u64::MAX),
            // What no machine's number is; texts keep their form on the way.
            serde_json::from_str("-1e400").unwrap(),
            serde_json::from_str("123456789012345678901234567890").unwrap(),
            json!([]),
            json!({}),
            json!([null]),
            json!("\u{0}"),
            json!("x".repeat(3000)),
            json!((*self.random.pick(TEXTS)).to_owned()),
        ];
        *value = self.random.pick(&others).clone();
    }

    /// A search, mostly one that is understood.
    fn search(&mut self) -> Value {
        if self.random.once_in(3) {
            let order = self.field();
            let end = *self.random.pick(&["", " DESC", " ASC", " LIMIT 3"]);
            let columns = *self.random.pick(&["*", "id, nome, created_at", "secret"]);
            let condition = self.condition(0);
            return json!({ "query": format!("SELECT {columns} FROM synths WHERE {condition} ORDER BY {order}{end}, created_at DESC") });
        }
        json!({ "where_clause": self.condition(0) })
    }

    fn field(&mut self) -> String {
        let fields = [
            "id",
            "nome",
            "NOME",
            "descricao",
            "version",
            "synth_group_id",
            "json_extract(data, '$.demografia.idade')",
            "data->>'$.t'",
            "json_extract(data,'$.\"a b\"')",
            "json_extract(data, '$.demografia')",
            "json_extract(data, '$.observables.digital_literacy')",
            "json_extract(data, '$.demografia.localizacao.cidade')",
            "json_extract(data, '$.nothing.here')",
        ];
        (*self.random.pick(&fields)).to_owned()
    }

    fn literal(&mut self) -> String {
        let literals = [
            "'Nome 7'",
            "'nome 7'",
            "'É'",
            "'é'",
            "''",
            "'s00010'",
            "'2.3.0'",
            "30",
            "41",
            "-1",
            "0.9",
            "1e2",
            "TRUE",
            "FALSE",
            "'Texto'",
            "'Ávila'",
            "12",
            "'12'",
            "'O''Brien'",
            "'São Paulo'",
            "'\"'",
            "NULL",
        ];
        (*self.random.pick(&literals)).to_owned()
    }

    fn condition(&mut self, depth: usize) -> String {
        let (field, literal) = (self.field(), self.literal());
        if depth < 3 && self.random.once_in(2) {
            let (a, b) = (self.condition(depth + 1), self.condition(depth + 1));
            return match self.random.below(4) {
                0 => format!("{a} AND {b}"),
                1 => format!("{a} OR {b}"),
                2 => format!("NOT ({a} OR {b})"),
                _ => format!("({a}) AND NOT {b}"),
            };
        }
        match self.random.below(8) {
            0 => format!("{field} IS NULL"),
            1 => format!("{field} IS NOT NULL"),
            2 => {
                let pattern = *self.random.pick(&[
                    "'n%'",
                    "'%É%'",
                    "'%é'",
                    "'T_xto'",
                    "'%'",
                    "'NOME 1_'",
                    "'%\\%%' ESCAPE '\\'",
                    "'%!%' ESCAPE '!'",
                    "'a\\'",
                ]);
                let not = *self.random.pick(&["", "NOT "]);
                format!("{field} {not}LIKE {pattern}")
            }
            3 => format!("{field} IN ({literal}, {})", self.literal()),
            4 => format!("{field} BETWEEN {literal} AND {}", self.literal()),
            5 => format!("{literal} {} {field}", self.random.pick(&["=", "<", ">="])),
            _ => format!(
                "{field} {} {literal}",
                self.random.pick(&["=", "==", "<>", "!=", "<", "<=", ">", ">="])
            ),
        }
    }

    /// What an answer says, with names for ids and times that differ from side to side.
    fn masked(&mut self, answers: [&Answer; 2], asked: &Asked) -> [String; 2] {
        let texts = answers.map(Answer::text);
        if asked.method != "GET" {
            let ids = answers.map(|answer| {
                let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                [&answer["id"], &answer["document_id"]]
                    .into_iter()
                    .find_map(Value::as_str)
                    .map(str::to_owned)
            });
            if let [Some(one), Some(other)] = ids
                && one != other
            {
                self.made.push([one, other]);
            }
        }
        let mut sides = 0..2;
        texts.map(|text| {
            let side = sides.next().unwrap();
            let ids = self.made.iter().enumerate();
            let text = ids.fold(text, |text, (number, ids)| {
                text.replace(&ids[side], &format!("<{number}>"))
            });
            without_times_of_today(&text)
        })
    }

    /// What of `value` breaks `schema`.
    fn breaks(&self, schema: &Value, value: &Value) -> Option<String> {
        let schema = self.resolve(schema);
        if let Some(alternatives) = schema["anyOf"].as_array() {
            let broken: Option<Vec<String>> =
                alternatives.iter().map(|one| self.breaks(one, value)).collect();
            if let Some(broken) = broken {
                return Some(format!("none fits: {}", broken.join("; ")));
            }
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            if let Some(broken) = self.breaks(part, value) {
                return Some(broken);
            }
        }
        let is = |kind: &Value| match kind.as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("integer") => value.as_f64().is_some_and(|number| number.fract() == 0.0),
            Some("number") => value.is_number(),
            Some("boolean") => value.is_boolean(),
            Some("null") => value.is_null(),
            _ => true,
        };
        let fits = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().any(is),
            kind => is(kind),
        };
        if !fits {
            return Some(format!("{value} is no {}", schema["type"]));
        }
        if let Some(texts) = schema["enum"].as_array().filter(|texts| !texts.contains(value)) {
            return Some(format!("{value} is none of {texts:?}"));
        }
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if value.is_object() && value.get(name).is_none() {
                return Some(format!("{name} is missing"));
            }
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(broken) = value.get(name).and_then(|value| self.breaks(property, value)) {
                return Some(format!("{name}: {broken}"));
            }
        }
        let items = value.as_array().filter(|_| schema["items"].is_object());
        items
            .into_iter()
            .flatten()
            .find_map(|item| self.breaks(&schema["items"], item))
    }

    /// The answer is one that the description knows.
    fn check(&self, asked: &Asked, answer: &Answer) {
        let described = asked.operation["responses"]
            .get(answer.status.to_string())
            .unwrap_or(&asked.operation["responses"]["default"]);
        let asked_text = format!(
            "{} {} {:?} → {}",
            asked.method,
            asked.path,
            asked.body,
            answer.text()
        );
        assert!(answer.status != 500 && answer.status != 503, "{asked_text}");
        // A parameter of nothing is a slash too many, and no request of this operation.
        let path = asked.path.split('?').next().unwrap();
        if answer.status == 307 && path.ends_with('/') || answer.status == 404 && path.contains("//") {
            return;
        }
        let Some(content) = described["content"].as_object() else {
            return;
        };
        let kind = answer
            .headers
            .lines()
            .find_map(|line| line.strip_prefix("content-type: "));
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default();
        let schema = content
            .get(kind)
            .unwrap_or_else(|| panic!("{kind} is not described: {asked_text}"));
        if kind == "application/json" {
            let broken = self.breaks(&schema["schema"], &answer.json());
            assert!(broken.is_none(), "{}: {asked_text}", broken.unwrap());
        }
    }
}

/// The times of this run replaced; a text of the application holds none of them.
fn without_times_of_today(text: &str) -> String {
    let mut parts = text.split("\"20");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let time = ["Z\"", "+00:00\""].into_iter().find_map(|zone| {
            part.split_once(zone).filter(|(time, _)| {
                time.len() >= 17
                    && time.len() <= 24
                    && time.as_bytes()[8] == b'T'
                    && !time.starts_with("25-")
                    && !time.starts_with("26-01-0")
            })
        });
        let (kept, rest) = time.map_or(("\"20", part), |(_, rest)| ("\"<now>\"", rest));
        masked += kept;
        masked += rest;
    }
    masked
}

fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            encoded + &char::from(byte).to_string()
        } else {
            format!("{encoded}%{byte:02X}")
        }
    })
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[tokio::test]
async fn both_databases_give_the_same_bytes_and_none_breaks_the_description() {
    let (place, database) = (Place::new(), TestDatabase::create().await);
    let (file, url) = (place.path("lab.db"), database.url());
    old_file(&file);
    place
        .run(["migrate", "up", "--on", "postgres", "--postgres", &url])
        .await
        .with(0);
    place
        .run(["copy", &file.display().to_string(), &url])
        .await
        .with(0);
    let elsewhere = Place::new();
    let on_file = place.serve(&["--sqlite", "lab.db"]).await;
    let on_server = elsewhere.serve(&["--postgres", &url]).await;
    for service in [&on_file, &on_server] {
        what_was_computed_is_answered_from_the_cache(service).await;
    }
    let document = on_file.get("/openapi.json").await.with(200).json();
    let seed = setting("CUTOVER_REQUESTS_SEED", 1);
    let mut requests = Requests {
        document: &document,
        random: Random(seed),
        made: Vec::new(),
    };
    let mut operations = requests.operations();
    operations.retain(|(path, _, _)| path.starts_with("/lab"));
    // What is not done here is soon told.
    let (not_done, mut done): (Vec<_>, Vec<_>) = operations.into_iter().partition(|(_, _, operation)| {
        let responses = &operation["responses"];
        responses.get("501").is_some() && responses.get("200").is_none()
    });
    done.extend(not_done.into_iter().step_by(12));
    let mut operations = done;
    // Searches can differ in more ways than others.
    let search = operations
        .iter()
        .find(|(path, _, _)| path.ends_with("/synths/search"))
        .unwrap()
        .clone();
    operations.extend(vec![search; operations.len() / 6]);
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    for _ in 0..setting("CUTOVER_REQUESTS", 2000) {
        let asked = requests.next(&operations);
        let (one, other) = ask_both(&on_file, &on_server, &asked).await;
        *statuses.entry(one.status).or_default() += 1;
        requests.check(&asked, &one);
        requests.check(&asked, &other);
        let [file, server] = requests.masked([&one, &other], &asked);
        assert_eq!(
            (one.status, file),
            (other.status, server),
            "seed {seed}: {} {} {:?}",
            asked.method,
            asked.path,
            asked.body
        );
    }
    println!("{statuses:?}");
    // A run of mere refusals proves nothing.
    for status in [200, 201, 204, 404, 409, 422, 501] {
        assert!(
            statuses.contains_key(&status),
            "no answer was {status}: {statuses:?}"
        );
    }
    for service in [on_file, on_server] {
        let log = service.stop().await;
        assert!(!log.contains("panicked"), "{log}");
    }
}

async fn what_was_computed_is_answered_from_the_cache(service: &Service) {
    let of = |path: &str| format!("/lab/experiments/exp_0000000a/analysis/{path}");
    for (path, kept) in [
        ("charts/scatter", r#"{"points":[[0.1,2],[100,-0.5]]}"#),
        ("charts/failure-heatmap", r#"[1.0,{"bin":2,"x_axis":10}]"#),
        ("clusters", r#"{"n_clusters":10}"#),
        // What the application's page asks for by name, and what nothing asks for.
        (
            "charts/scatter?x_axis=capability_mean&y_axis=success_rate&show_trendline=off&a=b",
            r#"{"points":[[0.1,2],[100,-0.5]]}"#,
        ),
        (
            "charts/failure-heatmap?x_axis=digital_literacy&y_axis=trust_mean&bins=5.0&metric=failed_rate",
            r#"[1.0,{"bin":2,"x_axis":10}]"#,
        ),
        ("clusters?n_clusters=3", r#"{"n_clusters":10}"#),
    ] {
        let answer = service.get(&of(path)).await.with(200);
        assert_eq!(answer.text(), kept, "{path}");
    }
    for (path, status) in [
        // Not computed, nothing, computed with other parameters, computed nowhere.
        (of("charts/distribution"), 501),
        (of("charts/try-vs-success"), 501),
        (of("charts/scatter?x_axis=motor_ability"), 501),
        (of("charts/failure-heatmap?bins=6"), 501),
        (of("charts/sankey-flow"), 501),
        (of("clusters/pca-scatter"), 501),
        (
            "/lab/experiments/exp_ffffffff/analysis/charts/scatter".to_owned(),
            404,
        ),
        ("/lab/experiments/exp_ffffffff/analysis/clusters".to_owned(), 404),
    ] {
        service.get(&path).await.with(status);
    }
}

/// Asks both the same.
async fn ask_both(file: &Service, server: &Service, asked: &Asked) -> (Answer, Answer) {
    tokio::join!(
        file.ask(&asked.method, &asked.path, asked.body.as_deref()),
        server.ask(&asked.method, &asked.path, asked.body.as_deref())
    )
}

#[tokio::test]
async fn the_market_and_the_writer_keep_to_their_descriptions_too() {
    let settings = "[market]\njobs_enabled = false\nsqlite_path = \"market.db\"\n[writer]\nsqlite_path = \"writer.db\"\n";
    let place = Place::new();
    place.write("cutover.toml", settings);
    crate::market::spy_file(&place.path("market.db"));
    world::file(&place.path("market.db"))
        .execute_batch(ODD_DAYS)
        .unwrap();
    let on_file = place.serve(&[]).await;
    world::file(&place.path("writer.db"))
        .execute_batch(ODD_TALK)
        .unwrap();
    let (elsewhere, database) = (Place::new(), lab_database().await);
    elsewhere.write("cutover.toml", "[market]\njobs_enabled = false\n");
    let on_server = elsewhere.serve(&["--postgres", &database.url()]).await;
    for service in [on_file, on_server] {
        let document = service.get("/openapi.json").await.with(200).json();
        let mut requests = Requests {
            document: &document,
            random: Random(setting("CUTOVER_REQUESTS_SEED", 1)),
            made: Vec::new(),
        };
        let mut operations = requests.operations();
        operations.retain(|(path, _, _)| path.starts_with("/market") || path.starts_with("/writer"));
        let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
        for _ in 0..setting("CUTOVER_REQUESTS", 2000) / 2 {
            let asked = requests.next(&operations);
            let answer = service
                .ask(&asked.method, &asked.path, asked.body.as_deref())
                .await;
            *statuses.entry(answer.status).or_default() += 1;
            // The file of the original has no table for the runs of jobs.
            if !(answer.status == 503 && asked.path.starts_with("/market/scheduler/")) {
                requests.check(&asked, &answer);
            }
            if asked.path == "/writer/api/conversations" && answer.status == 201 {
                let id = answer.json()["id"].as_str().unwrap().to_owned();
                requests.made.push([id.clone(), id]);
            }
        }
        println!("{statuses:?}");
        for status in [200, 201, 204, 400, 404, 422, 501] {
            assert!(
                statuses.contains_key(&status),
                "no answer was {status}: {statuses:?}"
            );
        }
        let log = service.stop().await;
        assert!(!log.contains("panicked"), "{log}");
    }
}
