//! What the runs of a page are called, and the colour of each.

use maud::{Markup, html};
use wgloss::bench::{Comparison, Report};

/// How many colours the style has.
pub const COLOURS: usize = 5;

/// A run of wgloss.
pub struct Run<'a> {
    /// The run's letter on the page; empty where it is the only one.
    pub letter: String,
    /// The class with its colour.
    pub colour: String,
    pub report: &'a Report,
}

impl<'a> Run<'a> {
    /// The runs of a comparison.
    pub fn all(comparison: &Comparison<'a>) -> Vec<Self> {
        let is_alone = comparison.runs.len() == 1;
        let run = |(index, &report)| Run {
            letter: if is_alone { String::new() } else { letter(index) },
            colour: colour(index),
            report,
        };
        comparison.runs.iter().enumerate().map(run).collect()
    }

    /// The words ` of run B`; empty where it is the only one.
    pub fn of(&self) -> String {
        if self.letter.is_empty() { String::new() } else { format!(" of run {}", self.letter) }
    }
}

/// The letter of a run, or its number where letters have run out.
pub fn letter(index: usize) -> String {
    match u8::try_from(index) {
        Ok(index @ 0..26) => char::from(b'A' + index).to_string(),
        _ => (index + 1).to_string(),
    }
}

/// The class with the colour of a run or a line.
pub fn colour(index: usize) -> String {
    format!("colour-{}", index % COLOURS)
}

/// What distinguishes a run from another.
pub fn name(report: &Report) -> String {
    format!("{}, wgloss {}, {}", report.adapter, report.wgloss, report.date)
}

/// A patch of a colour.
pub fn patch(colour: &str) -> Markup {
    html! { svg.patch.(colour) aria-hidden="true" width="12" height="12" { rect width="12" height="12" rx="2" {} } }
}

/// Which run has which letter and colour; nothing where there is one.
pub fn legend(runs: &[Run]) -> Markup {
    html! {
        @if runs.len() > 1 {
            ul.legend {
                @for run in runs {
                    li { (patch(&run.colour)) b { (run.letter) } span { (name(run.report)) } }
                }
            }
        }
    }
}
