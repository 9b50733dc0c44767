//! The plan: what the therapy is to reach, how, and how the scores have gone.

use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::Value;

use super::PLAN;
use super::graph::{Graph, Score};
use super::guest::{Guest, RECORD};
use super::text::{concept, day, is_coded, list, text};
use crate::http::html::{Visit, fill};
use crate::http::site::{Refused, date};

/// The questionnaires that are drawn: the LOINC code of the total, and the highest it can be.
const SCORES: [(&str, &str, &str, f64); 2] =
    [("phq9", "PHQ-9", "44261-6", 27.0), ("gad7", "GAD-7", "70274-6", 21.0)];

/// Shows the plan.
pub(in crate::http) async fn plan(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let chosen = visit.parameter(RECORD).map(str::to_owned);
    let guest = Guest::enter(visit, &request, chosen.as_deref()).await?;
    let plans = guest.search("CarePlan", &[("_sort", "-date"), ("_count", "20")]).await?;
    let goals = guest.search("Goal", &[("_count", "100")]).await?;
    let diagnoses = guest.search("Condition", &[("_count", "50")]).await?;
    let mut graphs = Vec::new();
    for score in SCORES {
        graphs.push(graph(&guest, score).await?);
    }
    let current = plans.resources.iter().find(|plan| text(plan, "status") == Some("active"));
    let texts = &guest.visit.texts().portal;
    let body = html! {
        p.lede { (texts.plan_lede) }
        @match current {
            Some(plan) => (described(&guest.visit, plan)),
            None => div.card { p { (texts.no_plan) } },
        }
        (goals_of(&guest.visit, &goals_in(current, &goals.resources)))
        (named(&guest.visit, &diagnoses.resources))
        @for graph in graphs.iter().flatten() { (graph) }
    };
    let title = texts.plan.clone();
    Ok(guest.answer(PLAN, &title, &body))
}

/// The plan in force.
fn described(visit: &Visit, plan: &Value) -> Markup {
    let texts = &visit.texts().portal;
    let since = plan.get("period").and_then(|period| text(period, "start"));
    let activities = list(plan, "activity").iter().filter_map(|one| one.get("detail"));
    let activities: Vec<_> = activities.filter_map(|detail| concept(detail.get("code")?)).collect();
    html! {
        section.card.stack aria-labelledby="the-plan" {
            h2 #the-plan { bdi dir="auto" { (text(plan, "title").unwrap_or(&texts.plan)) } }
            @if let Some(since) = since {
                p.soft.small { (fill(&texts.since, &[("date", &date::partial(visit, day(since)))])) }
            }
            @if let Some(about) = text(plan, "description") { p dir="auto" { (about) } }
            @if !activities.is_empty() {
                h3 { (texts.activities) }
                ul { @for one in activities { li dir="auto" { (one) } } }
            }
        }
    }
}

/// The goals of the plan in force; all of them, where there is none.
fn goals_in<'a>(plan: Option<&Value>, goals: &'a [Value]) -> Vec<&'a Value> {
    let Some(plan) = plan else { return goals.iter().collect() };
    let of_plan: Vec<&str> =
        list(plan, "goal").iter().filter_map(|goal| text(goal, "reference")).collect();
    let is_of_plan = |goal: &&Value| {
        let id = text(goal, "id").unwrap_or_default();
        of_plan.iter().any(|reference| reference.strip_prefix("Goal/") == Some(id))
    };
    goals.iter().filter(is_of_plan).collect()
}

fn goals_of(visit: &Visit, goals: &[&Value]) -> Markup {
    let texts = &visit.texts().portal;
    let words = |goal: &Value| {
        text(goal, "lifecycleStatus").map(|status| visit.texts().goals.get(status).cloned())
    };
    html! {
        section.stack aria-labelledby="goals" {
            h2 #goals { (texts.goals) }
            @if goals.is_empty() { p { (texts.no_goals) } }
            ul.plain.stack.tight {
                @for goal in goals {
                    @let due = list(goal, "target").iter().find_map(|one| text(one, "dueDate"));
                    li.card.tight {
                        p dir="auto" {
                            strong {
                                (goal.get("description").and_then(concept).unwrap_or_default())
                            }
                        }
                        p.soft.small {
                            @if let Some(Some(status)) = words(goal) { span.badge { (status) } " " }
                            @if let Some(due) = due {
                                (fill(&texts.goal_due, &[("date", &date::partial(visit, due))]))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The diagnoses.
fn named(visit: &Visit, diagnoses: &[Value]) -> Markup {
    let texts = &visit.texts().portal;
    let mut names: Vec<&str> = Vec::new();
    for one in diagnoses {
        let refuted = one
            .get("verificationStatus")
            .is_some_and(|status| is_coded(status, &["refuted", "entered-in-error"]));
        let name =
            one.get("code").and_then(concept).filter(|name| !refuted && !names.contains(name));
        names.extend(name);
    }
    html! {
        @if !names.is_empty() {
            section.stack aria-labelledby="diagnoses" {
                h2 #diagnoses { (texts.diagnoses) }
                ul { @for name in names { li { bdi dir="auto" { (name) } } } }
            }
        }
    }
}

/// The scores of a questionnaire, if there are any.
async fn graph(
    guest: &Guest,
    (id, title, code, highest): (&str, &str, &str, f64),
) -> Result<Option<Markup>, Refused> {
    let code = format!("http://loinc.org|{code}");
    // The latest are drawn; two years of a questionnaire a week are a hundred.
    let parameters = [("code", code.as_str()), ("_sort", "-date"), ("_count", "100")];
    let found = guest.search("Observation", &parameters).await?;
    let score = |one: &Value| {
        let value = one.get("valueQuantity")?.get("value")?.as_f64()?;
        let meaning = list(one, "interpretation").iter().find_map(concept).map(str::to_owned);
        Some(Score { day: day(text(one, "effectiveDateTime")?).to_owned(), value, meaning })
    };
    let mut scores: Vec<Score> = found.resources.iter().filter_map(score).collect();
    scores.reverse();
    if scores.is_empty() {
        return Ok(None);
    }
    let texts = &guest.visit.texts().portal;
    let about = if id == "phq9" { &texts.phq9 } else { &texts.gad7 };
    Ok(Some(Graph { id, title, about, highest, scores }.markup(&guest.visit)))
}
