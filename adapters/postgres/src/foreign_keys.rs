//! Rows referred to across databases.

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::relations::{OnDelete, Relation};
use cutover_domain::stored::StoredValue;
use cutover_domain::time::{LegacyZone, Timestamp};
use cutover_domain::transfer::name::quoted;
use cutover_ports::error::BoxError;
use cutover_ports::{Held, KeyLock, KeyLocks, PortableRow, ReferredRows, StoreError, StoreResult};
use postgres_types::{ToSql, Type};
use tokio::runtime::Handle;

use crate::Database;
use crate::database::{Lease, Transaction};
use crate::row::{Columns, Row};
use crate::types::{Bind, PgJson, PgTime};

#[async_trait]
impl ReferredRows for Database {
    async fn row(
        &self,
        table: &'static str,
        key_column: &'static str,
        key: &str,
    ) -> StoreResult<Option<PortableRow>> {
        let sql = format!("SELECT * FROM {table} WHERE {key_column} = $1");
        let lease = self.lease("foreign_keys.row").await?;
        let rows = lease.query_dynamic(&sql, &[(&key, Type::TEXT)]).await?;
        rows.first().map(|row| portable_row(table, row)).transpose()
    }

    async fn exists(&self, table: &'static str, key_column: &'static str, key: &str) -> StoreResult<bool> {
        let sql = format!("SELECT 1 FROM {table} WHERE {key_column} = $1");
        let lease = self.lease("foreign_keys.exists").await?;
        Ok(!lease.query_dynamic(&sql, &[(&key, Type::TEXT)]).await?.is_empty())
    }

    async fn plant(
        &self,
        table: &'static str,
        key_column: &'static str,
        key: &str,
        row: &PortableRow,
    ) -> StoreResult<()> {
        if self.exists(table, key_column, key).await? {
            return Ok(());
        }
        let transaction = self.begin("foreign_keys.plant").await?;
        let work = plant(&transaction, table, key, row).await;
        transaction.finish(work).await
    }

    async fn release(&self, relations: &[&'static Relation], key: &str) -> StoreResult<()> {
        let Some(first) = relations.first() else {
            return Ok(());
        };
        let transaction = self.begin("foreign_keys.release").await?;
        let work = release(&transaction, relations, first, key).await;
        transaction.finish(work).await
    }
}

#[async_trait]
impl KeyLocks for Database {
    async fn lock(&self, locks: &[KeyLock]) -> StoreResult<Held> {
        // Locks of a transaction, for behind a pooler the next statement of a session may run in another one.
        const SQL: &str =
            "SELECT CASE WHEN exclusive THEN pg_advisory_xact_lock(hashtextextended(name, 0))::text
                ELSE pg_advisory_xact_lock_shared(hashtextextended(name, 0))::text END
            FROM unnest($1, $2) AS wanted (name, exclusive)";
        let name = |lock: &KeyLock| format!("foreign_keys:{}:{}", lock.table, lock.key);
        let names: Vec<String> = locks.iter().map(name).collect();
        let exclusive: Vec<bool> = locks.iter().map(|lock| lock.exclusive).collect();
        let transaction = self.begin_impatient("foreign_keys.lock").await?;
        let binds: [Bind<'_>; 2] = [(&names, Type::TEXT_ARRAY), (&exclusive, Type::BOOL_ARRAY)];
        match transaction.query(SQL, &binds).await {
            Ok(_) => Ok(Held::by(Locks(Some(transaction)))),
            Err(error) => transaction.finish(Err(error)).await,
        }
    }
}

/// Locks of a transaction that nothing else happens in.
struct Locks(Option<Transaction>);

impl Drop for Locks {
    fn drop(&mut self) {
        let Some(transaction) = self.0.take() else {
            return;
        };
        // Without a runtime the connection is closed, which ends the transaction too.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = transaction.finish(Ok(())).await {
                    tracing::debug!(%error, "locks were let go by closing their connection");
                }
            });
        }
    }
}

async fn plant(lease: &Lease, table: &'static str, key: &str, row: &PortableRow) -> StoreResult<()> {
    const NOTE: &str =
        "INSERT INTO cutover.planted_rows (table_name, key) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    const TYPES: &str = "SELECT attname::text, atttypid FROM pg_attribute
        WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped";
    let mut columns = Vec::new();
    let mut values: Vec<(Box<dyn ToSql + Sync + Send>, Type)> = Vec::new();
    let types = lease.query(TYPES, &[(&table, Type::TEXT)]).await?;
    for (column, value) in row {
        let oid = types
            .iter()
            .find(|row| row.try_get::<&str>(0).is_ok_and(|name| name == column))
            .and_then(|row| row.try_get::<u32>(1).ok());
        // The other side may have a column more: the copy does without it.
        let Some(ty) = oid.and_then(Type::from_oid) else {
            continue;
        };
        columns.push(column.clone());
        let value =
            typed(value, &ty).map_err(|reason| StoreError::invalid(format!("{table}.{column}"), reason))?;
        values.push((value, ty));
    }
    let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
    let marks: Vec<String> = (1..=columns.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "INSERT INTO {table} ({}) VALUES ({})",
        names.join(", "),
        marks.join(", ")
    );
    let binds: Vec<(&(dyn ToSql + Sync), Type)> = values
        .iter()
        .map(|(value, ty)| (value.as_ref() as &(dyn ToSql + Sync), ty.clone()))
        .collect();
    refuse_broken_checks(lease, table, &columns, &binds).await?;
    lease.query_dynamic(&sql, &binds).await?;
    lease
        .execute(NOTE, &[(&table, Type::TEXT), (&key, Type::TEXT)])
        .await?;
    Ok(())
}

/// Refuses values that break a check of their table, and says which: of an INSERT the name alone would be known.
async fn refuse_broken_checks(
    lease: &Lease,
    table: &str,
    columns: &[String],
    binds: &[(&(dyn ToSql + Sync), Type)],
) -> StoreResult<()> {
    // What is said of a column that the row does not have is said of its default.
    const CHECKS: &str = "SELECT pg_get_constraintdef(oid), pg_get_expr(conbin, conrelid) FROM pg_constraint
        WHERE contype = 'c' AND conrelid = $1::text::regclass AND ARRAY(SELECT attname::text FROM pg_attribute
            WHERE attrelid = conrelid AND attnum = ANY (conkey)) <@ $2
        ORDER BY conname";
    let checks = lease
        .query(CHECKS, &[(&table, Type::TEXT), (&columns, Type::TEXT_ARRAY)])
        .await?;
    let named = columns
        .iter()
        .zip(1..)
        .map(|(column, n)| format!("${n} AS {}", quoted(column)));
    let held = named.collect::<Vec<_>>().join(", ");
    for check in &checks {
        let mut check = Columns::new("pg_constraint", check);
        let (definition, condition) = (check.text()?, check.text()?);
        let sql = format!("SELECT 1 FROM (SELECT {held}) AS held WHERE NOT ({condition})");
        if !lease.query_dynamic(&sql, binds).await?.is_empty() {
            return Err(StoreError::invalid(table, definition));
        }
    }
    Ok(())
}

async fn release(
    lease: &Lease,
    relations: &[&'static Relation],
    parent: &'static Relation,
    key: &str,
) -> StoreResult<()> {
    for Relation {
        child,
        column,
        on_delete,
        ..
    } in relations
    {
        let sql = match on_delete {
            OnDelete::Cascade => format!("DELETE FROM {child} WHERE {column} = $1"),
            OnDelete::SetNull => format!("UPDATE {child} SET {column} = NULL WHERE {column} = $1"),
            OnDelete::Refuse => continue,
        };
        lease.query_dynamic(&sql, &[(&key, Type::TEXT)]).await?;
    }
    // What still refers to the copy keeps it; a failed statement would end the transaction, so ask first.
    let guards: Vec<String> = cutover_domain::relations::children_of(parent.parent)
        .map(|r| {
            format!(
                "AND NOT EXISTS (SELECT 1 FROM {} WHERE {} = $1)",
                r.child, r.column
            )
        })
        .collect();
    let sql = format!(
        "DELETE FROM {} WHERE {} = $1 {}",
        parent.parent,
        parent.parent_key,
        guards.join(" ")
    );
    lease.query_dynamic(&sql, &[(&key, Type::TEXT)]).await?;
    // A copy that stays is still no truth, and the note says so.
    let forget = format!(
        "DELETE FROM cutover.planted_rows WHERE table_name = $1 AND key = $2
            AND NOT EXISTS (SELECT 1 FROM {} WHERE {} = $2)",
        parent.parent, parent.parent_key
    );
    let note: [Bind<'_>; 2] = [(&parent.parent, Type::TEXT), (&key, Type::TEXT)];
    lease.query_dynamic(&forget, &note).await?;
    Ok(())
}

/// A row's values without their PostgreSQL types.
fn portable_row(table: &str, row: &Row) -> StoreResult<PortableRow> {
    let values = row.columns().iter().enumerate().map(|(index, column)| {
        let value = portable(row, index, column.type_()).map_err(|error| StoreError::Corrupt {
            table: table.to_owned(),
            column: column.name().to_owned(),
            reason: error.to_string(),
        })?;
        Ok((column.name().to_owned(), value))
    });
    values.collect()
}

fn portable(row: &Row, index: usize, ty: &Type) -> Result<StoredValue, BoxError> {
    let value = match *ty {
        Type::INT8 => row.try_get::<Option<i64>>(index)?.map(StoredValue::Integer),
        Type::FLOAT8 => row.try_get::<Option<f64>>(index)?.map(StoredValue::Real),
        Type::BYTEA => row.try_get::<Option<Vec<u8>>>(index)?.map(StoredValue::Blob),
        Type::TIMESTAMPTZ => row
            .try_get::<Option<PgTime>>(index)?
            .map(|time| StoredValue::Text(time.0.to_iso())),
        Type::JSON | Type::JSONB => {
            let json = row.try_get::<Option<PgJson>>(index)?;
            json.map(|json| StoredValue::Text(json.0.as_str().to_owned()))
        }
        _ => row.try_get::<Option<String>>(index)?.map(StoredValue::Text),
    };
    Ok(value.unwrap_or(StoredValue::Null))
}

/// A value for a column of type `ty`, or why it has none. The value is not repeated.
fn typed(value: &StoredValue, ty: &Type) -> Result<Box<dyn ToSql + Sync + Send>, String> {
    Ok(match (value, ty) {
        (StoredValue::Null, _) => Box::new(Null),
        (StoredValue::Integer(number), &Type::INT8) => Box::new(*number),
        (StoredValue::Integer(number), &Type::FLOAT8) => Box::new(*number as f64),
        (StoredValue::Real(number), &Type::FLOAT8) => Box::new(*number),
        (StoredValue::Blob(bytes), &Type::BYTEA) => Box::new(bytes.clone()),
        (StoredValue::Text(text), &Type::TIMESTAMPTZ) => {
            let time = Timestamp::parse(text, &LegacyZone::utc()).map_err(|error| error.to_string())?;
            Box::new(PgTime(time))
        }
        (StoredValue::Text(text), &Type::JSON | &Type::JSONB) => Box::new(PgJson(
            Json::parse(text.as_str()).map_err(|error| error.to_string())?,
        )),
        (StoredValue::Text(text), &Type::TEXT | &Type::VARCHAR) if text.contains('\0') => {
            return Err("it holds the character U+0000".to_owned());
        }
        (StoredValue::Text(text), &Type::TEXT | &Type::VARCHAR) => Box::new(text.clone()),
        (other, ty) => {
            let what = match other {
                StoredValue::Null => "NULL",
                StoredValue::Integer(_) => "an integer",
                StoredValue::Real(_) => "a real number",
                StoredValue::Text(_) => "text",
                StoredValue::Blob(_) => "bytes, or text that is not UTF-8",
            };
            return Err(format!("it is {what}, and the column's type is {ty}"));
        }
    })
}

/// NULL of any type.
#[derive(Debug)]
struct Null;

impl ToSql for Null {
    fn to_sql(
        &self,
        _: &Type,
        _: &mut bytes::BytesMut,
    ) -> Result<postgres_types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        Ok(postgres_types::IsNull::Yes)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    postgres_types::to_sql_checked!();
}
