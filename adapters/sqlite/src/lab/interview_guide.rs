//! Interview guides.

use std::collections::HashSet;

use async_trait::async_trait;
use cutover_domain::lab::interview_guide::{InterviewGuide, InterviewGuideChange};
use cutover_domain::time::Timestamp;
use cutover_ports::StoreResult;
use cutover_ports::lab::InterviewGuideRepository;
use rusqlite::params;

use crate::Database;
use crate::row::{Columns, json_array, opt_sql_time, sql_time};

/// [`InterviewGuideRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteInterviewGuideRepository {
    db: Database,
}

impl SqliteInterviewGuideRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `experiment_id, context_definition, questions, context_examples, created_at, updated_at`.
fn guide_from_row(columns: &mut Columns<'_>) -> StoreResult<InterviewGuide> {
    Ok(InterviewGuide {
        experiment_id: columns.text()?,
        context_definition: columns.opt_text()?,
        questions: columns.opt_text()?,
        context_examples: columns.opt_text()?,
        created_at: columns.time()?,
        updated_at: columns.opt_time()?,
    })
}

#[async_trait]
impl InterviewGuideRepository for SqliteInterviewGuideRepository {
    async fn insert(&self, guide: &InterviewGuide) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO interview_guide (experiment_id, context_definition, questions,
                context_examples, created_at, updated_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let _held = self
            .db
            .keys
            .before_write(&[("experiments", &guide.experiment_id)])
            .await?;
        let guide = guide.clone();
        self.db
            .write("interview_guides.insert", move |session| {
                let row = params![
                    guide.experiment_id,
                    guide.context_definition,
                    guide.questions,
                    guide.context_examples,
                    sql_time(&guide.created_at),
                    opt_sql_time(guide.updated_at.as_ref()),
                ];
                let parent = ("experiments", "id", guide.experiment_id.as_str());
                session.execute_referring(SQL, row, &[parent]).map(drop)
            })
            .await
    }

    async fn get(&self, experiment_id: &str) -> StoreResult<Option<InterviewGuide>> {
        const SQL: &str =
            "SELECT experiment_id, context_definition, questions, context_examples, created_at, updated_at
            FROM interview_guide WHERE experiment_id = ?1";
        let experiment_id = experiment_id.to_owned();
        self.db
            .look_up("interview_guides.get", move |session| {
                session.query_opt(SQL, [&experiment_id], guide_from_row)
            })
            .await
    }

    async fn exists(&self, experiment_id: &str) -> StoreResult<bool> {
        const SQL: &str = "SELECT 1 FROM interview_guide WHERE experiment_id = ?1";
        let experiment_id = experiment_id.to_owned();
        let found = self
            .db
            .look_up("interview_guides.exists", move |session| {
                session.query_opt(SQL, [&experiment_id], |_| Ok(()))
            })
            .await?;
        Ok(found.is_some())
    }

    async fn exists_for(&self, experiment_ids: &[String]) -> StoreResult<HashSet<String>> {
        const SQL: &str = "SELECT experiment_id FROM interview_guide
            WHERE experiment_id IN (SELECT value FROM json_each(?1))";
        let ids = json_array(experiment_ids);
        let found = self
            .db
            .read("interview_guides.exists_for", move |session| {
                session.query(SQL, [ids], |columns| columns.text())
            })
            .await?;
        Ok(found.into_iter().collect())
    }

    async fn update(
        &self,
        experiment_id: &str,
        change: &InterviewGuideChange,
        updated_at: Timestamp,
    ) -> StoreResult<Option<InterviewGuide>> {
        const SQL: &str = "UPDATE interview_guide SET context_definition = coalesce(?2, context_definition),
                questions = coalesce(?3, questions), context_examples = coalesce(?4, context_examples),
                updated_at = ?5
            WHERE experiment_id = ?1
            RETURNING experiment_id, context_definition, questions, context_examples, created_at, updated_at";
        let (experiment_id, change) = (experiment_id.to_owned(), change.clone());
        self.db
            .write("interview_guides.update", move |session| {
                let row = params![
                    experiment_id,
                    change.context_definition,
                    change.questions,
                    change.context_examples,
                    updated_at.to_iso(),
                ];
                session.query_opt(SQL, row, guide_from_row)
            })
            .await
    }

    async fn delete(&self, experiment_id: &str) -> StoreResult<bool> {
        const SQL: &str = "DELETE FROM interview_guide WHERE experiment_id = ?1";
        let experiment_id = experiment_id.to_owned();
        self.db
            .write("interview_guides.delete", move |session| {
                Ok(session.execute(SQL, [experiment_id])? > 0)
            })
            .await
    }
}
