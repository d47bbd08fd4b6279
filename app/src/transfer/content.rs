//! What tables of a SQLite file hold, by themselves: whether it is still what a verification has seen.

use cutover_domain::time::LegacyZone;
use cutover_domain::transfer::canonical::Form;
use cutover_domain::transfer::catalog::Table;
use cutover_domain::transfer::digest::{Collector, Content, RowReader, RowShape};
use cutover_ports::transfer::{OwnNotes, Part, RowScan, ScanColumn, TransferResult, VerifySide};

use super::verify::{mixed_up, total};

/// Reads a table of a SQLite file, but for planted rows. None if it has not all of `columns`.
pub async fn read(
    file: &dyn VerifySide,
    table: &Table,
    notes: &OwnNotes,
    columns: &[String],
) -> TransferResult<Option<Content>> {
    let found: Option<Vec<_>> = columns.iter().map(|name| table.column(name)).collect();
    let Some(found) = found else { return Ok(None) };
    let forms = found
        .iter()
        .map(|column| Form::of_pair(&column.kind, &column.kind).0);
    let key = table.row_key().or(table.primary_key.as_ref());
    let key = key.map_or(&[][..], |key| &key.columns);
    let place = |name: &String| columns.iter().position(|column| column == name);
    let shape = RowShape {
        forms: forms.collect(),
        key: key.iter().map(place).collect::<Option<_>>().unwrap_or_default(),
        left: Vec::new(),
        zone: LegacyZone::utc(),
    };
    let scan = RowScan {
        table: table.name.clone(),
        columns: found
            .iter()
            .map(|column| ScanColumn {
                name: column.name.clone(),
                as_text: false,
            })
            .collect(),
        place: None,
        part: Part::Whole,
    };
    let planted = notes.planted.get(&table.name).cloned().unwrap_or_default();
    let reader = RowReader::new(&shape, &planted, Collector::digests());
    let Collector::Digests(digests) = file.scan(&scan, reader).await?.finish() else {
        return Err(mixed_up());
    };
    Ok(Some(Content {
        columns: columns.to_vec(),
        digest: total(&digests).to_string(),
    }))
}
