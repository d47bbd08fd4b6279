//! What analysis runs have computed and keep.

use std::collections::BTreeSet;

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::lab::analysis_cache::CacheEntry;
use cutover_ports::StoreResult;
use cutover_ports::lab::AnalysisCacheRepository;

use crate::Database;
use crate::row::{Columns, sql_time};

/// [`AnalysisCacheRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteAnalysisCacheRepository {
    db: Database,
}

impl SqliteAnalysisCacheRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `analysis_id, cache_key, data, params, computed_at`.
fn entry_from_row(columns: &mut Columns<'_>) -> StoreResult<CacheEntry> {
    Ok(CacheEntry {
        analysis_id: columns.text()?,
        cache_key: columns.text()?,
        data: columns.json()?,
        params: columns.opt_json()?,
        computed_at: columns.time()?,
    })
}

#[async_trait]
impl AnalysisCacheRepository for SqliteAnalysisCacheRepository {
    async fn save(&self, entries: &[CacheEntry]) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO analysis_cache (analysis_id, cache_key, data, params, computed_at)
            VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (analysis_id, cache_key) DO UPDATE SET data = excluded.data, params = excluded.params,
                computed_at = excluded.computed_at";
        let analyses: BTreeSet<&str> = entries.iter().map(|entry| entry.analysis_id.as_str()).collect();
        let parents: Vec<_> = analyses.into_iter().map(|id| ("analysis_runs", id)).collect();
        let _held = self.db.keys.before_write(&parents).await?;
        let entries = entries.to_vec();
        self.db
            .atomic("analysis_cache.save", move |session| {
                session.execute_each(
                    SQL,
                    &entries,
                    |entry| {
                        (
                            entry.analysis_id.as_str(),
                            entry.cache_key.as_str(),
                            entry.data.as_str(),
                            entry.params.as_ref().map(Json::as_str),
                            sql_time(&entry.computed_at),
                        )
                    },
                    |entry| ("analysis_runs", "id", entry.analysis_id.as_str()),
                )
            })
            .await
    }

    async fn get(&self, analysis_id: &str, cache_key: &str) -> StoreResult<Option<CacheEntry>> {
        const SQL: &str = "SELECT analysis_id, cache_key, data, params, computed_at
            FROM analysis_cache WHERE analysis_id = ?1 AND cache_key = ?2";
        let key = [analysis_id.to_owned(), cache_key.to_owned()];
        self.db
            .look_up("analysis_cache.get", move |session| {
                session.query_opt(SQL, key.each_ref(), entry_from_row)
            })
            .await
    }

    async fn list(&self, analysis_id: &str, prefix: &str) -> StoreResult<Vec<CacheEntry>> {
        // The keys that begin with a text are not less than it and lie side by side: the first condition finds the
        // start in the index, the second tells where they end.
        const SQL: &str = "SELECT analysis_id, cache_key, data, params, computed_at FROM analysis_cache
            WHERE analysis_id = ?1 AND cache_key >= ?2 AND substr(cache_key, 1, length(?2)) = ?2
            ORDER BY cache_key";
        let key = [analysis_id.to_owned(), prefix.to_owned()];
        self.db
            .read("analysis_cache.list", move |session| {
                session.query(SQL, key, entry_from_row)
            })
            .await
    }

    async fn delete(&self, analysis_id: &str, cache_key: &str) -> StoreResult<bool> {
        const SQL: &str = "DELETE FROM analysis_cache WHERE analysis_id = ?1 AND cache_key = ?2";
        let key = [analysis_id.to_owned(), cache_key.to_owned()];
        self.db
            .write("analysis_cache.delete", move |session| {
                Ok(session.execute(SQL, key)? > 0)
            })
            .await
    }

    async fn delete_all(&self, analysis_id: &str) -> StoreResult<u64> {
        const SQL: &str = "DELETE FROM analysis_cache WHERE analysis_id = ?1";
        let analysis_id = analysis_id.to_owned();
        self.db
            .write("analysis_cache.delete_all", move |session| {
                session.execute(SQL, [analysis_id])
            })
            .await
    }
}
