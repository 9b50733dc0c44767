//! Tests of the rules: the table that a lawyer can read, the cases, and the laws.

mod cases;
mod fixture;
mod laws;
mod table;
