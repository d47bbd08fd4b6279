//! tokio-postgres as one would use it by hand: statements prepared beforehand, and a connection per task, no pool.

use std::sync::Arc;

use cutover_domain::json::Json;
use cutover_domain::lab::experiment::Experiment;
use cutover_domain::lab::synth::{Synth, SynthSummary};
use cutover_domain::lab::synth_outcome::SynthOutcome;
use cutover_domain::stored::{Stored, TextEnum};
use cutover_domain::time::Timestamp;
use cutover_ports::Page;
use cutover_postgres::types::{PgJson, PgTime};
use cutover_tests::postgres::TestDatabase;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row, Statement};

use crate::{PAGE, Side, Work};

struct Bare {
    client: Client,
    get: Statement,
    page: Statement,
    count: Statement,
    insert: Statement,
    batch: Statement,
}

/// A [`Bare`] that the futures can share.
struct Task(Arc<Bare>);

pub(crate) async fn sides(database: &TestDatabase, tasks: usize) -> Vec<Arc<dyn Side>> {
    let mut sides: Vec<Arc<dyn Side>> = Vec::new();
    for _ in 0..tasks {
        sides.push(Arc::new(Task(Arc::new(connect(database).await))));
    }
    sides
}

async fn connect(database: &TestDatabase) -> Bare {
    let client = database.connect().await;
    let get = client
        .prepare(
            "SELECT id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version, data
            FROM synths WHERE id = $1",
        )
        .await
        .unwrap();
    let page = client
        .prepare(
            "SELECT id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version
            FROM synths ORDER BY created_at DESC, id LIMIT $1 OFFSET $2",
        )
        .await
        .unwrap();
    let count = client.prepare("SELECT count(*) FROM synths").await.unwrap();
    let insert = client
        .prepare(
            "INSERT INTO experiments
            (id, name, hypothesis, description, scorecard_data, status, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .await
        .unwrap();
    let (texts, floats) = (Type::TEXT_ARRAY, Type::FLOAT8_ARRAY);
    let types = [
        texts.clone(),
        texts.clone(),
        texts,
        floats.clone(),
        floats.clone(),
        floats,
        Type::JSONB_ARRAY,
    ];
    let batch = client
        .prepare_typed(
            "INSERT INTO synth_outcomes
            (id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes)
            SELECT id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes
            FROM unnest($1, $2, $3, $4, $5, $6, $7) AS new
                (id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes)",
            &types,
        )
        .await
        .unwrap();
    Bare {
        client,
        get,
        page,
        count,
        insert,
        batch,
    }
}

fn summary(row: &Row) -> SynthSummary {
    SynthSummary {
        id: row.get(0),
        synth_group_id: row.get(1),
        nome: row.get(2),
        descricao: row.get(3),
        link_photo: row.get(4),
        avatar_path: row.get(5),
        created_at: Stored::Known(row.get::<_, PgTime>(6).0),
        version: row.get(7),
    }
}

fn time(stored: &Stored<Timestamp>) -> PgTime {
    PgTime(*stored.known().unwrap())
}

impl Side for Task {
    fn get(&self, id: String) -> Work<Option<Synth>> {
        let bare = Arc::clone(&self.0);
        Box::pin(async move {
            let row = bare.client.query_opt(&bare.get, &[&id]).await.unwrap();
            row.map(|row| Synth {
                summary: summary(&row),
                data: row.get::<_, Option<PgJson>>(8).map(|json| json.0),
            })
        })
    }

    fn page(&self) -> Work<Page<SynthSummary>> {
        let bare = Arc::clone(&self.0);
        Box::pin(async move {
            let (limit, offset) = (i64::from(PAGE.limit), i64::try_from(PAGE.offset).unwrap());
            let binds: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&limit, &offset];
            let (total, rows) = futures_util::try_join!(
                bare.client.query_one(&bare.count, &[]),
                bare.client.query(&bare.page, &binds)
            )
            .unwrap();
            let total: i64 = total.get(0);
            Page {
                items: rows.iter().map(summary).collect(),
                total: u64::try_from(total).unwrap(),
            }
        })
    }

    fn insert(&self, new: Experiment) -> Work<()> {
        let bare = Arc::clone(&self.0);
        Box::pin(async move {
            let scorecard_data = new.scorecard_data.map(PgJson);
            let status = new.status.known().map(|status| status.as_str());
            let (created_at, updated_at) = (time(&new.created_at), new.updated_at.as_ref().map(time));
            bare.client
                .execute(
                    &bare.insert,
                    &[
                        &new.id,
                        &new.name,
                        &new.hypothesis,
                        &new.description,
                        &scorecard_data,
                        &status,
                        &created_at,
                        &updated_at,
                    ],
                )
                .await
                .unwrap();
        })
    }

    fn batch(&self, outcomes: Vec<SynthOutcome>) -> Work<()> {
        let bare = Arc::clone(&self.0);
        Box::pin(async move {
            let ids: Vec<Option<&str>> = outcomes.iter().map(|outcome| outcome.id.as_deref()).collect();
            let analyses: Vec<&str> = outcomes
                .iter()
                .map(|outcome| outcome.analysis_id.as_str())
                .collect();
            let synths: Vec<&str> = outcomes.iter().map(|outcome| outcome.synth_id.as_str()).collect();
            let did_not_try: Vec<f64> = outcomes
                .iter()
                .map(|o| *o.did_not_try_rate.known().unwrap())
                .collect();
            let failed: Vec<f64> = outcomes.iter().map(|o| *o.failed_rate.known().unwrap()).collect();
            let success: Vec<f64> = outcomes
                .iter()
                .map(|o| *o.success_rate.known().unwrap())
                .collect();
            let attributes: Vec<Option<&Json>> =
                outcomes.iter().map(|o| o.synth_attributes.as_ref()).collect();
            let attributes: Vec<Option<PgJson>> = attributes
                .into_iter()
                .map(|json| json.cloned().map(PgJson))
                .collect();
            let binds: [&(dyn tokio_postgres::types::ToSql + Sync); 7] = [
                &ids,
                &analyses,
                &synths,
                &did_not_try,
                &failed,
                &success,
                &attributes,
            ];
            bare.client.execute(&bare.batch, &binds).await.unwrap();
        })
    }
}
