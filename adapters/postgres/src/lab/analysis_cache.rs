//! What analysis runs have computed and keep.

use std::collections::BTreeSet;

use async_trait::async_trait;
use cutover_domain::lab::analysis_cache::CacheEntry;
use cutover_ports::StoreResult;
use cutover_ports::batch::last_of_each;
use cutover_ports::lab::AnalysisCacheRepository;
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row, opt_pg_json, pg_time};
use crate::types::PgJson;

const TABLE: &str = "analysis_cache";

/// [`AnalysisCacheRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgAnalysisCacheRepository {
    db: Database,
}

impl PgAnalysisCacheRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `analysis_id, cache_key, data, params, computed_at`.
fn entry_from_row(row: &Row) -> StoreResult<CacheEntry> {
    let mut columns = Columns::new(TABLE, row);
    Ok(CacheEntry {
        analysis_id: columns.text()?,
        cache_key: columns.text()?,
        data: columns.json()?,
        params: columns.opt_json()?,
        computed_at: columns.time()?,
    })
}

#[async_trait]
impl AnalysisCacheRepository for PgAnalysisCacheRepository {
    async fn save(&self, entries: &[CacheEntry]) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO analysis_cache (analysis_id, cache_key, data, params, computed_at)
            SELECT analysis_id, cache_key, data, params, computed_at
            FROM unnest($1, $2, $3, $4, $5) AS new (analysis_id, cache_key, data, params, computed_at)
            ON CONFLICT (analysis_id, cache_key) DO UPDATE SET data = excluded.data, params = excluded.params,
                computed_at = excluded.computed_at";
        let last = last_of_each(entries, |entry| (&entry.analysis_id, &entry.cache_key));
        let analyses: Vec<&str> = last.iter().map(|entry| entry.analysis_id.as_str()).collect();
        let keys: Vec<&str> = last.iter().map(|entry| entry.cache_key.as_str()).collect();
        let data: Vec<PgJson> = last.iter().map(|entry| PgJson(entry.data.clone())).collect();
        let params: Vec<Option<PgJson>> = last
            .iter()
            .map(|entry| opt_pg_json(entry.params.as_ref()))
            .collect();
        let times = last
            .iter()
            .map(|entry| pg_time("analysis_cache.computed_at", &entry.computed_at))
            .collect::<StoreResult<Vec<_>>>()?;
        let parents: BTreeSet<&str> = analyses.iter().copied().collect();
        let parents: Vec<_> = parents.into_iter().map(|id| ("analysis_runs", id)).collect();
        let _held = self.db.keys.before_write(&parents).await?;
        let lease = self.db.lease("analysis_cache.save").await?;
        lease
            .execute(
                SQL,
                &[
                    (&analyses, Type::TEXT_ARRAY),
                    (&keys, Type::TEXT_ARRAY),
                    (&data, Type::JSONB_ARRAY),
                    (&params, Type::JSONB_ARRAY),
                    (&times, Type::TIMESTAMPTZ_ARRAY),
                ],
            )
            .await
            .map(drop)
    }

    async fn get(&self, analysis_id: &str, cache_key: &str) -> StoreResult<Option<CacheEntry>> {
        const SQL: &str = "SELECT analysis_id, cache_key, data, params, computed_at
            FROM analysis_cache WHERE analysis_id = $1 AND cache_key = $2";
        let lease = self.db.look_up("analysis_cache.get");
        let row = lease
            .query_opt(SQL, &[(&analysis_id, Type::TEXT), (&cache_key, Type::TEXT)])
            .await?;
        row.as_ref().map(entry_from_row).transpose()
    }

    async fn list(&self, analysis_id: &str, prefix: &str) -> StoreResult<Vec<CacheEntry>> {
        // The keys that begin with a text are not less than it and lie side by side: the comparison finds the start in
        // the index, `starts_with` tells where they end.
        const SQL: &str = "SELECT analysis_id, cache_key, data, params, computed_at FROM analysis_cache
            WHERE analysis_id = $1 AND cache_key >= $2 AND starts_with(cache_key, $2) ORDER BY cache_key";
        let lease = self.db.lease("analysis_cache.list").await?;
        let rows = lease
            .query(SQL, &[(&analysis_id, Type::TEXT), (&prefix, Type::TEXT)])
            .await?;
        rows.iter().map(entry_from_row).collect()
    }

    async fn delete(&self, analysis_id: &str, cache_key: &str) -> StoreResult<bool> {
        const SQL: &str = "DELETE FROM analysis_cache WHERE analysis_id = $1 AND cache_key = $2";
        let lease = self.db.lease("analysis_cache.delete").await?;
        let binds = [(&analysis_id as _, Type::TEXT), (&cache_key as _, Type::TEXT)];
        Ok(lease.execute(SQL, &binds).await? > 0)
    }

    async fn delete_all(&self, analysis_id: &str) -> StoreResult<u64> {
        const SQL: &str = "DELETE FROM analysis_cache WHERE analysis_id = $1";
        let lease = self.db.lease("analysis_cache.delete_all").await?;
        lease.execute(SQL, &[(&analysis_id, Type::TEXT)]).await
    }
}
