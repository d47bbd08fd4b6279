//! synth-lab: experiments on synthetic people, their analyses, interviews, explorations and documents.
