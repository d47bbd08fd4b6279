//! Interview guides.

use std::collections::HashSet;

use async_trait::async_trait;
use cutover_domain::lab::interview_guide::{InterviewGuide, InterviewGuideChange};
use cutover_domain::time::Timestamp;
use cutover_ports::StoreResult;
use cutover_ports::lab::InterviewGuideRepository;
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row, opt_pg_time, pg_time};
use crate::types::PgTime;

const TABLE: &str = "interview_guide";

/// [`InterviewGuideRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgInterviewGuideRepository {
    db: Database,
}

impl PgInterviewGuideRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `experiment_id, context_definition, questions, context_examples, created_at, updated_at`.
fn guide_from_row(row: &Row) -> StoreResult<InterviewGuide> {
    let mut columns = Columns::new(TABLE, row);
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
impl InterviewGuideRepository for PgInterviewGuideRepository {
    async fn insert(&self, guide: &InterviewGuide) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO interview_guide (experiment_id, context_definition, questions,
                context_examples, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6)";
        let _held = self
            .db
            .keys
            .before_write(&[("experiments", &guide.experiment_id)])
            .await?;
        let created_at = pg_time("interview_guide.created_at", &guide.created_at)?;
        let updated_at = opt_pg_time("interview_guide.updated_at", guide.updated_at.as_ref())?;
        let lease = self.db.lease("interview_guides.insert").await?;
        lease
            .execute(
                SQL,
                &[
                    (&guide.experiment_id, Type::TEXT),
                    (&guide.context_definition, Type::TEXT),
                    (&guide.questions, Type::TEXT),
                    (&guide.context_examples, Type::TEXT),
                    (&created_at, Type::TIMESTAMPTZ),
                    (&updated_at, Type::TIMESTAMPTZ),
                ],
            )
            .await
            .map(drop)
    }

    async fn get(&self, experiment_id: &str) -> StoreResult<Option<InterviewGuide>> {
        const SQL: &str =
            "SELECT experiment_id, context_definition, questions, context_examples, created_at, updated_at
            FROM interview_guide WHERE experiment_id = $1";
        let lease = self.db.look_up("interview_guides.get");
        let row = lease.query_opt(SQL, &[(&experiment_id, Type::TEXT)]).await?;
        row.as_ref().map(guide_from_row).transpose()
    }

    async fn exists(&self, experiment_id: &str) -> StoreResult<bool> {
        const SQL: &str = "SELECT 1 FROM interview_guide WHERE experiment_id = $1";
        let lease = self.db.look_up("interview_guides.exists");
        let row = lease.query_opt(SQL, &[(&experiment_id, Type::TEXT)]).await?;
        Ok(row.is_some())
    }

    async fn exists_for(&self, experiment_ids: &[String]) -> StoreResult<HashSet<String>> {
        const SQL: &str = "SELECT experiment_id FROM interview_guide WHERE experiment_id = ANY($1)";
        let lease = self.db.lease("interview_guides.exists_for").await?;
        let rows = lease.query(SQL, &[(&experiment_ids, Type::TEXT_ARRAY)]).await?;
        rows.iter().map(|row| Columns::new(TABLE, row).text()).collect()
    }

    async fn update(
        &self,
        experiment_id: &str,
        change: &InterviewGuideChange,
        updated_at: Timestamp,
    ) -> StoreResult<Option<InterviewGuide>> {
        const SQL: &str = "UPDATE interview_guide SET context_definition = coalesce($2, context_definition),
                questions = coalesce($3, questions), context_examples = coalesce($4, context_examples),
                updated_at = $5
            WHERE experiment_id = $1
            RETURNING experiment_id, context_definition, questions, context_examples, created_at, updated_at";
        let lease = self.db.lease("interview_guides.update").await?;
        let rows = lease
            .write(
                SQL,
                &[
                    (&experiment_id, Type::TEXT),
                    (&change.context_definition, Type::TEXT),
                    (&change.questions, Type::TEXT),
                    (&change.context_examples, Type::TEXT),
                    (&PgTime(updated_at), Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        rows.first().map(guide_from_row).transpose()
    }

    async fn delete(&self, experiment_id: &str) -> StoreResult<bool> {
        const SQL: &str = "DELETE FROM interview_guide WHERE experiment_id = $1";
        let lease = self.db.lease("interview_guides.delete").await?;
        Ok(lease.execute(SQL, &[(&experiment_id, Type::TEXT)]).await? > 0)
    }
}
