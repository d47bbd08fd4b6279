//! Synths: synthetic people.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json::Json;
use crate::stored::Stored;
use crate::text_enum;
use crate::time::Timestamp;

/// The version of a synth's document that the current generator writes; also what no version stands for.
pub const CURRENT_VERSION: &str = "2.3.0";

/// A synth as lists show it: everything but its document.
#[derive(Debug, Clone, PartialEq)]
pub struct SynthSummary {
    /// Six lower-case letters and digits, by the application's rule; not checked in old files.
    pub id: String,
    /// Its group.
    pub synth_group_id: Option<String>,
    /// The name shown.
    pub nome: String,
    /// A short description.
    pub descricao: Option<String>,
    /// Where a photo can be fetched.
    pub link_photo: Option<String>,
    /// Where the avatar's file lies, if not in the usual place.
    pub avatar_path: Option<String>,
    /// When it was made.
    pub created_at: Stored<Timestamp>,
    /// The version of its document.
    pub version: Option<String>,
}

/// A synth.
#[derive(Debug, Clone, PartialEq)]
pub struct Synth {
    /// What lists show of it.
    pub summary: SynthSummary,
    /// A [`SynthData`], and keys of older generators.
    pub data: Option<Json>,
}

text_enum! {
    /// What a list of synths can be ordered by.
    SynthSort {
        /// The key.
        Id = "id",
        /// The group; synths without one come before all groups.
        SynthGroupId = "synth_group_id",
        /// The name, by its bytes.
        Nome = "nome",
        /// The description, none before all others.
        Descricao = "descricao",
        /// The photo, none before all others.
        LinkPhoto = "link_photo",
        /// The avatar, none before all others.
        AvatarPath = "avatar_path",
        /// When they were made.
        CreatedAt = "created_at",
        /// The document's version, none before all others.
        Version = "version",
    }
}

text_enum! {
    /// Which end of an order comes first.
    SortDirection {
        /// The least.
        Ascending = "asc",
        /// The most.
        Descending = "desc",
    }
}

/// Which synths are listed, and in which order; equal ones follow each other by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SynthListing {
    /// Only those of this group.
    pub synth_group_id: Option<String>,
    /// Ordered by what.
    pub sort: SynthSort,
    /// From which end.
    pub direction: SortDirection,
}

impl Default for SynthListing {
    /// All, newest first.
    fn default() -> Self {
        Self {
            synth_group_id: None,
            sort: SynthSort::CreatedAt,
            direction: SortDirection::Descending,
        }
    }
}

/// Whether `id` is six lower-case letters and digits.
pub fn is_synth_id(id: &str) -> bool {
    id.len() == 6 && id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9'))
}

/// The typed view of `synths.data`. Everything may be missing, and unknown keys are passed over: documents of several
/// generators stand side by side.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "the names are the application's own and say all there is"
)]
pub struct SynthData {
    pub demografia: Option<Demografia>,
    pub psicografia: Option<Psicografia>,
    pub deficiencias: Option<Deficiencias>,
    /// An object of numbers from 0 to 1, since version 2.3.0; passed on as it is.
    pub observables: Option<Value>,
    /// Passed on as it is.
    pub simulation_attributes: Option<Value>,
}

/// Who a synth is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "the names are the application's own and say all there is"
)]
pub struct Demografia {
    /// 0 to 120.
    pub idade: Option<i64>,
    pub genero_biologico: Option<String>,
    pub raca_etnia: Option<String>,
    pub localizacao: Option<Localizacao>,
    pub escolaridade: Option<String>,
    /// Not negative.
    pub renda_mensal: Option<f64>,
    pub ocupacao: Option<String>,
    pub estado_civil: Option<String>,
    pub composicao_familiar: Option<ComposicaoFamiliar>,
}

/// Where a synth lives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "the names are the application's own and say all there is"
)]
pub struct Localizacao {
    pub pais: Option<String>,
    pub regiao: Option<String>,
    pub estado: Option<String>,
    pub cidade: Option<String>,
}

impl Default for Localizacao {
    fn default() -> Self {
        Self {
            pais: Some("Brasil".to_owned()),
            regiao: None,
            estado: None,
            cidade: None,
        }
    }
}

/// Whom a synth lives with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "the names are the application's own and say all there is"
)]
pub struct ComposicaoFamiliar {
    pub tipo: Option<String>,
    /// 1 to 15.
    pub numero_pessoas: Option<i64>,
}

/// How a synth thinks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "the names are the application's own and say all there is"
)]
pub struct Psicografia {
    pub interesses: Vec<String>,
    pub contrato_cognitivo: Option<ContratoCognitivo>,
}

/// How a synth answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "the names are the application's own and say all there is"
)]
pub struct ContratoCognitivo {
    pub tipo: Option<String>,
    pub perfil_cognitivo: Option<String>,
    pub regras: Vec<String>,
    pub efeito_esperado: Option<String>,
}

/// What a synth finds hard.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "the names are the application's own and say all there is"
)]
pub struct Deficiencias {
    pub visual: Option<Deficiencia>,
    pub auditiva: Option<Deficiencia>,
    pub motora: Option<Deficiencia>,
    pub cognitiva: Option<Deficiencia>,
}

/// One disability.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "the names are the application's own and say all there is"
)]
pub struct Deficiencia {
    pub tipo: Option<String>,
}

/// The name of a number that is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is out of its range")]
pub struct SynthDataError(pub &'static str);

impl SynthData {
    /// Checks the ranges of the numbers.
    pub fn check(&self) -> Result<(), SynthDataError> {
        let Some(who) = &self.demografia else {
            return Ok(());
        };
        if who.idade.is_some_and(|age| !(0..=120).contains(&age)) {
            return Err(SynthDataError("demografia.idade"));
        }
        // Written so that NaN is refused as well.
        if who.renda_mensal.is_some_and(|income| !(0.0..).contains(&income)) {
            return Err(SynthDataError("demografia.renda_mensal"));
        }
        let people = who
            .composicao_familiar
            .as_ref()
            .and_then(|family| family.numero_pessoas);
        if people.is_some_and(|people| !(1..=15).contains(&people)) {
            return Err(SynthDataError("demografia.composicao_familiar.numero_pessoas"));
        }
        Ok(())
    }
}

/// The label of an observable, in the language of the application.
pub fn observable_label(value: f64) -> &'static str {
    match value {
        value if value < 0.20 => "Muito Baixo",
        value if value < 0.40 => "Baixo",
        value if value < 0.60 => "Médio",
        value if value < 0.80 => "Alto",
        _ => "Muito Alto",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::TextEnum;

    fn data(text: &str) -> SynthData {
        Json::parse(text).unwrap().view().unwrap()
    }

    #[test]
    fn documents_of_every_generator_are_read() {
        assert_eq!(data("{}"), SynthData::default());
        let old = data(
            r#"{"demografia": {"idade": 30, "identidade_genero": "x", "localizacao": {"cidade": "Belém"}},
                "psicografia": {"personalidade_big_five": {"abertura": 1}}, "capacidades_tecnologicas": {}}"#,
        );
        let place = old.demografia.unwrap().localizacao.unwrap();
        assert_eq!(
            (place.pais.as_deref(), place.cidade.as_deref()),
            (Some("Brasil"), Some("Belém"))
        );
        assert_eq!(old.psicografia.unwrap().interesses, Vec::<String>::new());
        let new =
            data(r#"{"observables": {"motor_ability": 0.10}, "deficiencias": {"visual": {"tipo": "leve"}}}"#);
        assert_eq!(new.observables.unwrap().to_string(), r#"{"motor_ability":0.10}"#);
        assert_eq!(
            new.deficiencias.unwrap().visual.unwrap().tipo.as_deref(),
            Some("leve")
        );
    }

    #[test]
    fn numbers_have_ranges() {
        for (text, field) in [
            (r#"{"demografia": {"idade": 121}}"#, "demografia.idade"),
            (
                r#"{"demografia": {"renda_mensal": -0.01}}"#,
                "demografia.renda_mensal",
            ),
            (
                r#"{"demografia": {"composicao_familiar": {"numero_pessoas": 0}}}"#,
                "demografia.composicao_familiar.numero_pessoas",
            ),
        ] {
            assert_eq!(data(text).check(), Err(SynthDataError(field)));
        }
        let good = r#"{"demografia": {"idade": 120, "renda_mensal": 0, "composicao_familiar": {"numero_pessoas": 15}}}"#;
        assert_eq!(data(good).check(), Ok(()));
        assert_eq!(data("{}").check(), Ok(()));
    }

    #[test]
    fn labels_have_limits() {
        for (value, label) in [
            (0.0, "Muito Baixo"),
            (0.2, "Baixo"),
            (0.59, "Médio"),
            (0.6, "Alto"),
            (0.8, "Muito Alto"),
        ] {
            assert_eq!(observable_label(value), label);
        }
    }

    #[test]
    fn only_columns_can_be_sorted_by() {
        assert_eq!(SynthSort::from_text("created_at"), Some(SynthSort::CreatedAt));
        for text in ["data", "1", "created_at; DROP TABLE synths", "NOME", ""] {
            assert_eq!(SynthSort::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn ids_have_six_characters() {
        assert!(is_synth_id("abc123"));
        for id in ["abc12", "abc1234", "ABC123", "abc_12", "abçd1"] {
            assert!(!is_synth_id(id), "{id}");
        }
    }
}
