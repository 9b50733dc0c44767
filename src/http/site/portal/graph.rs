//! Scores over time: a drawing for the eyes, with the table that holds the same for everybody.

use maud::{Markup, html};

use crate::http::html::{Visit, fill};
use crate::http::site::date;

/// One score.
pub(super) struct Score {
    /// The day, `YYYY-MM-DD`.
    pub(super) day: String,
    /// The score.
    pub(super) value: f64,
    /// What it means, in words.
    pub(super) meaning: Option<String>,
}

/// Scores of one questionnaire, the earliest first.
pub(super) struct Graph<'a> {
    /// Tells its parts from those of others on the page.
    pub(super) id: &'a str,
    /// What it is called.
    pub(super) title: &'a str,
    /// What it asks about, in a sentence.
    pub(super) about: &'a str,
    /// The highest score that there can be.
    pub(super) highest: f64,
    /// The scores.
    pub(super) scores: Vec<Score>,
}

/// The drawing's size on a telephone, and the margins around what is drawn; on wider screens it is larger, and
/// what is written in it is not (`style.css`).
const SIZE: (f64, f64) = (320.0, 150.0);
const LEFT: f64 = 26.0;
const RIGHT: f64 = 6.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;
/// From the frame to the first and the last score.
const INSET: f64 = 5.0;
/// The steps of the scale.
const STEP: f64 = 5.0;

impl Graph<'_> {
    /// The drawing and the table.
    pub(super) fn markup(&self, visit: &Visit) -> Markup {
        let texts = &visit.texts().portal;
        let (title, heading) = (format!("{}-title", self.id), format!("{}-heading", self.id));
        html! {
            section.card.stack aria-labelledby=(heading) {
                h2 id=(heading) { (self.title) }
                p.soft { (self.about) }
                @if self.scores.len() > 1 { (self.drawing(visit, &title)) }
                table {
                    caption.hidden { (self.title) }
                    thead {
                        tr {
                            th scope="col" { (texts.day) }
                            th scope="col" { (texts.score) }
                            th scope="col" { (texts.meaning) }
                        }
                    }
                    tbody {
                        @for score in self.scores.iter().rev() {
                            tr {
                                th scope="row" { (date::partial(visit, &score.day)) }
                                td {
                                    (fill(&texts.of_most, &[
                                        ("score", &score.value.to_string()),
                                        ("most", &self.highest.to_string()),
                                    ]))
                                }
                                td { bdi lang="en" { (score.meaning.as_deref().unwrap_or("–")) } }
                            }
                        }
                    }
                }
            }
        }
    }

    fn drawing(&self, visit: &Visit, title: &str) -> Markup {
        let texts = &visit.texts().portal;
        let points: Vec<(f64, f64)> = self.points();
        let line: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (width, height) = SIZE;
        let name = |score: Option<&Score>| {
            score.map_or_else(String::new, |score| date::partial(visit, &score.day))
        };
        let (first, last) = (self.scores.first(), self.scores.last());
        let value = |score: Option<&Score>| score.map_or(0.0, |score| score.value).to_string();
        let told = fill(
            &texts.trend,
            &[
                ("title", self.title),
                ("first", &value(first)),
                ("from", &name(first)),
                ("last", &value(last)),
                ("to", &name(last)),
            ],
        );
        html! {
            figure.graph {
                svg viewBox={ "0 0 " (width) " " (height) } role="img" aria-labelledby=(title) {
                    title id=(title) { (told) }
                    g.grid {
                        @for step in self.steps() {
                            @let y = self.height(step);
                            line x1=(LEFT) x2=(width - RIGHT) y1=(y) y2=(y) {}
                            text x=(LEFT - 6.0) y=(y) text-anchor="end" dominant-baseline="central" { (step) }
                        }
                    }
                    polyline.trend points=(line.join(" ")) fill="none" {}
                    @for (x, y) in &points { circle.point cx=(x) cy=(y) r="2.8" {} }
                    g.grid {
                        text x=(LEFT) y=(height - 5.0) { (name(first)) }
                        text x=(width - RIGHT) y=(height - 5.0) text-anchor="end" { (name(last)) }
                    }
                }
                figcaption.soft.small { (texts.lower) }
            }
        }
    }

    /// The lines of the scale.
    fn steps(&self) -> Vec<f64> {
        let mut steps = Vec::new();
        let mut step = 0.0;
        while step <= self.highest {
            steps.push(step);
            step += STEP;
        }
        steps
    }

    fn height(&self, value: f64) -> f64 {
        let room = SIZE.1 - TOP - BOTTOM;
        TOP + room * (1.0 - (value / self.highest).clamp(0.0, 1.0))
    }

    /// Where each score is drawn: by its day, from the first to the last.
    fn points(&self) -> Vec<(f64, f64)> {
        let day = |score: &Score| {
            let day: Option<jiff::civil::Date> = score.day.parse().ok();
            day.map_or(0, |day| {
                let since = day.since(jiff::civil::date(1970, 1, 1));
                since.map_or(0, |span| span.get_days())
            })
        };
        let days: Vec<f64> = self.scores.iter().map(|score| f64::from(day(score))).collect();
        let first = days.first().copied().unwrap_or_default();
        let all = (days.last().copied().unwrap_or_default() - first).max(1.0);
        let room = SIZE.0 - LEFT - RIGHT - 2.0 * INSET;
        let place = |day: f64| LEFT + INSET + room * (day - first) / all;
        let of = |(score, day): (&Score, &f64)| (place(*day), self.height(score.value));
        self.scores.iter().zip(&days).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_drawn_within_its_frame_in_order_of_its_day_and_higher_for_more() {
        let score = |day: &str, value| Score { day: day.to_owned(), value, meaning: None };
        let scores =
            vec![score("2026-01-01", 27.0), score("2026-02-01", 0.0), score("2026-02-02", 99.0)];
        let graph = Graph { id: "phq9", title: "", about: "", highest: 27.0, scores };
        let points = graph.points();
        for (x, y) in &points {
            assert!((LEFT..=SIZE.0 - RIGHT).contains(x) && (TOP..=SIZE.1 - BOTTOM).contains(y));
        }
        let [first, second, third] = points.as_slice() else { panic!("{points:?}") };
        assert!(
            first.0 < second.0 && second.0 < third.0 && third.0 - second.0 < second.0 - first.0
        );
        assert!(first.1 < second.1, "a high score is high");
        assert_eq!(graph.steps(), [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]);
    }
}
