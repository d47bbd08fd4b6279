//! synth-lab: experiments on synthetic people, their analyses, interviews, explorations and documents.

pub mod analysis_cache;
pub mod analysis_run;
pub mod chart_insight;
pub mod experiment;
pub mod experiment_document;
pub mod exploration;
pub mod interview_guide;
pub mod prfaq;
pub mod region_analysis;
pub mod research_execution;
pub mod scorecard;
pub mod sensitivity;
pub mod simulation;
pub mod synth;
pub mod synth_filter;
pub mod synth_group;
pub mod synth_outcome;

/// Whether `id` is `prefix` and exactly `digits` lower-case hexadecimal digits.
pub fn is_prefixed_hex(id: &str, prefix: &str, digits: usize) -> bool {
    id.strip_prefix(prefix).is_some_and(|rest| {
        rest.len() == digits && rest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}
