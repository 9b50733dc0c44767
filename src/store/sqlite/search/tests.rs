//! Tests of the search's SQL.
