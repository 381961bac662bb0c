//! Time against size, on logarithmic axes.

use maud::{Markup, html};
use wgloss::bench::{Comparison, Scaling};

use super::{
    axis::{Logarithmic, is_drawable, percent},
    catalogue, numbers,
    runs::{self, COLOURS, Run},
};

/// The height of a plot, in pixels; its width is that of the page's column.
const HEIGHT: f64 = 280.0;

/// Labels at the ends of lines are this far apart at least.
const LINE_HEIGHT: f64 = 15.0;

/// Labels of decades, at most, which fit on the narrowest screen.
const DECADES: usize = 6;

/// The line of what is linear is this part of the least time that an element takes.
const BELOW: f64 = 0.5;

/// Lines in a plot of their own.
struct Panel<'a> {
    title: String,
    lines: Vec<Line<'a>>,
}

/// A loss of a run.
struct Line<'a> {
    /// The line's name, at its end and in the legend.
    label: String,
    colour: String,
    /// Elements and milliseconds.
    points: Vec<(f64, f64)>,
    scaling: &'a Scaling,
}

/// The axes of all panels, so that they can be compared.
#[derive(Clone, Copy)]
struct Axes {
    elements: Logarithmic,
    ms: Logarithmic,
}

/// The section, with a panel of all losses for a single run, and one for each loss with a line for each run otherwise.
pub fn section(comparison: &Comparison, runs: &[Run]) -> Markup {
    let panels = panels(comparison, runs);
    let points = || panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points);
    let axes =
        Logarithmic::around(points().map(|point| point.0)).zip(Logarithmic::around(points().map(|point| point.1)));
    let axes = axes.map(|(elements, ms)| Axes { elements: elements.padded(0.02), ms: ms.padded(0.06) });
    html! {
        @if let Some(axes) = axes {
            section {
                h2 { "Time against size" }
                p {
                    "The device time of loss and gradients as the first input grows. Small sizes take as long as \
                     starting the kernels does; from " (numbers::decade_of_count(Scaling::SLOPE_FROM.ilog10() as i32))
                    " elements on, where the slope is fitted, 1 is linear: twice as much takes twice as long."
                }
                (runs::legend(runs))
                div.panels {
                    @for panel in &panels { (panel.markup(axes)) }
                }
            }
        }
    }
}

fn panels<'a>(comparison: &Comparison<'a>, runs: &[Run]) -> Vec<Panel<'a>> {
    let line = |scaling: &'a Scaling, label: &str, colour: String| Line {
        label: label.to_string(),
        colour,
        points: drawable(scaling),
        scaling,
    };
    let scalings = comparison.runs.iter().zip(runs).flat_map(|(report, run)| {
        report.scaling.iter().map(move |scaling| (run, scaling)).filter(|(_, scaling)| !drawable(scaling).is_empty())
    });
    let losses = catalogue::by_loss(scalings, |(_, scaling)| &scaling.loss);
    if let [_] = runs {
        let all: Vec<_> = losses.into_iter().flatten().collect();
        let panel = |lines: &[(&Run, &'a Scaling)]| {
            let lines = lines.iter().enumerate();
            let lines = lines.map(|(index, &(_, scaling))| line(scaling, &title(scaling), runs::colour(index)));
            Panel { title: String::new(), lines: lines.collect() }
        };
        return all.chunks(COLOURS).map(panel).collect();
    }
    let panel = |lines: Vec<(&Run, &'a Scaling)>| Panel {
        title: title(lines[0].1),
        lines: lines.into_iter().map(|(run, scaling)| line(scaling, &run.letter, run.colour.clone())).collect(),
    };
    losses.into_iter().map(panel).collect()
}

fn title(scaling: &Scaling) -> String {
    format!("{} {}", scaling.loss, scaling.dtype)
}

/// The points that logarithmic axes have a place for.
fn drawable(scaling: &Scaling) -> Vec<(f64, f64)> {
    let points = scaling.points.iter().map(|point| (point.elements as f64, point.median_ms));
    points.filter(|&(elements, ms)| is_drawable(elements) && is_drawable(ms)).collect()
}

impl Panel<'_> {
    fn markup(&self, axes: Axes) -> Markup {
        let class = if self.title.is_empty() { "panel named" } else { "panel" };
        html! {
            figure.(class) {
                @if !self.title.is_empty() { figcaption { h3 { (self.title) } } }
                div.plot { (self.plot(axes)) }
                ul.legend {
                    @for line in self.top_down() {
                        li { (runs::patch(&line.colour)) b { (line.label) } span { (line.slope()) } }
                    }
                    li {
                        svg.patch aria-hidden="true" width="22" height="12" { line.linear x2="22" y1="6" y2="6" {} }
                        span { "linear" }
                    }
                }
            }
        }
    }

    /// The lines, the one that ends with the longest time first.
    fn top_down(&self) -> Vec<&Line<'_>> {
        let mut lines: Vec<&Line> = self.lines.iter().collect();
        lines.sort_by(|a, b| b.end().1.total_cmp(&a.end().1));
        lines
    }

    fn plot(&self, axes: Axes) -> Markup {
        let descriptions: Vec<String> = self.lines.iter().map(Line::description).collect();
        let title = if self.title.is_empty() { "Time against size" } else { &self.title };
        html! {
            svg role="img" height=(HEIGHT) {
                title { (title) }
                desc { (descriptions.join("; ")) }
                @for exponent in axes.elements.decades(DECADES) {
                    @let x = percent(axes.elements.at(10f64.powi(exponent)));
                    line.grid x1=(x) x2=(x) y1="0" y2=(HEIGHT) {}
                    text x=(x) y=(HEIGHT + 17.0) text-anchor="middle" { (numbers::decade_of_count(exponent)) }
                }
                @for exponent in axes.ms.decades(DECADES) {
                    @let y = axes.y(10f64.powi(exponent));
                    line.grid x2="100%" y1=(y) y2=(y) {}
                    text x="-8" y=(y) dy="0.35em" text-anchor="end" { (numbers::decade_of_ms(exponent)) }
                }
                text x="100%" y=(HEIGHT + 34.0) text-anchor="end" { "elements" }
                (self.linear(axes))
                @for (line, y) in self.labels(axes) {
                    g.(line.colour) {
                        @for pair in line.points.windows(2) {
                            (axes.line("curve", pair[0], pair[1]))
                        }
                        @for &(elements, ms) in &line.points {
                            circle cx=(axes.x(elements)) cy=(axes.y(ms)) r="3" {
                                title {
                                    (line.label) ": " (numbers::significant(elements)) " elements, " (numbers::time(ms))
                                }
                            }
                        }
                        @let end = line.end();
                        line.leader x1=(axes.x(end.0)) y1=(axes.y(end.1)) x2="100%" y2=(y) {}
                        text.end x="100%" dx="6" y=(y) dy="0.35em" { (line.label) }
                    }
                }
            }
        }
    }

    /// The lines from top to bottom, and how high their labels are.
    fn labels(&self, axes: Axes) -> Vec<(&Line<'_>, f64)> {
        let lines = self.top_down();
        let mut heights: Vec<f64> = lines.iter().map(|line| axes.y_of(line.end().1)).collect();
        for index in 1..heights.len() {
            heights[index] = heights[index].max(heights[index - 1] + LINE_HEIGHT);
        }
        // What was pushed below the plot goes up again, and what is in its way.
        let mut lowest = HEIGHT;
        for height in heights.iter_mut().rev() {
            *height = height.min(lowest);
            lowest = *height - LINE_HEIGHT;
        }
        lines.into_iter().zip(heights).collect()
    }

    /// The line of what is linear, as far as it is inside.
    fn linear(&self, axes: Axes) -> Markup {
        let ends = self.lines.iter().map(Line::end);
        let per_element = BELOW * ends.map(|(elements, ms)| ms / elements).fold(f64::INFINITY, f64::min);
        let from = axes.elements.value(0.0).max(axes.ms.value(0.0) / per_element);
        let to = axes.elements.value(1.0).min(axes.ms.value(1.0) / per_element);
        html! {
            @if from < to && [from, to].iter().all(|elements| is_drawable(elements * per_element)) {
                (axes.line("linear", (from, from * per_element), (to, to * per_element)))
            }
        }
    }
}

impl Line<'_> {
    /// The point of the largest size.
    fn end(&self) -> (f64, f64) {
        self.points.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((f64::NAN, f64::NAN))
    }

    fn slope(&self) -> String {
        self.scaling.slope.map_or("too few large sizes for a slope".to_string(), |slope| {
            format!("slope {}", numbers::fraction(slope))
        })
    }

    fn description(&self) -> String {
        let (elements, ms) = self.end();
        format!(
            "{}: {} at {} elements, {}",
            self.label,
            numbers::time(ms),
            numbers::significant(elements),
            self.slope()
        )
    }
}

impl Axes {
    /// A line of this class between two points.
    fn line(self, class: &str, from: (f64, f64), to: (f64, f64)) -> Markup {
        html! { line.(class) x1=(self.x(from.0)) y1=(self.y(from.1)) x2=(self.x(to.0)) y2=(self.y(to.1)) {} }
    }

    fn x(self, elements: f64) -> String {
        percent(self.elements.at(elements))
    }

    fn y(self, ms: f64) -> String {
        format!("{:.1}", self.y_of(ms))
    }

    fn y_of(self, ms: f64) -> f64 {
        HEIGHT * (1.0 - self.ms.at(ms))
    }
}
