//! Tests of the rules: the table that a lawyer can read, the cases, and the laws.

mod cases;
mod fixture;
mod laws;
#[expect(
    clippy::too_many_lines,
    clippy::cloned_ref_to_slice_refs,
    reason = "a section of the table reads best as one list"
)]
mod table;
