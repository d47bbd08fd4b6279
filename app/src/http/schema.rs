//! Schemas that no type of Rust has by itself: texts that are one of a few, and stored values, which may break the rule of their
//! column and are shown all the same.

use cutover_domain::market::Checkpoint;
use cutover_domain::market::job_run::Job;
use cutover_domain::stored::TextEnum as _;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A text that is one of these.
pub(super) fn one_of(texts: impl IntoIterator<Item = &'static str>) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(texts))
        .into()
}

/// Bytes, of which the type of the content tells what they are.
pub(super) struct Bytes;

impl PartialSchema for Bytes {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
            .into()
    }
}

impl ToSchema for Bytes {}

/// A moment of a day.
pub(super) struct CheckpointName;

impl PartialSchema for CheckpointName {
    fn schema() -> RefOr<Schema> {
        one_of(Checkpoint::ALL.iter().map(|checkpoint| checkpoint.as_str()))
    }
}

impl ToSchema for CheckpointName {}

/// A job's id.
pub(super) struct JobId;

impl PartialSchema for JobId {
    fn schema() -> RefOr<Schema> {
        one_of(Job::ALL.iter().map(|job| job.as_str()))
    }
}

impl ToSchema for JobId {}

/// A stored number, if there is one.
pub(super) struct StoredNumber;

impl PartialSchema for StoredNumber {
    fn schema() -> RefOr<Schema> {
        stored(
            [Type::Number, Type::String, Type::Null],
            "A number. Old files may hold a text in its place.",
        )
    }
}

impl ToSchema for StoredNumber {}

/// A stored truth value, if there is one.
pub(super) struct StoredFlag;

impl PartialSchema for StoredFlag {
    fn schema() -> RefOr<Schema> {
        stored(
            [Type::Boolean, Type::Number, Type::String, Type::Null],
            "True or false. Old files may hold a number or a text in its place.",
        )
    }
}

impl ToSchema for StoredFlag {}

/// A stored text of a certain form, if there is one: a day, an instant, one of a few.
pub(super) struct StoredText;

impl PartialSchema for StoredText {
    fn schema() -> RefOr<Schema> {
        stored(
            [Type::String, Type::Number, Type::Null],
            "A day (2026-01-31), an instant, or one of a few texts. Old files may hold other texts, or a number in its place.",
        )
    }
}

impl ToSchema for StoredText {}

fn stored(types: impl IntoIterator<Item = Type>, description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter(types))
        .description(Some(description))
        .into()
}
