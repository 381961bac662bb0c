//! The report of benchmarks as one HTML page: no scripts, and nothing from the network.

mod axis;
mod bars;
mod catalogue;
mod chart;
mod heads;
mod lines;
pub mod numbers;
mod peers;
pub mod runs;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use wgloss::bench::{Comparison, Report};

use self::runs::Run;

/// The page of these reports, beside each other.
pub fn html(reports: &[Report]) -> String {
    let comparison = Comparison::new(reports);
    let runs = Run::all(&comparison);
    let title = title(&comparison);
    page(
        &title,
        html! {
            (heads::section(&comparison, &runs, &title))
            (bars::section(&comparison, &runs))
            (lines::section(&comparison, &runs))
            (peers::section(&comparison.peers))
            (tables::section(&comparison, &runs))
        },
    )
    .into_string()
}

fn title(comparison: &Comparison) -> String {
    match &comparison.runs[..] {
        [] if comparison.peers.is_empty() => "wgloss benchmark".to_string(),
        [] => "wgloss and other libraries".to_string(),
        [run] => format!("wgloss on {}", run.adapter),
        runs => format!("wgloss: {} runs compared", runs.len()),
    }
}

fn page(title: &str, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body { main { (content) } }
        }
    }
}

/// The name of a loss that may be broken behind its underscores.
fn breakable(name: &str) -> Markup {
    html! { @for part in name.split_inclusive('_') { (part) wbr; } }
}

#[cfg(test)]
mod tests;
