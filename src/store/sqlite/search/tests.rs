//! Every search is answered from an index: SQLite's own plans are looked at.

use super::*;
use crate::fhir::search::{Condition, DatePrefix};
use crate::policy::{Action, Principal};

const SCHEMA: &str = include_str!("../migrations/0001_store.sql");

fn permit() -> Permit {
    let principal = Principal {
        tenant: "hv".parse().unwrap(),
        subject: "ehr".into(),
        scopes: vec!["system/*.rs".into()],
    };
    Permit::decide(&principal, Action::Search, "Encounter").unwrap()
}

fn database() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    connection
}

/// The plans of the page's and the count's statement, one step a line.
fn plans(conditions: Vec<Condition>) -> [String; 2] {
    let connection = database();
    let after = Some(Cursor { updated: Timestamp::UNIX_EPOCH, id: "a".into() });
    let query = Query { conditions, after, count: 10, ..Query::default() };
    let path = choose(&connection, &permit(), &query).unwrap();
    let explain = |text: &str, sql: &Sql| {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
        let steps = statement
            .query_map(params_from_iter(sql.values()), |row| row.get::<_, String>(3))
            .unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("\n")
    };
    let mut page = matching(&permit(), &query, &path);
    let page_text = page.page(&query, &path).to_owned();
    let mut count = matching(&permit(), &query, &path);
    let count_text = count.count(&path).to_owned();
    [explain(&page_text, &page), explain(&count_text, &count)]
}

fn condition(any_of: Vec<Operand>) -> Condition {
    Condition { param: 1, any_of }
}

fn token(code: &str) -> Operand {
    Operand::Token { system: None, code: Some(code.into()) }
}

fn patient() -> Condition {
    condition(vec![Operand::Reference { targets: vec!["Patient/p".into()] }])
}

fn date() -> Condition {
    condition(vec![Operand::Date { prefix: DatePrefix::Ge, low: 1, high: 2 }])
}

#[test]
fn no_search_scans_a_table() {
    for conditions in [
        vec![],
        vec![patient()],
        vec![patient(), date(), condition(vec![token("a")])],
        vec![condition(vec![token("a")])],
        vec![condition(vec![token("a"), token("b")])],
        vec![date()],
        vec![condition(vec![Operand::Text { prefix: "a".into() }])],
    ] {
        for plan in plans(conditions.clone()) {
            let scanned = plan.lines().any(|step| {
                step.contains("SCAN") && !step.contains("SCAN (") && !step.contains("SUBQUERY")
            });
            assert!(!scanned, "{conditions:?}:\n{plan}");
        }
    }
}

#[test]
fn a_page_along_an_exact_value_is_read_in_order() {
    for (conditions, index) in [
        (vec![], "resource_updated (tenant=? AND type=? AND updated<?)"),
        (
            vec![patient(), date()],
            "reference_search (tenant=? AND type=? AND target=? AND param=? AND updated<?)",
        ),
        (
            vec![condition(vec![token("a")])],
            "token_search (tenant=? AND type=? AND param=? AND code=? AND updated<?)",
        ),
    ] {
        let [page, count] = plans(conditions);
        assert!(page.contains(index), "{page}");
        for plan in [page, count] {
            assert!(!plan.contains("TEMP B-TREE"), "nothing is sorted:\n{plan}");
        }
    }
}

#[test]
fn the_other_conditions_are_tested_by_resource() {
    let [page, count] = plans(vec![patient(), date()]);
    for plan in [page, count] {
        assert!(plan.contains("USING PRIMARY KEY (tenant=? AND rid=? AND param=?"), "{plan}");
    }
}

#[test]
fn a_point_read_is_one_lookup() {
    let connection = database();
    let plan: String = connection
        .query_row(
            "EXPLAIN QUERY PLAN SELECT r.body FROM resource r
             WHERE r.tenant = ?1 AND r.type = ?2 AND r.id = ?3",
            ["hv", "Encounter", "e"],
            |row| row.get(3),
        )
        .unwrap();
    assert_eq!(plan, "SEARCH r USING INDEX resource_id (tenant=? AND type=? AND id=?)");
}

#[test]
fn values_are_bound_and_never_part_of_the_text() {
    let connection = database();
    let evil = "x' OR 1=1 --";
    let conditions = vec![
        condition(vec![token(evil)]),
        condition(vec![Operand::Text { prefix: evil.into() }]),
        condition(vec![Operand::Reference { targets: vec![evil.into()] }]),
    ];
    let query = Query { conditions, ids: vec![evil.into()], count: 10, ..Query::default() };
    let path = choose(&connection, &permit(), &query).unwrap();
    let mut sql = matching(&permit(), &query, &path);
    assert!(!sql.page(&query, &path).contains('\''));
    assert_eq!(page(&connection, &permit(), &query).unwrap().total, 0);
}
