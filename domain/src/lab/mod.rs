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

/// A text without the blanks around it, as the original takes them off: what Unicode calls white space, and the four separators
/// U+001C to U+001F.
pub fn stripped(text: &str) -> &str {
    text.trim_matches(|character: char| {
        character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_separators_are_blanks_and_other_signs_without_a_shape_are_none() {
        for blank in ["\u{1c}", "\u{1f}", "\t\r\n ", "\u{85}\u{a0}\u{2028}\u{3000}"] {
            assert_eq!(
                super::stripped(&format!("{blank}a{blank}b{blank}")),
                format!("a{blank}b")
            );
        }
        for other in ["\u{1b}", "\u{200b}", "\u{feff}", "\u{180e}"] {
            assert_eq!(super::stripped(other), other);
        }
    }
}
